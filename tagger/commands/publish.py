"""A model folder made ready for the Hugging Face Hub: its own files, checked, and a card with metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tagger.errors import UserError
from tagger.hub import NAME, front_matter
from tagger.model_folder.contents import CARD, ENCODER, STATIC, most_bytes
from tagger.model_folder.folder import ModelFolder
from tagger.runs.record import RunRecord

_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_PLACE = "THIS_FOLDER"  # in the card that training wrote
_METRICS = {"micro F1": "f1", "precision": "precision", "recall": "recall", "accuracy": "accuracy"}  # as the Hub's


@dataclass(frozen=True)
class Publication:
    """What goes to the Hub.

    Attributes:
        files: by their names there.
        notes: what the one who publishes should know, a line each.
    """

    files: Mapping[str, Path | bytes]
    notes: list[str]

    @property
    def card(self) -> str:
        """Markdown behind YAML."""
        content = self.files[CARD]
        assert isinstance(content, bytes)
        return content.decode("utf-8")


def prepare(model: Path, repo: str, *, run: Path | None = None, licence: str | None = None) -> Publication:
    """Check a model folder and gather what of it is published.

    Args:
        model: the folder.
        repo: ORG/NAME.
        run: of the run that gave it, whose scores the card tells; by default the folder around the model's.
        licence: of the model, as the Hub calls it (`apache-2.0`).

    Raises:
        UserError: the folder is no sound model, the name is none, or the run's record is damaged.
    """
    if not NAME.fullmatch(repo):
        raise UserError(f"--repo {repo}: expected ORG/NAME")
    folder = ModelFolder.load(model)
    names = sorted(_names(model))
    own = [name for name in names if most_bytes(name) is not None]
    notes = [f"left out, as it is not a model's: {name}" for name in names if name not in own]
    encoder = folder.config.embeddings.transformer
    if encoder and not encoder.trainable and Path(str(encoder.path)).is_absolute():
        notes.append(f"the model needs the encoder {encoder.path}, whose place is one of this machine")
    results, missing = _results(run or model.parent)
    metadata = front_matter(
        model_name=repo.partition("/")[2],
        results=results,
        pipeline_tag="token-classification",
        library_name="tagger",
        tags=["sequence-tagging"],
        **{"language": folder.language} if folder.language else {},
        **{"license": licence} if licence else {},
    )
    card = metadata + _text(model, repo)
    files: dict[str, Path | bytes] = {**{name: model / name for name in own}, CARD: card.encode("utf-8")}
    return Publication(files, [*notes, *missing])


def superseded(name: str) -> bool:
    """Whether a file of an earlier model in the same repository goes away if this one has none of its name."""
    return most_bytes(name) is not None


def _names(model: Path) -> list[str]:
    """All files of the folder and of the two in it that a model may have, by their names with `/`."""
    inside = [path for part in (STATIC, ENCODER) if (model / part).is_dir() for path in (model / part).iterdir()]
    return [path.relative_to(model).as_posix() for path in [*model.iterdir(), *inside] if path.is_file()]


def _text(model: Path, repo: str) -> str:
    """The card that training wrote, without metadata that it may have been given since."""
    try:
        written = (model / CARD).read_text(encoding="utf-8")
    except FileNotFoundError:
        return f"\n# {repo}\n"
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{model / CARD}: cannot read: {error}; write it anew") from error
    return "\n" + _FRONT_MATTER.sub("", written).lstrip("\n").replace(_PLACE, f"hub:{repo}")


def _results(run: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The test scores of a run as the Hub has them, and what there is to say where they are missing."""
    from tagger.commands.hydra import hydra_entry
    from tagger.commands.hydra.overrides import data_name

    record = RunRecord.read(run)
    if record is None:
        return [], [f"{run}: no run.json in it, so the card has no scores; --run names the folder of the run"]
    settings = hydra_entry.read_config(run / "config.yaml")
    title, path = data_name(settings), str(settings["data"].get("path"))
    shared = {
        "task_type": "token-classification",
        "dataset_name": title,
        "dataset_type": path if NAME.fullmatch(path) else title,
        "dataset_split": "test",
    }
    named = [(name, value) for name, value in record.test.items() if name in _METRICS]
    metrics = [{"metric_type": _METRICS[name], "metric_name": name, "metric_value": round(v, 4)} for name, v in named]
    return [{**shared, **metric} for metric in metrics], []
