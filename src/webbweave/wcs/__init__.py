"""World coordinate systems that are evaluated without the overhead of their model objects."""

from webbweave.wcs.fast_wcs import FastWcs, fast_wcs
from webbweave.wcs.yaml_templates import TemplateCache

__all__ = ["FastWcs", "TemplateCache", "fast_wcs"]
