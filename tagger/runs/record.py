"""`run.json`: the record of a finished run, for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Any

from tagger.corpus.dataset import Split, data_digest
from tagger.errors import UserError
from tagger.evaluation.scores import Scores
from tagger.files import written_whole
from tagger.version import __version__

if TYPE_CHECKING:
    from tagger.training.training_run import TrainingResult

NAME = "run.json"
TRAIN_KEYS = "train_sentences.bin"  # beside it: 8 bytes for each training sentence
FORMAT = 1  # raised when a key changes its meaning or goes away
_PACKAGES = ("numpy", "torch", "pytorch-lightning")


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A finished run.

    Attributes:
        data_sha256: of the content of train, dev and test.
        train_tokens: tokens of the training split.
        dev: the dev score of the model that was kept, by name: `dev_f1` or `dev_accuracy`.
        test: the test split's scores by name, the headline first. All scores are fractions of 1.
        seconds: duration of the training; of a resumed run, of its last part.
        stopped_by: SIGINT or SIGTERM, if a signal ended it before its last epoch.
        model_bytes: of all files of the model folder.
        versions: of Python and of the main packages.
    """

    seed: int
    data_sha256: str
    train_tokens: int
    dev: dict[str, float]
    test: dict[str, float]
    epochs: int
    seconds: float
    resumed: bool
    stopped_by: str | None
    model_bytes: int
    versions: dict[str, str]

    def write(self, run_dir: Path) -> None:
        """Write `run.json` into the run's folder.

        Raises:
            UserError: it cannot be written.
        """
        with written_whole(run_dir / NAME) as stream:
            stream.write(json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n")

    @classmethod
    def read(cls, run_dir: Path) -> RunRecord | None:
        """Read the record of a run; None if there is none, as in the folder of an unfinished run.

        Raises:
            UserError: it is damaged, or of another version.
        """
        path = run_dir / NAME
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("format") != FORMAT:
                raise UserError(f"{path}: of another format than {FORMAT}; read it with the version that wrote it")
            return cls(**content)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UserError(f"{path}: cannot read: {error.strerror or error}") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(f"{path}: damaged: {error}; train again") from error


def make_record(
    outcome: TrainingResult, splits: Mapping[str, Split], scores: Scores, *, seed: int, resumed: bool, model_dir: Path
) -> RunRecord:
    """Make the record of a run whose model is saved in `model_dir`. `scores` are those of the test split."""
    return RunRecord(
        seed=seed,
        data_sha256=data_digest(splits),
        train_tokens=sum(map(len, splits["train"].sentences)),
        dev={outcome.score_name: outcome.score},
        test=named_scores(scores),
        epochs=outcome.epochs,
        seconds=round(outcome.seconds, 1),
        resumed=resumed,
        stopped_by=outcome.stopped_by.name if outcome.stopped_by else None,
        model_bytes=sum(path.stat().st_size for path in model_dir.rglob("*") if path.is_file()),
        versions={
            "tagger": __version__,
            "python": python_version(),
            **{package: version(package) for package in _PACKAGES},
        },
    )


def named_scores(scores: Scores) -> dict[str, float]:
    """Return scores by name, the headline first. Plain tags have no precision and recall: both equal accuracy."""
    micro = {"precision": scores.micro.precision, "recall": scores.micro.recall} if scores.kind == "entities" else {}
    return {scores.headline_name: scores.headline, **micro, "macro F1": scores.macro.f1}
