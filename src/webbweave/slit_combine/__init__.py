"""From nodded NIRSpec slitlets to one spectrum."""
