"""From nodded slitlets to one spectrum."""
