"""Finish a training run: save the model, score the test split, write report, model card and record."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tagger.config import EMBEDDINGS
from tagger.corpus.dataset import DataConfig, Split
from tagger.evaluation.markdown import as_table
from tagger.evaluation.model_scores import evaluate, score_split
from tagger.evaluation.report_files import remove_report, write_report
from tagger.evaluation.scores import Scores
from tagger.files import written_whole
from tagger.model_folder.contents import CARD
from tagger.predict import load
from tagger.runs.background import of_run
from tagger.runs.record import make_record
from tagger.training.run_config import RunConfig

if TYPE_CHECKING:
    from tagger.training.training_run import TrainingResult

_NAMES = {"static": "pretrained vectors", "transformer": "contextual encoder"}


@dataclass(frozen=True)
class FinishedRun:
    """The folders of a finished run's model and report, the scores of the test split, and warnings to print."""

    model: Path
    report: Path | None
    scores: Scores
    warnings: Sequence[str]


def finish_run(outcome: TrainingResult, splits: Mapping[str, Split], data: DataConfig, run: RunConfig) -> FinishedRun:
    """Save a run's model, and score the test split with the saved model.

    Raises:
        UserError: a file cannot be written.
    """
    model, report = run.run_dir / "model", run.run_dir / "report"
    outcome.folder.save(model, _model_card(outcome, splits, data, run.seed, None))
    tagger = load(model, device=outcome.device if outcome.device.startswith("cuda") else "cpu")
    warnings: Sequence[str] = ()
    if run.report:
        background = of_run(run.run_dir, outcome.folder, splits, data.title)
        scored = {"model": str(model), "data": data.title}
        if outcome.distilled:
            scored["distilled from"] = outcome.distilled
        found = evaluate(tagger, splits["test"], scored, background)
        written = write_report(report, found)
        scores, warnings = written.scores, written.warnings
    else:
        remove_report(report)  # of an earlier model, if the run was resumed
        scores = score_split(tagger, splits["test"])
    with written_whole(model / CARD) as stream:
        stream.write(_model_card(outcome, splits, data, run.seed, scores))
    make_record(outcome, splits, scores, seed=run.seed, resumed=run.resume, model_dir=model).write(run.run_dir)
    if outcome.stopped_by is None and run.latest is not None:
        warnings = [*warnings, *_point_latest(run.run_dir, run.latest)]
    return FinishedRun(model, report if run.report else None, scores, warnings)


def _model_card(
    outcome: TrainingResult, splits: Mapping[str, Split], data: DataConfig, seed: int, scores: Scores | None
) -> str:
    """Write the card in Markdown: model, data, scores (of the test split, once known), and how to use the folder."""
    folder = outcome.folder
    config, vocabularies = folder.config, folder.vocabularies
    parameters = sum(tensor.size for tensor in folder.tensors.values())
    sizes = [
        f"| {split.name} | {len(split.sentences):,} | {sum(map(len, split.sentences)):,} |" for split in splits.values()
    ]
    parts = [_NAMES.get(name, name) for name in EMBEDDINGS if getattr(config.embeddings, name)]
    layers = [f"{layer.cell.upper()} of {layer.hidden_size} units per direction" for layer in config.encoder.stack]
    lines = [
        f"# Sequence tagger trained on {data.title}",
        "",
        f"Labels: {', '.join(folder.labels)}. Language: {folder.language or 'not stated'}. "
        f"Tokenizer: {folder.tokenizer}.",
        "",
        "## Model",
        "",
        f"Embeddings ({', '.join(parts)}) → bidirectional {', '.join(layers)} → {config.decoder.kind.upper()}; "
        f"{parameters:,} parameters, {len(vocabularies.words):,} words. `config.json` has every setting.",
        "",
        "## Data",
        "",
        "| split | sentences | tokens |",
        "|---|--:|--:|",
        *sizes,
        "",
        *([f"Distilled, beside the training split, from {outcome.distilled}.", ""] if outcome.distilled else []),
        "## Scores",
        "",
        f"{outcome.score_name} {outcome.score:.4f}; {outcome.epochs} epochs in {outcome.seconds:.0f} s, seed {seed}. "
        f"Temperature of probabilities, fitted on the dev split: {folder.temperature:.2f}.",
        "",
        *(["Test split:", "", "```", as_table(scores), "```", ""] if scores else []),
        "## Use",
        "",
        "```",
        'echo "Some text." | python tag.py --model THIS_FOLDER',
        "```",
    ]
    if encoder := config.embeddings.transformer:
        where = "part of this folder" if encoder.trainable else f"`{encoder.path}`, of the digest {encoder.digest}"
        lines += ["", f"Tagging needs the extra `tagger[encoder]`. The encoder is {where}."]
    return "\n".join(lines) + "\n"


def _point_latest(run_dir: Path, link: Path) -> list[str]:
    """Point a link at a run; returns a warning if that fails."""
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        temporary = link.with_name(f".latest.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(os.path.relpath(run_dir.resolve(), link.parent.resolve()), target_is_directory=True)
        temporary.replace(link)
    except OSError as error:
        return [f"{link} was not moved to this run: {error.strerror or error}"]
    return []
