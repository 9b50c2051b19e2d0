"""Supervised training with Lightning: splits in, a model folder out."""
