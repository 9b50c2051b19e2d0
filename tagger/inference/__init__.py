"""Tagging: model folder, engines, the one decoder, documents in and records out, in NumPy."""
