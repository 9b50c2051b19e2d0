"""`tagger.train`: train from Python, on the same path as train.py."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

from tagger.errors import UserError
from tagger.evaluation.markdown import as_table
from tagger.evaluation.scores import Scores
from tagger.predict import Tagger, load

_FORMATS = {  # presets of conf/data/ for own files, by extension
    **dict.fromkeys((".conll", ".txt", ".tsv", ".bio", ".iob", ".iob2"), "conll"),
    ".conllu": "conllu",
    ".jsonl": "jsonl",
    ".json": "labelstudio",
}

Files = str | Path | Sequence[str | Path]
Settings = Mapping[str, Any] | Sequence[str]


@dataclass(frozen=True)
class TrainedRun:
    """A finished training run.

    Attributes:
        run_dir: its folder.
        model: the model folder, for `tagger.load`.
        report: the folder of the report; None with `report=False`.
        scores: precision, recall and F1 of the test split; `scores.micro.f1` is a fraction of 1.
        dev_score: the best dev score: F1, or accuracy of plain tags.
        epochs, seconds: of the training.
        stopped_by: "SIGINT" if Ctrl-C ended the training early; the model is the best until then.
        warnings: one line each.
    """

    run_dir: Path
    model: Path
    report: Path | None
    scores: Scores = field(repr=False)
    dev_score: float
    epochs: int
    seconds: float
    stopped_by: str | None = None
    warnings: Sequence[str] = ()

    @property
    def f1(self) -> float:
        """Micro F1 of the test split."""
        return self.scores.micro.f1

    def load(self) -> Tagger:
        """Load the model."""
        return load(self.model)

    def _repr_html_(self) -> str:
        place = f"<p>model: <code>{escape(str(self.model))}</code></p>"
        return f"<pre>{escape(as_table(self.scores))}</pre>{place}"


def train(
    data: Files = "starter",
    *,
    dev: Files | None = None,
    test: Files | None = None,
    language: str | None = None,
    epochs: int | None = None,
    run_dir: str | Path | None = None,
    seed: int = 1,
    resume: bool = False,
    init_from: str | Path | None = None,
    report: bool = True,
    progress: bool | None = None,
    verbose: bool = True,
    settings: Settings = (),
) -> TrainedRun:
    """Train a model on labelled files, and score it on the test split. Needs the extra `train`.

    The settings are those of train.py, with the same defaults. Ctrl-C ends the training and keeps the best model so
    far. In the first epoch it raises KeyboardInterrupt.

    >>> import tagger
    >>> run = tagger.train(
    ...     epochs=1, run_dir="first", report=False, verbose=False,
    ...     settings=["experiment=tiny", "trainer.limit_train_batches=5", "latest=null"],
    ... )
    >>> run.epochs, run.model.name
    (1, 'model')
    >>> len(run.load().tag("Ada lived in London.").sentences)
    1

    Args:
        data: a file for training, several, or a pattern; or a data set by name, as `starter` (the bundled one) or
            `wnut17`. The format follows the extension: `.conll`, `.txt`, `.tsv`, `.bio` columns with the tag last,
            `.conllu`, `.jsonl`, or `.json` of Label Studio.
        dev, test: files in the same format. What is missing is drawn from the training data.
        language: ISO 639-1 code. `en` adds the bundled word vectors.
        epochs: None for a number that fits the size of the data.
        run_dir: the folder of the run, new unless `resume`; None for `runs/` and the time.
        seed: of weights, dropout and the order of batches.
        resume: continue the run in `run_dir`.
        init_from: a model to start from.
        report: write the report.
        progress: show a progress bar. None for a bar on terminals, and a line per epoch elsewhere, as in notebooks.
        verbose: print the account that train.py prints.
        settings: any other settings, as `{"encoder.hidden_size": 128}` or as on the command line,
            `["encoder.hidden_size=128", "experiment=tiny"]`.

    Raises:
        UserError: data, settings or folder do not fit, or the extra is missing.
        KeyboardInterrupt: Ctrl-C came before the end of the first epoch.
    """
    from tagger.commands.hydra import hydra_entry
    from tagger.commands.train import removed_if_empty, train_run
    from tagger.commands.train_settings import TrainSettings, spell_out

    own = {
        "data.language": language,
        "trainer.max_epochs": epochs,
        "run_dir": run_dir,
        "init_from": init_from,
        "trainer.enable_progress_bar": progress,
    }
    given: dict[str, object] = {name: value for name, value in own.items() if value is not None}
    given |= {"seed": seed, "resume": resume, "report": report}
    overrides = [
        *_data(data, dev, test, hydra_entry.choices("data")),
        *(_override(name, value) for name, value in given.items()),
        *_overrides(settings),
    ]
    config, names = hydra_entry.composed("train", spell_out(overrides))
    if not config.run_dir:
        raise UserError("run_dir: empty; name a folder for this run")
    folder = Path(config.run_dir).absolute()
    folder_given = "run_dir" in names
    if resume and not folder_given:
        raise UserError("resume: name the folder of the run to continue, as run_dir='runs/a'")
    folder.mkdir(parents=True, exist_ok=True)
    with removed_if_empty(folder), nullcontext() if verbose else _nothing_printed():
        read = TrainSettings.read(config, folder, lambda: names)
        if str(read.trainer.get("devices", 1)) != "1":
            raise UserError("trainer.devices: tagger.train uses one device; for several run `tagger train`")
        try:
            outcome, finished = train_run(read)
        except SystemExit as error:
            if error.code != 128 + signal.SIGTERM:
                raise
            signal.raise_signal(signal.SIGTERM)  # the checkpoint is saved; what follows is up to the caller's handler
            raise KeyboardInterrupt("training was ended by SIGTERM") from None
    assert outcome is not None
    assert finished is not None
    if outcome.stopped_by is signal.SIGTERM:
        signal.raise_signal(signal.SIGTERM)
    return TrainedRun(
        run_dir=folder,
        model=finished.model,
        report=finished.report,
        scores=finished.scores,
        dev_score=outcome.score,
        epochs=outcome.epochs,
        seconds=outcome.seconds,
        stopped_by=outcome.stopped_by.name if outcome.stopped_by else None,
        warnings=list(finished.warnings),
    )


@contextmanager
def _nothing_printed() -> Iterator[None]:
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        yield


def _data(data: Files, dev: Files | None, test: Files | None, presets: Sequence[str]) -> list[str]:
    """Return the overrides that choose the data.

    Raises:
        UserError: a file's format is not known, or the splits have different ones.
    """
    splits = {"train": _files("data", data), "dev": _files("dev", dev), "test": _files("test", test)}
    named = isinstance(data, str) and data in presets and not Path(data).exists()
    if named:
        chosen = str(data)
        del splits["train"]
    else:
        formats = {_FORMATS.get(Path(file).suffix.lower(), "") for files in splits.values() for file in files}
        if len(formats) != 1 or "" in formats:
            known = ", ".join(_FORMATS)
            raise UserError(f"data: expected files of one format ({known}) or a data set by name, got {data}; for "
                "others give settings, as ['data=parallel', 'data.train=FOLDER']")  # fmt: skip
        (chosen,) = formats
    lists = {f"data.{name}": files[0] if len(files) == 1 else files for name, files in splits.items() if files}
    return [f"data={chosen}", *(_override(name, files) for name, files in lists.items())]


def _files(name: str, given: object) -> list[str]:
    if given is None:
        return []
    files = [given] if isinstance(given, str | Path) else given
    if not isinstance(files, Sequence) or not files or not all(isinstance(one, str | Path) for one in files):
        raise UserError(f"{name}: expected a file or a list of files, got a {type(given).__name__}")
    return [str(one) for one in files]


def _overrides(settings: Settings) -> list[str]:
    if isinstance(settings, Mapping):
        return [_override(str(name), value) for name, value in settings.items()]
    if isinstance(settings, str) or not all(isinstance(one, str) for one in settings):
        raise UserError("settings: expected a mapping, or a list of texts as ['encoder.hidden_size=128']")
    return list(settings)


def _override(name: str, value: object) -> str:
    """Write a setting as Hydra reads it, any text quoted.

    Raises:
        UserError: the value is of a type that settings do not have.
    """
    return f"{name}={_written(name, value)}"


def _written(name: str, value: object) -> str:
    if isinstance(value, str | Path):
        text = str(value)
        body = text.rstrip("\\")
        escaped = body.replace('\\"', '\\\\"').replace('"', '\\"') if '"' in body else body
        return f'"{escaped}{2 * text[len(body) :]}"'  # backslashes count only before a quote
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{_written(name, one)}' for key, one in value.items())}}}"
    if isinstance(value, Sequence):
        return f"[{','.join(_written(name, one) for one in value)}]"
    raise UserError(f"{name}: expected a number, a text, a list or a mapping, got a {type(value).__name__}")
