"""Generate text with a language model, in NumPy."""
