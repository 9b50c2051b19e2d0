"""Hydra leaves the package's own log messages alone."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig

from tagger.commands.hydra import hydra_entry


@pytest.mark.parametrize(("command", "arguments"), [("train", ["run_dir=run"]), ("evaluate", [])])
def test_a_warning_of_the_package_is_logged_in_a_job_and_nothing_of_hydra(
    command: str,
    arguments: list[str],
    in_tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{command}.py"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    logger = logging.getLogger("tagger.kernels.loader")  # it exists before Hydra starts

    def task(config: DictConfig) -> None:
        logger.warning("compiling loops for this processor")

    assert hydra_entry.run(command, task, arguments) == 0
    assert caplog.messages == ["compiling loops for this processor"]
    assert capsys.readouterr().out == ""
