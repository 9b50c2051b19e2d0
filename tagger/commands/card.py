"""The model card: what a model folder says of itself to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tagger.corpus.source import DataConfig, Split

if TYPE_CHECKING:
    from tagger.evaluation.report import Report
    from tagger.training.run import Outcome


def model_card(
    outcome: Outcome, splits: Mapping[str, Split], data: DataConfig, seed: int, report: Report | None
) -> str:
    """Markdown: data, scores, settings, and how to use the folder.

    Args:
        outcome: the training run's.
        splits: the data it was trained and scored on.
        data: where they came from.
        seed: the run's.
        report: the test split's scores, once known.
    """
    folder = outcome.folder
    config, vocabularies = folder.config, folder.vocabularies
    labels = sorted({tag.partition("-")[2] or tag for tag in vocabularies.tags} - {"O"})
    parameters = sum(tensor.size for tensor in folder.tensors.values())
    sizes = [
        f"| {split.name} | {len(split.sentences):,} | {sum(map(len, split.sentences)):,} |" for split in splits.values()
    ]
    parts = [name for name in ("word", "characters", "shape", "affixes") if getattr(config.embeddings, name)]
    layers = [f"{layer.cell.upper()} of {layer.hidden_size} units per direction" for layer in config.encoder.stack]
    lines = [
        f"# Sequence tagger trained on {data.title}",
        "",
        f"Labels: {', '.join(labels)}. Language: {folder.language or 'not stated'}. Tokenizer: {folder.tokenizer}.",
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
        "## Scores",
        "",
        f"{outcome.score_name} {outcome.score:.4f}; {outcome.epochs} epochs in {outcome.seconds:.0f} s, seed {seed}. "
        f"Temperature of probabilities, fitted on the dev split: {folder.temperature:.2f}.",
        "",
        *(["Test split:", "", "```", report.as_table(), "```", ""] if report else []),
        "## Use",
        "",
        "```",
        'echo "Some text." | python tag.py --model THIS_FOLDER',
        "```",
    ]
    return "\n".join(lines) + "\n"
