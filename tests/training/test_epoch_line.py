"""The line of an epoch, as it is written and read."""

from __future__ import annotations

import pytest

from tagger.training.epoch_line import epoch_line, read_epoch_line


def test_a_line_has_the_figures_that_there_are_and_no_others() -> None:
    figures = {"loss": 3.0, "tokens_per_second": 12345.6, "dev_f1": 0.12345, "epoch_loss": 2.0}
    assert epoch_line(7, figures) == "epoch 7: epoch_loss 2.000, dev_f1 0.1235, tokens_per_second 12,346"


@pytest.mark.parametrize("name", ["dev_f1", "dev_accuracy"])
def test_what_is_written_is_read(name: str) -> None:
    assert read_epoch_line(epoch_line(12, {"epoch_loss": 0.5, name: 0.875}) + "\n") == (12, 0.875)


@pytest.mark.parametrize("line", ["", "epoch 3: epoch_loss 0.500", "test micro F1 0.5", "trained 3 epochs; dev_f1 0.5"])
def test_other_lines_are_none(line: str) -> None:
    assert read_epoch_line(line) is None
