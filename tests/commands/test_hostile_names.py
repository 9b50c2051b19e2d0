"""Paths with control characters: no message of a run may steer the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagger.commands import evaluate, train
from tests.helpers.small_corpus import QUICK, write_column_file

NAME = "a\x1b[2Jb"
CONTROLS = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0))} - {"\n"}


def test_training_and_scoring_show_paths_without_control_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(NAME).mkdir()
    for split in ("train", "dev", "test"):
        write_column_file(Path(NAME, f"{split}.conll"), 20, len(split))
    data = ["data=conll", *(f'data.{split}="{NAME}/{split}.conll"' for split in ("train", "dev", "test"))]
    run = f'"{NAME}/run"'
    Path("latest").mkdir()  # the link cannot be made
    run_it = [*data, *QUICK, "report=true", f"run_dir={run}", "latest=latest"]
    compared = [f'compare=[{run}, "{NAME}/report"]', f'out="{NAME}/compared"']
    for command, arguments, code in (
        (train.main, [*run_it, "resume=true"], 0),
        (train.main, [*run_it, "resume=true", "encoder.hidden_size=8"], 2),
        (evaluate.main, [f'model="{NAME}/run/model"', *data, f'out="{NAME}/report"'], 0),
        (evaluate.main, compared, 0),
        (evaluate.main, [f'model="{NAME}/nothing"', *data], 2),
    ):
        assert command(arguments) == code
        said = "".join(capfd.readouterr())
        assert "a␛[2Jb" in said
        assert not set(said) & CONTROLS
