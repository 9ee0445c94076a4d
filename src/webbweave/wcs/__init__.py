"""World coordinate systems that are evaluated without the overhead of their model objects."""

from webbweave.wcs.fast_wcs import FastWcs, fast_wcs

__all__ = ["FastWcs", "fast_wcs"]
