"""The script's table for a run."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from random_models import random_folder

from tests.scripts.loading import load_script


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("calibration.py")


def test_a_run_s_table(script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random_folder().save(tmp_path / "model", "")
    data = tmp_path / "data.conll"
    data.write_text("Anna B-PER\nlives O\nin O\nNew B-LOC\nYork I-LOC\n\n" * 3, encoding="utf-8")
    settings = {"format": "columns", "language": "en", "train": str(data), "test": str(data), "tag_column": 1}
    (tmp_path / "config.yaml").write_text(json.dumps({"data": settings}), encoding="utf-8")
    assert script.main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("temperature")
    assert len(lines) > 4


def test_a_folder_that_is_no_run_is_told(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random_folder().save(tmp_path / "model", "")
    assert script.main([str(tmp_path)]) == 2
    assert "config.yaml: no such file" in capsys.readouterr().err
