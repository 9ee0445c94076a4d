"""Alignment of images by their sources: matching, fitting, correction of the WCS."""
