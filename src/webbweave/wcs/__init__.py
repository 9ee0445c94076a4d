"""World coordinate systems that are evaluated without the overhead of their model objects."""

from webbweave.wcs.deferred import DeferredWcs
from webbweave.wcs.fast_wcs import FastWcs, fast_wcs
from webbweave.wcs.yaml_templates import TemplateCache

__all__ = ["DeferredWcs", "FastWcs", "TemplateCache", "fast_wcs"]
