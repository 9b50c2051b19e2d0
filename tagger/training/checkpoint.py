"""Checkpoints of a run: files written whole or not at all, checked when they are read, the last one kept twice."""

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
_ANEW = "set another run_dir to train anew"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the checkpoint and renames, so that a run that is killed leaves the one before.

    Lightning's own goes by way of the system's temporary folder, which may lie on another disk. What was the last
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
        _settle_names(path.parent)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, on the CPU.

    Raises:
        UserError: it cannot be read or is none of a run.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch wonders at strange bytes; that they are damaged says it all
            _check_sums(path)
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever the bytes of a damaged file lead to
        raise UserError(f"{path}: damaged checkpoint ({type(error).__name__}); {_ANEW}") from error
    if not isinstance(state, dict) or not {"state_dict", "callbacks", "optimizer_states"} <= state.keys():
        raise UserError(f"{path}: not a checkpoint of a run; {_ANEW}")
    return state


def read_last_checkpoint(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The last checkpoint that is whole, and what it holds; None where there is none.

    Raises:
        UserError: there are only damaged ones.
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
    """Remove what writers that were killed have left half-written, and a damaged checkpoint later than `keep`."""
    for path in folder.glob(".*.ckpt.*.part"):
        path.unlink(missing_ok=True)
    if keep is not None and keep.name == PREVIOUS:
        (folder / LAST).unlink(missing_ok=True)


def _check_sums(path: Path) -> None:
    """Compare the checksums in PyTorch's archive, which `torch.load` does not look at.

    Raises:
        ValueError, zipfile.BadZipFile: they differ, or it is no archive.
    """
    with zipfile.ZipFile(path) as archive:
        if archive.testzip() is not None:
            raise ValueError("checksums differ")


def _settle_names(folder: Path) -> None:
    """Have the file system keep a folder's names, too, where a machine loses its power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:  # there are file systems that cannot
        pass
    finally:
        os.close(descriptor)
