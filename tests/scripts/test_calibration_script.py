"""The script's figures by their definitions, and its table for a run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from random_models import random_folder

from tests.scripts.loading import load_script


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("calibration.py")


def test_the_error_is_the_mean_distance_between_probability_and_share_right(script: ModuleType) -> None:
    scores, right = np.array([0.05, 0.95, 0.95, 1.0, 0.5]), np.array([0, 1, 1, 0, 1.0])
    distances = [(1, abs(0.05 - 0)), (3, abs((0.95 + 0.95 + 1) / 3 - 2 / 3)), (1, abs(0.5 - 1))]
    expected = sum(count * distance for count, distance in distances) / 5
    assert script.calibration_error(scores, right) == pytest.approx(expected)


def test_the_log_loss_is_that_of_what_came_true(script: ModuleType) -> None:
    expected = -(math.log(0.8) + math.log(1 - 0.3)) / 2
    assert script.log_loss(np.array([0.8, 0.3]), np.array([1.0, 0.0])) == pytest.approx(expected)


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
