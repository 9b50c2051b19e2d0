"""The place of the checkout under test."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
