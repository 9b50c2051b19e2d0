"""Checkpoints of a run: files written whole or not at all, and told in one line where they cannot be read."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from tagger.errors import UserError
from tagger.files import bytes_written_whole


class WholeCheckpoints(TorchCheckpointIO):
    """Writes beside the checkpoint and renames, so that a run that is killed leaves the one before.

    Lightning's own goes by way of the system's temporary folder, which may lie on another disk.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with bytes_written_whole(Path(path)) as stream:
            stream.write(content.getbuffer())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, on the CPU.

    Raises:
        UserError: it cannot be read or is none of a run.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch wonders at strange bytes; that they are damaged says it all
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever the bytes of a damaged file lead to
        raise UserError(
            f"{path}: damaged checkpoint ({type(error).__name__}); set another run_dir to train anew"
        ) from error
    if not isinstance(state, dict) or not {"state_dict", "callbacks", "optimizer_states"} <= state.keys():
        raise UserError(f"{path}: not a checkpoint of a run; set another run_dir to train anew")
    return state
