"""From emissions to tags and probabilities, in NumPy."""
