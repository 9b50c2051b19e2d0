"""Emissions to tags and probabilities, in NumPy."""
