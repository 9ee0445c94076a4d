"""Nodded NIRSpec slitlets, from exposures to one spectrum."""

"""From nodded slitlets to one spectrum."""
