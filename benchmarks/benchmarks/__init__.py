"""Benchmarks of webbweave, run by asv."""
