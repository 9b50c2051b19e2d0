"""Checkpoint files: written whole or not at all, checked when read, the last one with the one before it."""

from __future__ import annotations

import io
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from tagger.errors import UserError
from tagger.files import bytes_written_whole

BEST, LAST, PREVIOUS = "best.ckpt", "last.ckpt", "previous.ckpt"
_ADVICE = "set another run_dir to train again"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint beside its final place, then rename it. A killed run leaves the checkpoint before.

    Lightning's own class writes to the system's temporary folder first, which may be on another disk. The old last
    checkpoint becomes the previous one.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        content, path = io.BytesIO(), Path(path)
        torch.save(checkpoint, content)
        with bytes_written_whole(path) as stream:
            stream.write(content.getbuffer())
            stream.flush()
            os.fsync(stream.fileno())
            if path.name == LAST and path.exists():
                path.replace(path.with_name(PREVIOUS))
        _sync_folder(path.parent)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, its tensors on the CPU.

    Raises:
        UserError: it cannot be read, or is not the checkpoint of a run.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch warns of strange bytes; the error below is enough
            _check_sums(path)
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise anything
        raise UserError(f"{path}: damaged checkpoint ({type(error).__name__}); {_ADVICE}") from error
    if not isinstance(state, dict) or not {"state_dict", "callbacks", "optimizer_states"} <= state.keys():
        raise UserError(f"{path}: not a checkpoint of a run; {_ADVICE}")
    return state


def read_last_checkpoint(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """Find and read the last whole checkpoint; None if there is no checkpoint.

    Raises:
        UserError: all checkpoints are damaged.
    """
    wrong: UserError | None = None
    for path in (folder / LAST, folder / PREVIOUS):
        try:
            if path.exists():
                return path, read_checkpoint(path)
        except UserError as error:
            wrong = wrong or error
    if wrong is not None:
        raise wrong
    return None


def clear_remains(folder: Path, *, keep: Path | None) -> None:
    """Remove the unfinished files of killed runs, and a damaged checkpoint later than `keep`."""
    for path in folder.glob(".*.ckpt.*.part"):
        path.unlink(missing_ok=True)
    if keep is not None and keep.name == PREVIOUS:
        (folder / LAST).unlink(missing_ok=True)


def _check_sums(path: Path) -> None:
    """Compare the checksums in PyTorch's archive. `torch.load` does not.

    Raises:
        ValueError, zipfile.BadZipFile: they differ, or the file is no archive.
    """
    with zipfile.ZipFile(path) as archive:
        if archive.testzip() is not None:
            raise ValueError("checksums differ")


def _sync_folder(folder: Path) -> None:
    """Write a folder's file names to disk, so that they survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:  # some file systems cannot
        pass
    finally:
        os.close(descriptor)
