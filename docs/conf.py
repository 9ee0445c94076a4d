"""How Sphinx builds this documentation."""

import os
from importlib.metadata import version as installed_version

from sphinx_astropy.conf.v3 import *  # noqa: F403
from sphinx_astropy.conf.v3 import exclude_patterns, extensions

project = "webbweave"
author = "the webbweave developers"
copyright = f"2026, {author}"
version = release = installed_version("webbweave")

html_title = f"webbweave {release}"
html_theme_options = {}
htmlhelp_basename = "webbweavedoc"

exclude_patterns += ["_build", "api/*.inc"]
# Figures are made by the package's report, not by the pages.
extensions = [name for name in extensions if name != "matplotlib.sphinxext.plot_directive"]

# Links into other packages' documentation need the network, and a build without it must not fail.
if os.environ.get("WEBBWEAVE_DOCS_ONLINE") or os.environ.get("READTHEDOCS"):
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3/", None),
        "numpy": ("https://numpy.org/doc/stable/", None),
        "astropy": ("https://docs.astropy.org/en/stable/", None),
        "gwcs": ("https://gwcs.readthedocs.io/en/stable/", None),
    }
else:
    intersphinx_mapping = {}
