"""Settings of distillation: `distill.*`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tagger.config_parsing import from_mapping
from tagger.errors import UserError

AUTO = "auto"
_ENSEMBLE = 3


@dataclass(frozen=True, kw_only=True)
class DistillConfig:
    """What a student learns from, beside gold tags. `conf/distill/default.yaml` describes the same settings.

    Attributes:
        teacher: a model folder, `hub:ORG/NAME`, or a list of them (an ensemble); `auto` trains the teacher first. None:
            no distillation.
        text: files, folders or patterns of raw text, as the `tag` command takes them.
        tokenizer: splits the text; None for the tokenizer of the data.
        labels: the data's label, or `O`, for labels of the teacher that are called otherwise; None: there are none.
        sentences: largest number of sentences to keep; None for all.
        min_confidence: smallest probability of a sentence's best tagging; others are left out.
        entity_share: smallest share of sentences with entities. Sentences without any are left out to reach it.
        targets: `marginals` for the teacher's probabilities (soft targets), `tags` for its best tagging (hard ones).
        temperature: divides the teacher's scores; None for the teacher's own temperature, fitted to its dev split.
        weight: factor of the loss of the teacher's sentences.
        epoch_tokens: tokens of the text in an epoch, beside the training split.
        vocabulary: number of the text's most frequent words that the student gets vectors for.
        transformer: the encoder of an `auto` teacher; None for teachers without one.
        ensemble: number of models in an `auto` teacher; None for one with a transformer, and three without.
    """

    teacher: str | tuple[str, ...] | None = None
    text: str | tuple[str, ...] = ()
    tokenizer: str | None = None
    labels: dict[str, str] | None = None
    sentences: int | None = None
    min_confidence: float = 0.0
    entity_share: float | None = None
    targets: Literal["marginals", "tags"] = "marginals"
    temperature: float | None = None
    weight: float = 1.0
    epoch_tokens: int = 200_000
    vocabulary: int = 10_000
    transformer: str | None = None
    ensemble: int | None = None

    def __post_init__(self) -> None:
        if self.teacher is None:
            return
        if not self.teachers:
            raise UserError("distill.teacher=[]: an empty list; name a model folder, or set it to null")
        if AUTO in self.teachers and self.teachers != (AUTO,):
            raise UserError("distill.teacher: auto stands alone; name model folders, or auto")
        if not self.files:
            raise UserError("distill.text: names no file; give the raw text that the teacher tags")
        for name in ("sentences", "epoch_tokens", "ensemble"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"distill.{name}: must be at least 1, not {value}")
        if self.vocabulary < 0:
            raise UserError(f"distill.vocabulary: must not be negative, but is {self.vocabulary}")
        for name in ("min_confidence", "entity_share"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise UserError(f"distill.{name}: must lie in [0, 1], not {value}")
        for name in ("temperature", "weight"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UserError(f"distill.{name}: must be positive, not {value}")

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> DistillConfig:
        """Build the settings from plain values by name.

        Raises:
            UserError: a setting is unknown or has the wrong type. The message gives its dotted name.
        """
        return from_mapping(cls, mapping, "distill")

    @property
    def teachers(self) -> tuple[str, ...]:
        """The model folders, or `auto`; empty without distillation."""
        return (self.teacher,) if isinstance(self.teacher, str) else self.teacher or ()

    @property
    def models(self) -> int:
        """Number of models in an `auto` teacher."""
        return self.ensemble or (1 if self.transformer else _ENSEMBLE)

    @property
    def files(self) -> tuple[str, ...]:
        """Files, folders and patterns of raw text."""
        return (self.text,) if isinstance(self.text, str) else self.text
