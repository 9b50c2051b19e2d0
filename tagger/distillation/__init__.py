"""Distillation: raw text, tagged by a teacher, that a student learns from."""
