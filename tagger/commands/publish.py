"""Push a model folder to the Hugging Face Hub, with its card.

    python -m tagger publish --model runs/wnut/model --repo ORG/NAME
    python tag.py --model hub:ORG/NAME notes.txt

The folder is checked as tagging checks it. Only a model's own files are pushed. The card is the one that training
wrote, with metadata in front: language, task, and the run's test scores as `model-index`, from `run.json` and
`config.yaml` beside the model. A new repository is private unless --public; an existing one keeps its setting. Files of
an earlier model that this one lacks are deleted in the same commit. The token is that of HF_TOKEN or of
`hf auth login`; HF_ENDPOINT names another Hub. Needs the extra `hub`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tagger.commands.main import command_parser
from tagger.errors import UserError
from tagger.hub import NAME, front_matter, push
from tagger.model_folder.contents import CARD, ENCODER, STATIC, most_bytes
from tagger.model_folder.folder import ModelFolder
from tagger.printable import in_a_line
from tagger.runs.record import RunRecord

_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_PLACEHOLDER = "THIS_FOLDER"  # of the model's path, in the card that training wrote
_METRICS = {"micro F1": "f1", "precision": "precision", "recall": "recall", "accuracy": "accuracy"}  # the Hub's names


def main(arguments: Sequence[str]) -> int:
    """Publish a model; returns 0.

    Raises:
        UserError: the folder is no sound model, or the Hub cannot be reached or refuses.
    """
    parser = command_parser("publish", __doc__)
    add = parser.add_argument
    add("--model", required=True, type=Path, metavar="DIR", help="the model folder")
    add("--repo", required=True, metavar="ORG/NAME", help="where it goes")
    add("--public", action="store_true", help="make a new repository public")
    add("--run", type=Path, metavar="DIR", help="folder of the model's run; default: the one around the model")
    add("--license", metavar="ID", help="of the model, as the Hub calls it, such as apache-2.0")
    add("--message", metavar="TEXT", default="Model from tagger publish", help="of the commit")
    add("--dry-run", action="store_true", help="print the card and the names of the files, and send nothing")
    given = parser.parse_args(arguments)
    publication = prepare(given.model, given.repo, run=given.run, licence=given.license)
    for note in publication.notes:
        print(in_a_line(f"tagger publish: {note}"), file=sys.stderr)
    if given.dry_run:
        print(publication.card)
        print("\n".join(map(in_a_line, publication.files)))
        return 0
    commit = push(
        given.repo, publication.files, private=not given.public, message=given.message, replaced=_is_of_a_model
    )
    print(f"published: hub:{given.repo}@{commit}")
    return 0


@dataclass(frozen=True)
class Publication:
    """Files to upload to the Hub."""

    files: Mapping[str, Path | bytes]  # paths or contents, by their names in the repository
    notes: list[str]  # a line each on what was left out or is missing

    @property
    def card(self) -> str:
        """The model card: Markdown with YAML in front."""
        content = self.files[CARD]
        assert isinstance(content, bytes)
        return content.decode("utf-8")


def prepare(model: Path, repo: str, *, run: Path | None = None, licence: str | None = None) -> Publication:
    """Check a model folder and collect the files to publish.

    Args:
        model: the folder.
        repo: ORG/NAME.
        run: the model's run, whose scores go into the card; by default the folder around the model.
        licence: of the model, as the Hub calls it (`apache-2.0`).

    Raises:
        UserError: the folder is no sound model, `repo` is no name, or the run's record is damaged.
    """
    if not NAME.fullmatch(repo):
        raise UserError(f"--repo {repo}: expected ORG/NAME")
    folder = ModelFolder.load(model)
    inside = [path for part in (STATIC, ENCODER) if (model / part).is_dir() for path in (model / part).iterdir()]
    names = sorted(path.relative_to(model).as_posix() for path in [*model.iterdir(), *inside] if path.is_file())
    own = list(filter(_is_of_a_model, names))
    notes = [f"left out, as it is not a model's: {name}" for name in names if name not in own]
    encoder = folder.config.embeddings.transformer
    if encoder and not encoder.trainable and Path(str(encoder.path)).is_absolute():
        notes.append(f"the model needs the encoder {encoder.path}, which is a path on this machine")
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
    card = metadata + _card_text(model, repo)
    files: dict[str, Path | bytes] = {**{name: model / name for name in own}, CARD: card.encode("utf-8")}
    return Publication(files, [*notes, *missing])


def _is_of_a_model(name: str) -> bool:
    return most_bytes(name) is not None


def _card_text(model: Path, repo: str) -> str:
    """Return the card that training wrote, without metadata of an earlier publication."""
    try:
        written = (model / CARD).read_text(encoding="utf-8")
    except FileNotFoundError:
        return f"\n# {repo}\n"
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{model / CARD}: cannot read: {error}; write it again") from error
    return "\n" + _FRONT_MATTER.sub("", written).lstrip("\n").replace(_PLACEHOLDER, f"hub:{repo}")


def _results(run: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a run's test scores in the Hub's form, and a note if there are none."""
    from tagger.commands.hydra import hydra_entry  # here, as publishing needs no Hydra where there is no run
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
    scores = {name: value for name, value in record.test.items() if name in _METRICS}
    return [
        {**shared, "metric_type": _METRICS[name], "metric_name": name, "metric_value": round(value, 4)}
        for name, value in scores.items()
    ], []
