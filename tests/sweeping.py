"""`train.py -m` whose jobs are done in this process, one after another, where each would import PyTorch anew."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tagger.commands import train
from tagger.commands.hydra import hydra_entry
from tagger.commands.hydra.sweep import Sweep


def train_all_here(arguments: Sequence[str]) -> list[int]:
    """The exit code of each job of a multirun; they begin when Hydra, which runs one at a time, has given out all."""
    jobs: list[list[str]] = []

    class Noted(Sweep):
        def run(self, name: str, arguments: Sequence[str]) -> None:
            jobs.append(list(arguments))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hydra_entry, "Sweep", Noted)
        assert train.main(list(arguments)) == 0
    return [train.main(job) for job in jobs]
