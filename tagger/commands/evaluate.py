"""`evaluate.py`: score a model on a split, or predictions that something else made."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagger.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tagger.evaluation.report import Report


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    try:
        from tagger.commands import hydra_entry

        return hydra_entry.run("evaluate", _task, sys.argv[1:] if arguments is None else arguments)
    except UserError as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2


def _task(config: DictConfig) -> None:
    from tagger.commands import hydra_entry

    settings = hydra_entry.settings_of(config)
    if settings["predictions"]:
        report, out = _score_files(settings)
    elif settings["model"]:
        report, out = _score_model(settings)
    else:
        raise UserError("nothing to score: set model=DIR, or predictions=FILE with or without gold=FILE")
    print(report.as_table())
    for warning in report.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if out:
        print(f"\nreport: {out / 'report.md'}")


def _score_model(settings: dict[str, Any]) -> tuple[Report, Path]:
    from tagger.corpus.source import DataConfig, load_split
    from tagger.evaluation.model import evaluate, evaluate_raw
    from tagger.evaluation.report import write_report
    from tagger.inference.tagger import load

    if settings["split"] not in ("train", "dev", "test"):
        raise UserError(f"split={settings['split']}: use train, dev or test")
    if settings["input"] not in ("tokens", "raw"):
        raise UserError(f"input={settings['input']}: use tokens or raw")
    model_dir = Path(settings["model"])
    model = load(model_dir)
    data = DataConfig.from_mapping(settings["data"])
    split = load_split(data, settings["split"])
    scored = {"model": str(model_dir), "data": data.title}
    found = evaluate(model, split, scored) if settings["input"] == "tokens" else evaluate_raw(model, split, scored)
    out = Path(settings["out"]) if settings["out"] else model_dir.parent / "report"
    return write_report(out, found.report, split.sentences, found.predicted), out


def _score_files(settings: dict[str, Any]) -> tuple[Report, Path | None]:
    from tagger.evaluation.alignment import read_aligned, read_three_columns
    from tagger.evaluation.report import Report, write_report
    from tagger.evaluation.scores import score

    gold, predictions = settings["gold"], Path(settings["predictions"])
    aligned = read_aligned(Path(gold), predictions) if gold else read_three_columns(predictions)
    scored = {"gold": gold or str(predictions), "predictions": str(predictions)}
    report = Report(score(aligned.gold, aligned.predicted, aligned.scheme), scored, aligned.warnings)
    if not settings["out"]:
        return report, None
    out = Path(settings["out"])
    return write_report(out, report, aligned.sentences, aligned.predicted), out
