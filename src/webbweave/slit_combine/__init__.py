"""Nodded NIRSpec slitlets, from exposures to one spectrum."""
