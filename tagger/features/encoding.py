"""Encode sentences as arrays: the features of each distinct word once, and a row number per token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.config import EmbeddingsConfig
from tagger.corpus.schemes import Scheme, convert_tags
from tagger.corpus.sentence import Sentence
from tagger.features.context import Context, ContextBatch, NoContext
from tagger.features.open_tags import OpenTags
from tagger.features.soft_targets import SoftBatch, SoftTargets
from tagger.features.vectors.open import StaticVectors
from tagger.features.vocabulary import PAD, UNK, Vocabularies, Vocabulary
from tagger.features.word_blocks import WordBlock, beginnings, endings, normalised

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
UNKNOWN_TAG = -1  # a gold tag that the model does not know


@dataclass(frozen=True)
class WordFeatures:
    """Features of U distinct words: numbers in vocabularies, and pretrained vectors.

    Attributes:
        words: (U,) normal forms.
        characters: (U, C), padded with 0; at least one column.
        shapes: (U,).
        affixes: (U, 2L): the prefixes of the L lengths, then the suffixes.
        static: (U, D) pretrained vectors; D is 0 without them.
    """

    words: Ints
    characters: Ints
    shapes: Ints
    affixes: Ints
    static: Floats

    def __len__(self) -> int:
        return len(self.words)

    def take(self, rows: Ints) -> WordFeatures:
        """Return the features of some words. Character columns are cut to the longest of them."""
        characters = self.characters[rows]
        longest = max(1, int((characters != PAD).sum(axis=1).max(initial=1)))
        return WordFeatures(
            self.words[rows], characters[:, :longest], self.shapes[rows], self.affixes[rows], self.static[rows]
        )


@dataclass(frozen=True)
class Batch:
    """B sentences, longest first.

    Attributes:
        lengths: (B,) tokens of each, in falling order, at least 1; the mask is derived from them.
        rows: (B, T) each token's row in `features`; 0 after a sentence's end.
        features: of the U distinct words in the batch.
        tags: (B, T) gold tags; 0 after a sentence's end.
        sentences: (B,) their numbers in the corpus.
        context: a transformer's vectors or pieces of the N tokens, sentence after sentence.
        allowed: (N, K) whether each token may have each tag, sentence after sentence. None: only its gold tag.
        soft: a teacher's soft targets; None if all sentences are learned from gold tags.
    """

    lengths: Ints
    rows: Ints
    features: WordFeatures
    tags: Ints
    sentences: Ints
    context: ContextBatch
    allowed: NDArray[np.bool_] | None = None
    soft: SoftBatch | None = None

    @property
    def tokens(self) -> int:
        """Number of tokens without padding."""
        return int(self.lengths.sum())


class FeatureEncoder:
    """Encode words by a model's vocabularies and pretrained vectors."""

    def __init__(
        self, config: EmbeddingsConfig, vocabularies: Vocabularies, static: StaticVectors | None = None
    ) -> None:
        assert (config.static is None) == (static is None)
        self.vocabularies = vocabularies
        self._static = static
        self._lowercase = config.word.lowercase if config.word else True
        self._max_length = config.characters.max_length if config.characters else 0
        self._lengths = config.affixes.lengths if config.affixes else ()
        self._characters = _by_code_point(vocabularies.characters)

    def encode_words(self, words: Sequence[str]) -> WordFeatures:
        """Encode U words."""
        known, block = self.vocabularies, WordBlock(words)
        affixes = [known.prefixes[n].numbers(beginnings(words, n)) for n in self._lengths]
        affixes += [known.suffixes[n].numbers(endings(words, n)) for n in self._lengths]
        return WordFeatures(
            words=known.words.numbers(normalised(words, self._lowercase)),
            characters=block.characters(self._characters, self._max_length),
            shapes=known.shapes.numbers(block.shapes()),
            affixes=np.stack(affixes, axis=1) if affixes else np.zeros((len(words), 0), dtype=np.int64),
            static=np.zeros((len(words), 0), dtype=np.float32)
            if self._static is None
            else self._static.look_up(words)[0],
        )


def _by_code_point(characters: Vocabulary) -> Ints:
    """Return the number of each code point up to the last known one, and UNK in one more place for all others."""
    codes = [ord(entry) for entry in characters.entries if len(entry) == 1]
    numbers = np.full(max(codes, default=0) + 2, UNK, dtype=np.int64)
    numbers[codes] = [characters[chr(code)] for code in codes]
    return numbers


class EncodedCorpus:
    """An encoded split: features per distinct word, a row number per token, gold tags as numbers."""

    def __init__(
        self,
        sentences: Sequence[Sentence],
        encoder: FeatureEncoder,
        scheme: Scheme,
        context: Context | None = None,
        soft: SoftTargets | None = None,
    ) -> None:
        """
        Args:
            sentences: in the order of their numbers in batches.
            encoder: encodes the words.
            scheme: the model's. Gold tags are converted to it; tags unknown to the model become UNKNOWN_TAG.
            context: a transformer's view of these sentences.
            soft: a teacher's soft targets for the last of these sentences.
        """
        self._context = context or NoContext()
        self._soft = soft
        self._scheme = scheme
        self._row_of: dict[str, int] = {}
        self._tag_numbers = {tag: number for number, tag in enumerate(encoder.vocabularies.tags)}
        self._read(sentences)
        self._features = encoder.encode_words(list(self._row_of))

    def _read(self, sentences: Sequence[Sentence]) -> None:
        row_of, numbers = self._row_of, self._tag_numbers
        self.lengths = np.array([len(sentence) for sentence in sentences], dtype=np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)])
        tokens = int(self._starts[-1])
        self._rows = np.fromiter(
            (row_of.setdefault(token, len(row_of)) for sentence in sentences for token in sentence.tokens),
            dtype=np.int64,
            count=tokens,
        )
        self._tags = np.fromiter(
            (
                numbers.get(tag, UNKNOWN_TAG)
                for sentence in sentences
                for tag in convert_tags(sentence.tags or ["O"] * len(sentence), self._scheme)
            ),
            dtype=np.int64,
            count=tokens,
        )
        if self._soft is not None:  # any tag, as it counts for nothing
            self._tags[self._starts[len(sentences) - len(self._soft)] :] = 0
        self._open = OpenTags.of(sentences, list(numbers))
        if self._open is not None:
            self._open.settle(self._tags)

    def of_same_words(self, sentences: Sequence[Sentence]) -> EncodedCorpus:
        """Encode other sentences that have no new word. A transformer's context is left out."""
        known = len(self._row_of)
        other = copy(self)
        other._context = NoContext()
        other._read(sentences)
        assert len(self._row_of) == known
        return other

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, sentences: Iterable[int]) -> Batch:
        """Make a batch of the sentences with these numbers. Empty sentences are left out."""
        numbers = np.array([number for number in sentences if self.lengths[number]], dtype=np.int64)
        numbers = numbers[np.argsort(-self.lengths[numbers], kind="stable")]
        lengths = self.lengths[numbers]
        inside = np.arange(lengths[0])[None, :] < lengths[:, None]  # (B, T)
        positions = (self._starts[numbers][:, None] + np.arange(lengths[0]))[inside]  # (N,)
        distinct, inverse = np.unique(self._rows[positions], return_inverse=True)
        rows, tags = np.zeros(inside.shape, dtype=np.int64), np.zeros(inside.shape, dtype=np.int64)
        rows[inside] = inverse
        tags[inside] = self._tags[positions]
        context = self._context.take(numbers, positions)
        allowed = None if self._open is None else self._open.allowed(self._tags, positions)
        soft = None
        if self._soft is not None:
            soft = self._soft.take(numbers - (len(self) - len(self._soft)), lengths)
        return Batch(lengths, rows, self._features.take(distinct), tags, numbers, context, allowed, soft)
