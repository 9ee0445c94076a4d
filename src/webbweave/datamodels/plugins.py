"""The plug-ins of asdf, which it looks for when the first file is read or written."""

from __future__ import annotations

import functools

import asdf
import yaml

__all__ = ["load_plugins"]

_as_it_was = yaml.safe_load
_fast = functools.partial(yaml.load, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def load_plugins() -> None:
    """
    Load the plug-ins of asdf, unless they are.

    Some fifty lists of what they can read are parsed for that, by ``yaml.safe_load``. That is
    Python, and takes longer than an exposure: meanwhile it is the parser of libyaml, if there is
    one, which gives the same. If threads do this at once, it may be slow for one of them.
    """
    config = asdf.get_config()
    yaml.safe_load = _fast
    try:
        # Copies of the configuration, as contexts make them, then have them too.
        _ = config.extensions, config.resource_manager
    finally:
        yaml.safe_load = _as_it_was
