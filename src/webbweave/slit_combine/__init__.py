"""From nodded slitlets to one spectrum."""
"""From nodded NIRSpec slitlets to one spectrum."""
