"""The corpus of each epoch: the training split, with what is drawn again for every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tagger.corpus.augmentation import MentionReplacement, recased
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.features.distilled_text import DistilledText
from tagger.features.encoding import EncodedCorpus, FeatureEncoder, Ints


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """What a run learns from a teacher.

    Attributes:
        text: raw text that the teacher has tagged.
        epoch_tokens: tokens of it in each epoch.
        weight: factor of its sentences' losses.
        vocabulary: number of its most frequent words that the model gets to know.
    """

    text: DistilledText
    epoch_tokens: int
    weight: float
    vocabulary: int

    @property
    def frequent_words(self) -> dict[str, int]:
        """The words that the model gets to know, with their counts."""
        return self.text.frequent_words(self.vocabulary)


class EpochCorpora:
    """Make the corpus of an epoch. The same epoch always gives the same corpus."""

    def __init__(
        self,
        sentences: Sequence[Sentence],
        encoded: EncodedCorpus,
        *,
        seed: int = 0,
        replacement: MentionReplacement | None = None,
        recase: float = 0.0,
        distillation: Distillation | None = None,
        encoder: FeatureEncoder | None = None,
        scheme: Scheme = Scheme.BIOES,
    ) -> None:
        """
        Args:
            sentences: the training split.
            encoded: the same, encoded.
            seed: decides what is drawn, together with the epoch.
            replacement: replaces mentions of the training split.
            recase: share of sentences to write in other case.
            distillation: adds a share of a text that a teacher has tagged.
            encoder, scheme: encode sentences that are new.
        """
        self._sentences, self._encoded, self._seed = sentences, encoded, seed
        self._replacement, self._recase, self._distillation = replacement, recase, distillation
        self._encoder, self._scheme = encoder, scheme

    @property
    def lengths(self) -> Ints:
        """Tokens of each sentence of the training split."""
        return self._encoded.lengths

    def corpus(self, epoch: int) -> EncodedCorpus:
        """Return the corpus of an epoch, from 0."""
        sentences, soft, seed = self._sentences, None, epoch << 32 | self._seed
        if self._replacement is not None:
            sentences = self._replacement.draw(seed)
        if (learned := self._distillation) is not None:
            assert self._encoder is not None
            tags = self._encoder.vocabularies.tags
            more, soft = learned.text.share(
                epoch, learned.epoch_tokens, seed=self._seed, weight=learned.weight, tags=tags
            )
            sentences = [*sentences, *more]
        if self._recase:
            sentences = recased(sentences, self._recase, seed)
        if self._recase or soft is not None:
            assert self._encoder is not None
            return EncodedCorpus(sentences, self._encoder, self._scheme, soft=soft)
        return self._encoded if self._replacement is None else self._encoded.of_same_words(sentences)
