"""Explain a model on a sentence: gates, memory, and what its decisions depend on."""
