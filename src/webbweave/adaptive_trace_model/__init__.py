"""Spline models of spectral traces, and oversampling with them."""
