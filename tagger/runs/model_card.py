"""The model card: the README of a model folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tagger.config import EMBEDDINGS, TransformerEmbedding
from tagger.corpus.dataset import DataConfig, Split
from tagger.evaluation.markdown import as_table

if TYPE_CHECKING:
    from tagger.evaluation.scores import Scores
    from tagger.training.training_run import TrainingResult

_NAMES = {"static": "pretrained vectors", "transformer": "contextual encoder"}


def model_card(
    outcome: TrainingResult, splits: Mapping[str, Split], data: DataConfig, seed: int, scores: Scores | None
) -> str:
    """Write the card in Markdown: model, data, scores, and how to use the folder.

    Args:
        outcome: of the training run.
        splits: the data it was trained and scored on.
        data: where they came from.
        seed: of the run.
        scores: of the test split, once known.
    """
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
        *_needs(config.embeddings.transformer),
    ]
    return "\n".join(lines) + "\n"


def _needs(encoder: TransformerEmbedding | None) -> list[str]:
    """Return lines on what tagging needs beside the folder."""
    if encoder is None:
        return []
    where = "is part of this folder" if encoder.trainable else f"is `{encoder.path}`, of the digest {encoder.digest}"
    return ["", f"Tagging needs the extra `tagger[encoder]`. The encoder {where}."]
