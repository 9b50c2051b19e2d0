"""Readers of the formats that people have, a module for each."""
