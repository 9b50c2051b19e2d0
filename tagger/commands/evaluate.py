"""`evaluate.py`: score a model on a split, or predictions that something else made."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagger.config import from_mapping
from tagger.errors import UserError
from tagger.evaluation.calibration import TARGET_PRECISIONS
from tagger.printable import in_a_line

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tagger.evaluation.assessment import Assessment


_MOST_EXPLAINED = 20  # each weighs some hundred kilobytes


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    try:
        from tagger.commands.hydra import hydra_entry

        return hydra_entry.run("evaluate", _task, sys.argv[1:] if arguments is None else arguments)
    except UserError as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """What is scored: a model on a split of `data`, or a file of predictions.

    Attributes:
        model: a model folder, or `hub:ORG/NAME@REVISION`.
        encoder: where its contextual encoder lies, if it has one and it lies elsewhere now.
        device: a PyTorch device that it runs on, such as `cuda`; None for the CPU.
        split: `train`, `dev` or `test`.
        input: `tokens` as given, or `raw`: running text through the model's own tokenizer, compared by characters.
        out: where the report goes; by default `report/` beside the model, or `report-DATA-SPLIT/` where that is of
            other sentences, and nowhere for predictions and for models of the Hub.
        gold: a column file with gold tags in its last column.
        predictions: a column file aligned with it or, alone, with token, gold and predicted tag.
        train: a column file of what the maker of `predictions` was trained on, for telling what it had seen.
        precision: precisions to find thresholds for.
        explain: so many sentences are taken apart in the report: what the gates did, and what the decisions rest on.
        compare: folders of runs, of reports or of several runs, or globs of them (or one of these), to set beside each
            other; then nothing else is scored.
    """

    model: Path | None = None
    encoder: str | None = None
    device: str | None = None
    split: str = "test"
    input: str = "tokens"
    out: Path | None = None
    gold: Path | None = None
    predictions: Path | None = None
    train: Path | None = None
    precision: tuple[float, ...] = TARGET_PRECISIONS
    explain: int = 0
    compare: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.compare is not None:
            if self.model or self.gold or self.predictions:
                raise UserError("compare stands alone; leave out model, gold and predictions")
            return
        if self.gold and not self.predictions:
            raise UserError(f"gold={self.gold}: set predictions=FILE too, what is to be scored against it")
        if self.model and self.predictions:
            raise UserError("model and predictions are both set; score one of them at a time")
        if not self.model and not self.predictions:
            raise UserError("nothing to score: set model=DIR, or predictions=FILE with or without gold=FILE")
        if self.device and not self.model:
            raise UserError(f"device={self.device}: only for a model, which runs on it; leave it out")
        if self.train and not self.predictions:
            raise UserError(f"train={self.train}: only for predictions; of a model's data set data.train")
        if not all(0 < precision <= 1 for precision in self.precision):
            raise UserError(f"precision={list(self.precision)}: expected fractions of 1, as in [0.8,0.9]")
        if self.split not in ("train", "dev", "test"):
            raise UserError(f"split={self.split}: use train, dev or test")
        if self.input not in ("tokens", "raw"):
            raise UserError(f"input={self.input}: use tokens or raw")
        if not 0 <= self.explain <= _MOST_EXPLAINED:
            raise UserError(f"explain={self.explain}: expected a number of sentences up to {_MOST_EXPLAINED}")
        if self.explain and (not self.model or self.input != "tokens"):
            raise UserError(f"explain={self.explain}: needs model=DIR and input=tokens; leave explain out")


def _task(config: DictConfig) -> None:
    from tagger.commands.hydra import hydra_entry
    from tagger.evaluation.markdown import as_table
    from tagger.evaluation.report_files import report_page, write_report
    from tagger.model_folder.from_hub import on_hub

    settings = hydra_entry.settings_of(config)
    own = {key: None if value == "" else value for key, value in settings.items() if key != "data"}
    asked = from_mapping(EvaluateConfig, own)
    if asked.compare is not None:
        _compare([asked.compare] if isinstance(asked.compare, str) else asked.compare, asked.out)
        return
    found = _score_model(asked, settings["data"]) if asked.model else _score_files(asked)
    print(as_table(found.report.scores), flush=True)
    _warn(found.report.warnings)
    out = asked.out
    if out is None:
        if not asked.model or on_hub(asked.model):
            return
        out = _beside(asked.model, f"{settings['data']['title']}-{asked.split}", found)
    inside = None
    if asked.explain and asked.model:
        from tagger.commands.report_gates import explained

        inside = explained(found, asked.model, asked.encoder, asked.explain)
    try:
        written = write_report(out, found, inside)
    except UserError as error:
        raise UserError(f"{error}; set out to a folder that can be written") from error
    _warn(written.warnings[len(found.report.warnings) :])
    print("\n" + in_a_line(f"report: {report_page(out)}"))


def _beside(model: Path, name: str, found: Assessment) -> Path:
    """`report/` beside the model; where that is of other sentences, as a run's own is, a folder named after these."""
    from tagger.commands.hydra.hydra_entry import folder_name
    from tagger.evaluation.report_files import holds_other_sentences

    named = f"report-{folder_name(name)}"
    names = chain(["report", named], (f"{named}-{number}" for number in count(2)))
    return next(
        folder for folder in map(model.parent.joinpath, names) if not holds_other_sentences(folder, found.sentences)
    )


def _compare(runs: Sequence[str], out: Path | None) -> None:
    from tagger.evaluation.report_files import write_comparison
    from tagger.runs.compare_runs import as_table, contest, entered

    with_report, without = entered(runs)
    _warn([f"{run}: no report in it; left out" for run in without])
    found = contest(with_report)
    print(as_table(found.comparison), flush=True)
    if out is not None:
        reason = write_comparison(out, found)
        _warn([reason] if reason else [])
        print("\n" + in_a_line(f"comparison: {out / ('compare.md' if reason else 'compare.html')}"))


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        print(in_a_line(f"warning: {warning}"), file=sys.stderr)


def _score_model(asked: EvaluateConfig, data_settings: Mapping[str, Any]) -> Assessment:
    from tagger.corpus.dataset import SPLITS, DataConfig, load_split
    from tagger.evaluation.model_scores import evaluate, evaluate_raw, require_known_labels
    from tagger.predict import load
    from tagger.runs.background import of_model

    assert asked.model is not None
    model = load(asked.model, device=asked.device or "cpu", encoder=asked.encoder)
    data = DataConfig.from_mapping(data_settings)
    split = load_split(data, next(name for name in SPLITS if name == asked.split))
    require_known_labels(model, split)
    print(split.account(), flush=True)
    scored = {"model": str(asked.model), "data": data.title}
    background = of_model(asked.model, model.folder, data, split)
    if asked.input == "raw":
        return evaluate_raw(model, split, scored, background)
    return evaluate(model, split, scored, background, asked.precision)


def _score_files(asked: EvaluateConfig) -> Assessment:
    from tagger.evaluation.assessment import Background, assess
    from tagger.evaluation.prediction_files import read_aligned, read_three_columns
    from tagger.runs.background import of_predictions

    assert asked.predictions is not None
    aligned = read_aligned(asked.gold, asked.predictions) if asked.gold else read_three_columns(asked.predictions)
    gold = str(asked.gold or asked.predictions)
    scored = {"gold": gold, "predictions": str(asked.predictions)}
    background = of_predictions(asked.train, aligned, gold) if asked.train else Background(warnings=aligned.warnings)
    return assess(aligned.sentences, aligned.predicted, aligned.scheme, scored, background)
