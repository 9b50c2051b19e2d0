"""`evaluate.py`: score a model on a split, or predictions of another system, or compare runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from tagger.commands.hydra import hydra_entry
from tagger.config_parsing import from_mapping
from tagger.corpus.dataset import SPLITS, DataConfig, load_split
from tagger.errors import UserError
from tagger.evaluation.assessment import Assessment, Background, assess
from tagger.evaluation.calibration import TARGET_PRECISIONS
from tagger.evaluation.markdown import as_table
from tagger.evaluation.model_scores import evaluate, evaluate_raw, require_known_labels
from tagger.evaluation.page.report_html import GateExplanations
from tagger.evaluation.prediction_files import read_aligned, read_three_columns
from tagger.evaluation.report_files import holds_other_sentences, report_page, write_comparison, write_report
from tagger.inspection.explainer import FORMAT, MOST_TOKENS, Explainer
from tagger.inspection.gates_page import gates_section, gates_style
from tagger.model_folder.named import is_ready, on_hub
from tagger.predict import load
from tagger.printable import in_a_line
from tagger.runs import compare_runs
from tagger.runs.background import of_model, of_predictions

if TYPE_CHECKING:
    from omegaconf import DictConfig

_MOST_EXPLAINED = 20  # each adds some hundred kilobytes to the report
_RENAMED = {"precision": "target_precisions"}  # settings by their old names


def main(arguments: list[str] | None = None) -> int:
    """Evaluate as the command line asks; returns the exit code."""
    return hydra_entry.run("evaluate", _task, _rename(sys.argv[1:] if arguments is None else arguments))


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """Settings of an evaluation: of a model on a split of `data`, of a file of predictions, or of runs to compare."""

    model: Path | None = None  # a model folder, a ready model's name, or `hub:ORG/NAME@REVISION`
    encoder: str | None = None  # where the model's contextual encoder is, if it has one and it has moved
    device: str | None = None  # a PyTorch device that the model runs on, such as `cuda`; None for the CPU
    split: str = "test"
    input: str = "tokens"  # as given, or `raw`: running text through the model's own tokenizer, compared by characters
    out: Path | None = None  # the report's folder; see `_default_folder`
    gold: Path | None = None  # a column file with gold tags in its last column
    predictions: Path | None = None  # a column file aligned with `gold`; or, alone, with token, gold and predicted tag
    train: Path | None = None  # a column file with the training data of the system that made `predictions`
    target_precisions: tuple[float, ...] = TARGET_PRECISIONS  # to find probability thresholds for
    explain: int = 0  # sentences to explain in the report: gates, memory, and reasons of decisions
    compare: str | tuple[str, ...] | None = None  # folders of runs or reports, or globs of them; nothing else is scored

    def __post_init__(self) -> None:
        if self.compare is not None:
            if self.model or self.gold or self.predictions:
                raise UserError("compare stands alone; leave out model, gold and predictions")
            return
        if self.gold and not self.predictions:
            raise UserError(f"gold={self.gold}: set predictions=FILE too, the tags to score against it")
        if self.model and self.predictions:
            raise UserError("model and predictions are both set; score one of them at a time")
        if not self.model and not self.predictions:
            raise UserError("nothing to score: set model=DIR, or predictions=FILE with or without gold=FILE")
        if self.device and not self.model:
            raise UserError(f"device={self.device}: only for a model, which runs on it; leave it out")
        if self.train and not self.predictions:
            raise UserError(f"train={self.train}: only for predictions; of a model's data set data.train")
        if not all(0 < precision <= 1 for precision in self.target_precisions):
            given = list(self.target_precisions)
            raise UserError(f"target_precisions={given}: expected fractions of 1, as in [0.8,0.9]")
        if self.split not in SPLITS:
            raise UserError(f"split={self.split}: use train, dev or test")
        if self.input not in ("tokens", "raw"):
            raise UserError(f"input={self.input}: use tokens or raw")
        if not 0 <= self.explain <= _MOST_EXPLAINED:
            raise UserError(f"explain={self.explain}: expected a number of sentences up to {_MOST_EXPLAINED}")
        if self.explain and (not self.model or self.input != "tokens"):
            raise UserError(f"explain={self.explain}: needs model=DIR and input=tokens; leave explain out")


def _rename(arguments: list[str]) -> list[str]:
    """Replace old names of settings, with a warning."""
    renamed = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if equals and name in _RENAMED:
            print(f"warning: {name} is called {_RENAMED[name]} now; use that name", file=sys.stderr)
            argument = f"{_RENAMED[name]}={value}"
        renamed.append(argument)
    return renamed


def _task(config: DictConfig) -> None:
    """Score or compare, print, and write the report."""
    settings = hydra_entry.settings_of(config)
    own = {key: None if value == "" else value for key, value in settings.items() if key != "data"}
    wanted = from_mapping(EvaluateConfig, own)
    if wanted.compare is not None:
        _compare([wanted.compare] if isinstance(wanted.compare, str) else wanted.compare, wanted.out)
        return
    found = _score_model(wanted, settings["data"]) if wanted.model else _score_files(wanted)
    print(as_table(found.report.scores))
    if interval := found.report.headline.interval:
        name, value = found.report.headline.name, found.report.headline.value
        print(f"{name} {value:.4f}, 95% interval {interval.low:.4f} to {interval.high:.4f}", flush=True)
    _warn(found.report.warnings)
    out = wanted.out or _default_folder(wanted, f"{settings['data']['title']}-{wanted.split}", found)
    if out is None:
        return
    inside = None
    if wanted.explain and wanted.model:
        inside = _explain(found, wanted.model, wanted.encoder, wanted.explain)
    try:
        written = write_report(out, found, inside)
    except UserError as error:
        raise UserError(f"{error}; set out to a folder that can be written") from error
    _warn(written.warnings[len(found.report.warnings) :])
    print("\n" + in_a_line(f"report: {report_page(out)}"))


def _default_folder(wanted: EvaluateConfig, name: str, found: Assessment) -> Path | None:
    """Return `report/` beside the model, or a folder named `report-NAME` if that is a report on other sentences.

    Return None for predictions, and for models of the Hub and of this package.
    """
    if not wanted.model or on_hub(wanted.model) or is_ready(wanted.model):
        return None
    named = f"report-{hydra_entry.folder_name(name)}"
    names = chain(["report", named], (f"{named}-{number}" for number in count(2)))
    folders = map(wanted.model.parent.joinpath, names)
    return next(folder for folder in folders if not holds_other_sentences(folder, found.sentences))


def _compare(runs: Sequence[str], out: Path | None) -> None:
    with_report, without = compare_runs.find_runs(runs)
    _warn([f"{run}: no report in it; left out" for run in without])
    found = compare_runs.compare_reports(with_report)
    print(compare_runs.as_table(found.comparison), flush=True)
    if out is not None:
        reason = write_comparison(out, found)
        _warn([reason] if reason else [])
        print("\n" + in_a_line(f"comparison: {out / ('compare.md' if reason else 'compare.html')}"))


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        print(in_a_line(f"warning: {warning}"), file=sys.stderr)


def _score_model(wanted: EvaluateConfig, data_settings: Mapping[str, Any]) -> Assessment:
    assert wanted.model is not None
    model = load(wanted.model, device=wanted.device or "cpu", encoder=wanted.encoder)
    data = DataConfig.from_mapping(data_settings)
    split = load_split(data, next(name for name in SPLITS if name == wanted.split))
    require_known_labels(model, split)
    print(split.account(), flush=True)
    scored = {"model": str(wanted.model), "data": data.title}
    background = of_model(wanted.model, model.folder, data, split)
    if wanted.input == "raw":
        return evaluate_raw(model, split, scored, background)
    return evaluate(model, split, scored, background, wanted.target_precisions)


def _score_files(wanted: EvaluateConfig) -> Assessment:
    assert wanted.predictions is not None
    predictions, gold = wanted.predictions, wanted.gold
    aligned = read_aligned(gold, predictions) if gold else read_three_columns(predictions)
    source = str(gold or predictions)
    scored = {"gold": source, "predictions": str(predictions)}
    background = (
        of_predictions(wanted.train, aligned, source) if wanted.train else Background(warnings=aligned.warnings)
    )
    return assess(aligned.sentences, aligned.predicted, aligned.scheme, scored, background)


def _explain(found: Assessment, model: Path, encoder: str | None, count: int) -> GateExplanations | None:
    """Explain sentences of a report: first those with errors, then others with entities, then the rest.

    Sentences of more than `MOST_TOKENS` tokens are left out. Returns None if there are no others.
    """
    explainer = Explainer.load(model, encoder)
    chosen = _ranked(found)[:count]
    if not chosen:
        return None
    explanations = [explainer.explain(found.sentences[number].tokens) for number in chosen]
    layers = range(len(explainer.folder.config.encoder.stack))
    sentences = [
        {"place": found.sentences[number].place, **explanation.to_mapping(layers)}
        for number, explanation in zip(chosen, explanations, strict=True)
    ]
    several = len(chosen) > 1
    return GateExplanations(
        style=gates_style(),
        sections=[
            (shorten(" ".join(one.tokens), 80, placeholder=" …"), gates_section(one, number=number, several=several))
            for number, one in enumerate(explanations, start=1)
        ],
        data={"format": FORMAT, "model": str(model), "sentences": sentences},
    )


def _ranked(found: Assessment) -> list[int]:
    """Return the numbers of the sentences short enough to be explained, the most interesting first."""

    def rank(number: int) -> int:
        gold, predicted = found.sentences[number].tags or [], found.predicted[number]
        return 0 if list(gold) != list(predicted) else 1 if any(tag != "O" for tag in predicted) else 2

    short = [number for number, one in enumerate(found.sentences) if 0 < len(one.tokens) <= MOST_TOKENS]
    return sorted(short, key=rank)
