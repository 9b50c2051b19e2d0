"""Checkpoints: whole or not there, and told where they cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from tagger.errors import UserError
from tagger.training.checkpoint import AtomicCheckpointIO, read_checkpoint

STATE = {"state_dict": {"a": torch.ones(3)}, "callbacks": {}, "optimizer_states": []}


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    AtomicCheckpointIO().save_checkpoint(STATE, str(tmp_path / "made" / "last.ckpt"))
    assert torch.equal(read_checkpoint(tmp_path / "made" / "last.ckpt")["state_dict"]["a"], torch.ones(3))
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["last.ckpt"]


def test_a_save_that_does_not_come_to_its_end_keeps_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(STATE, path)
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        AtomicCheckpointIO().save_checkpoint({**STATE, "more": 1}, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["last.ckpt"]


def test_a_checkpoint_is_on_the_disk_before_it_has_its_name_and_then_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[int, bool]] = []  # which file or folder, and whether the checkpoint had its name
    monkeypatch.setattr(os, "fsync", lambda file: synced.append((os.fstat(file).st_ino, path.exists())))
    path = tmp_path / "best.ckpt"
    AtomicCheckpointIO().save_checkpoint(STATE, path)
    assert synced == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


@pytest.mark.parametrize("size", [0, 1, 100, 700])
def test_a_truncated_checkpoint_is_told(tmp_path: Path, size: int) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(STATE, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError, match=r"last\.ckpt: damaged checkpoint \(\w+\); set another run_dir"):
        read_checkpoint(path)


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return open, (str(self.trace), "w")


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("key", ["callbacks", "state_dict", "more"])
def test_a_checkpoint_that_would_run_code_is_refused_and_does_not(tmp_path: Path, key: str, archive: bool) -> None:
    path, trace = tmp_path / "last.ckpt", tmp_path / "trace"
    torch.save({**STATE, key: Payload(trace)}, path, _use_new_zipfile_serialization=archive)
    with pytest.raises(UserError, match=r"last\.ckpt: damaged checkpoint \((UnpicklingError|BadZipFile)\)"):
        read_checkpoint(path)
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists(), "the payload would have shown"


@pytest.mark.parametrize("content", [[1], {"state_dict": {}}])
def test_a_file_that_is_none_of_a_run_is_told(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match=r"last\.ckpt: not a checkpoint of a run"):
        read_checkpoint(tmp_path / "last.ckpt")
