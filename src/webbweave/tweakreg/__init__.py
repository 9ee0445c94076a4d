"""Alignment of images by the stars in them."""
