"""The learning rate over a run."""

from __future__ import annotations

import math

from tagger.training.run_config import OptimConfig


def learning_rate_factor(step: int, total: int, config: OptimConfig) -> float:
    """Return the factor of the learning rate at `step` (from 0) of `total`: linear warm-up, then the schedule."""
    warm = int(config.warmup * total)
    if step < warm:
        return (step + 1) / (warm + 1)
    done = min(1.0, (step - warm) / max(1, total - warm))
    if config.lr_schedule == "linear":
        return 1 - done
    if config.lr_schedule == "cosine":
        return 0.5 + 0.5 * math.cos(math.pi * done)
    return 1.0
