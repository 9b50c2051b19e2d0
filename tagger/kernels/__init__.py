"""Loops compiled ahead of time; everything works without them, more slowly."""
