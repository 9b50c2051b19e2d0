"""The words that a language model predicts, with their counts and their numbers in the vocabularies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tagger.errors import UserError
from tagger.features.vocabulary import UNK, Vocabularies, Vocabulary
from tagger.features.word_blocks import WordBlock, normalised

END = 0  # number of the end of a sentence; UNK's is that of `Vocabulary`

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class PredictedWords:
    """V predicted words: 0 is the end of a sentence, 1 any other word.

    Attributes:
        vocabulary: the words as they are written.
        counts: how often each number occurs in the training text, those of 0 and 1 first.
        words: (V,) each one's number in `Vocabularies.words`.
        shapes: (V,) each one's number in `Vocabularies.shapes`.
    """

    vocabulary: Vocabulary
    counts: Sequence[int] = field(repr=False)
    words: Ints = field(repr=False)
    shapes: Ints = field(repr=False)

    @classmethod
    def of(cls, counts: Mapping[str, int], vocabularies: Vocabularies, *, lowercase: bool, tokens: int, ends: int
    ) -> PredictedWords:  # fmt: skip
        """Number the words.

        Args:
            counts: the words as they are written, with their counts.
            vocabularies: those that read them.
            lowercase: whether `vocabularies.words` has lower case.
            tokens: number of all tokens of the text.
            ends: number of its sentences.
        """
        entries = list(counts)
        of_words = vocabularies.words.numbers(normalised(entries, lowercase))
        of_shapes = vocabularies.shapes.numbers(WordBlock(entries).shapes())
        special = np.full(2, UNK, dtype=np.int64)
        return cls(
            vocabulary=Vocabulary(entries),
            counts=[ends, tokens - sum(counts.values()), *counts.values()],
            words=np.concatenate([special, of_words]),
            shapes=np.concatenate([special, of_shapes]),
        )

    def __len__(self) -> int:
        return len(self.counts)

    @cached_property
    def frequencies(self) -> NDArray[np.float64]:
        """Share of each number among all, (V,), as if each had occurred once more."""
        counts = np.asarray(self.counts, dtype=np.float64) + 1
        return counts / counts.sum()

    def numbers(self, words: Sequence[str]) -> Ints:
        """Return the numbers of words, (N,)."""
        return self.vocabulary.numbers(words)

    def written(self, number: int) -> str:
        """Return a word as it is written.

        Raises:
            UserError: the number is that of an end or of unknown words.
        """
        if number < 2:
            raise UserError(f"no word has the number {number}")
        return self.vocabulary.entries[number - 2]
