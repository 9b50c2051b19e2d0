"""The model card: the README of a model folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tagger.config import EMBEDDINGS
from tagger.corpus.dataset import DataConfig, Split
from tagger.evaluation.markdown import as_table

if TYPE_CHECKING:
    from tagger.evaluation.scores import Scores
    from tagger.training.training_run import TrainingResult

_NAMES = {"static": "pretrained vectors", "transformer": "contextual encoder"}


def model_card(
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
        *([f"Started from a language model of {folder.pretrained_on}.", ""] if folder.pretrained_on else []),
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
        lines += ["", f"Tagging needs the extra `gru-tagger[encoder]`. The encoder is {where}."]
    return "\n".join(lines) + "\n"
