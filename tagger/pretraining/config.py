"""Settings of pretraining, besides those of embeddings and encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tagger.config import ModelConfig
from tagger.errors import UserError


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """The raw text: `data.*`. `conf/pretrain.yaml` describes the same settings.

    Attributes:
        text: files, folders or patterns of text, JSONL or Parquet, also compressed.
        dev_text: held-out text; empty to hold out a share of `text`.
        test_text: another text, which is scored at the end; empty for none.
        dev_tokenizer: splits `dev_text` and `test_text`; None for `tokenizer`.
        held_out: that share, by document.
        language: ISO 639-1 code; None if unknown.
        tokenizer: splits the text into words. It has to be that of the data to tag.
        vocabulary: largest number of words that are predicted and have vectors.
        min_count: rarer words are unknown words.
        ngrams: whether an n-gram model of the same text is scored beside the model.
    """

    text: str | tuple[str, ...] = ()
    dev_text: str | tuple[str, ...] = ()
    test_text: str | tuple[str, ...] = ()
    dev_tokenizer: str | None = None
    held_out: float = 0.02
    language: str | None = None
    tokenizer: str = "syntok"
    vocabulary: int = 30_000
    min_count: int = 2
    ngrams: bool = True

    def __post_init__(self) -> None:
        if not self.files:
            raise UserError("data.text: names no file; give the raw text, as in data.text='[\"raw/*.txt\"]'")
        if not 0 < self.held_out < 1:
            raise UserError(f"data.held_out: must lie between 0 and 1, not {self.held_out}")
        for name in ("vocabulary", "min_count"):
            if getattr(self, name) < 1:
                raise UserError(f"data.{name}: must be at least 1, not {getattr(self, name)}")

    @property
    def files(self) -> tuple[str, ...]:
        """Files, folders and patterns of raw text."""
        return (self.text,) if isinstance(self.text, str) else self.text

    @property
    def test_files(self) -> tuple[str, ...]:
        """Files, folders and patterns of test text."""
        return (self.test_text,) if isinstance(self.test_text, str) else self.test_text

    @property
    def dev_files(self) -> tuple[str, ...]:
        """Files, folders and patterns of held-out text."""
        return (self.dev_text,) if isinstance(self.dev_text, str) else self.dev_text


@dataclass(frozen=True, kw_only=True)
class PretrainOptim:
    """Batches and schedule of pretraining: `optim.*`.

    Attributes:
        batch_tokens: tokens per batch.
        negatives: words that are drawn for each batch, beside its own, for the sampled softmax.
        warmup, lr_schedule, patience: as for training a tagger; the dev score is the mean log-probability.
        epochs: number of epochs if `trainer.max_epochs` is not set.
    """

    batch_tokens: int = 1000
    negatives: int = 300
    warmup: float = 0.05
    lr_schedule: Literal["linear", "cosine", "constant"] = "linear"
    patience: int | None = None
    epochs: int = 5

    def __post_init__(self) -> None:
        for name in ("batch_tokens", "negatives", "epochs"):
            if getattr(self, name) < 1:
                raise UserError(f"optim.{name}: must be at least 1, not {getattr(self, name)}")
        if not 0 <= self.warmup < 1:
            raise UserError(f"optim.warmup: must lie in [0, 1), not {self.warmup}")
        if self.patience is not None and self.patience < 1:
            raise UserError(f"optim.patience: must be at least 1, or null; not {self.patience}")


def check_shape(model: ModelConfig) -> None:
    """Refuse a shape that cannot be pretrained.

    Raises:
        UserError: a state would have read the word that it predicts, or there is no table of words.
    """
    if model.encoder.depth > 1:
        raise UserError(
            f"encoder.layers: {model.encoder.depth} layers cannot be pretrained, as the second one reads both "
            "directions, and so the word to predict; set encoder.layers=1"
        )
    if model.embeddings.transformer is not None:
        raise UserError(
            "embeddings.transformer: a transformer reads the word to predict; set embeddings.transformer.path=null"
        )
    if model.embeddings.word is None:
        raise UserError("embeddings.word: pretraining predicts words by their vectors; do not set it to null")
