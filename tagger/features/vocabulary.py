"""Map strings to numbers. Vocabularies are learnt from the training split alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.config import EmbeddingsConfig
from tagger.corpus.labels import without_ignored
from tagger.corpus.schemes import OUTSIDE, Scheme, split_tag
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.features.words import clip_characters, normalise, prefix, shape, suffix

PAD, UNK = 0, 1
_SPECIAL = ("<pad>", "<unk>")


class Vocabulary:
    """A numbered list of strings. 0 is padding, 1 is any string that is not in it."""

    def __init__(self, entries: Iterable[str]) -> None:
        """Number the known strings in their order, from 2."""
        self.entries = list(entries)
        self._numbers = dict(zip(self.entries, range(len(_SPECIAL), len(self)), strict=True))
        if len(self._numbers) != len(self.entries):
            raise UserError("vocabulary: an entry occurs twice")

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], min_count: int = 1) -> Vocabulary:
        """Keep strings counted at least `min_count` times, most frequent first, ties in alphabetical order."""
        kept = [entry for entry, count in counts.items() if count >= min_count]
        return cls(sorted(kept, key=lambda entry: (-counts[entry], entry)))

    def __len__(self) -> int:
        return len(self.entries) + len(_SPECIAL)

    def __getitem__(self, entry: str) -> int:
        return self._numbers.get(entry, UNK)

    def __contains__(self, entry: str) -> bool:
        return entry in self._numbers

    def numbers(self, entries: Sequence[str]) -> NDArray[np.int64]:
        """Return the numbers of U strings, (U,)."""
        return np.fromiter(map(self._numbers.get, entries, repeat(UNK)), dtype=np.int64, count=len(entries))

    def extended(self, other: Vocabulary) -> Vocabulary:
        """Return this vocabulary with the new entries of `other` appended. Numbers already given stay."""
        return Vocabulary([*self.entries, *(entry for entry in other.entries if entry not in self._numbers)])


@dataclass(frozen=True)
class Vocabularies:
    """All vocabularies of a model.

    Attributes:
        words, characters, shapes: of these embeddings. `words` also serves the corrections of trained static vectors.
        prefixes, suffixes: by affix length.
        tags: the K tags in the model's scheme; tag k is output k.
        word_counts: how often each entry of `words` occurs in the training split.
    """

    words: Vocabulary
    characters: Vocabulary
    shapes: Vocabulary
    prefixes: dict[int, Vocabulary]
    suffixes: dict[int, Vocabulary]
    tags: list[str]
    word_counts: list[int] = field(repr=False)

    @classmethod
    def build(
        cls,
        sentences: Sequence[Sentence],
        config: EmbeddingsConfig,
        scheme: Scheme,
        tokens: Mapping[str, int] | None = None,
    ) -> Vocabularies:
        """Build the vocabularies of the training split.

        Args:
            sentences: the training split, with tags.
            config: the embeddings and their settings.
            scheme: the model's: IOB2, BIOES or PLAIN.
            tokens: of all text that is trained on, with their counts. None: those of the sentences.
        """
        tokens = count_tokens(sentences) if tokens is None else tokens
        words = count_words(tokens, config)
        lengths = config.affixes.lengths if config.affixes else ()
        affix_min = config.affixes.min_count if config.affixes else 1
        max_length = config.characters.max_length if config.characters else 0
        min_count = config.word.min_count if config.word else 1
        wanted = config.word is not None or (config.static is not None and config.static.trainable)
        vocabulary = Vocabulary.from_counts(words, min_count) if wanted else Vocabulary([])
        return cls(
            words=vocabulary,
            characters=Vocabulary.from_counts(
                Counter(character for token in tokens for character in clip_characters(token, max_length))
            ),
            shapes=Vocabulary.from_counts(Counter(shape(token) for token in tokens)),
            prefixes={n: Vocabulary.from_counts(Counter(prefix(t, n) for t in tokens), affix_min) for n in lengths},
            suffixes={n: Vocabulary.from_counts(Counter(suffix(t, n) for t in tokens), affix_min) for n in lengths},
            tags=tag_inventory(sentences, scheme),
            word_counts=[words[word] for word in vocabulary.entries],
        )

    def to_mapping(self) -> dict[str, Any]:
        """Return plain lists and dictionaries, as written to `vocab.json`."""
        return {
            "words": self.words.entries,
            "characters": self.characters.entries,
            "shapes": self.shapes.entries,
            "prefixes": {str(length): vocabulary.entries for length, vocabulary in self.prefixes.items()},
            "suffixes": {str(length): vocabulary.entries for length, vocabulary in self.suffixes.items()},
            "tags": self.tags,
            "word_counts": self.word_counts,
        }

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Vocabularies:
        """Read what `to_mapping` returned.

        Raises:
            UserError: a list is missing or has entries of another type.
        """
        words, word_counts = _vocabulary(mapping, "words"), _list_of(int, mapping, "word_counts")
        if len(word_counts) != len(words.entries):
            raise UserError(f"word_counts: {len(word_counts)} counts for {len(words.entries)} words")
        return cls(
            words=words,
            characters=_vocabulary(mapping, "characters"),
            shapes=_vocabulary(mapping, "shapes"),
            prefixes=_by_length(mapping, "prefixes"),
            suffixes=_by_length(mapping, "suffixes"),
            tags=_list_of(str, mapping, "tags"),
            word_counts=word_counts,
        )

    def extended(self, other: Vocabularies, counts: Mapping[str, int]) -> Vocabularies:
        """Return these vocabularies with the new entries of `other` appended.

        Args:
            other: those of another training split.
            counts: of all words of that split, also those too rare for `other`; see `count_words`.
        """
        words = self.words.extended(other.words)
        return Vocabularies(
            words=words,
            characters=self.characters.extended(other.characters),
            shapes=self.shapes.extended(other.shapes),
            prefixes={n: vocabulary.extended(other.prefixes[n]) for n, vocabulary in self.prefixes.items()},
            suffixes={n: vocabulary.extended(other.suffixes[n]) for n, vocabulary in self.suffixes.items()},
            tags=[*self.tags, *(tag for tag in other.tags if tag not in self.tags)],
            word_counts=[counts.get(word, 0) for word in words.entries],
        )


def count_tokens(sentences: Iterable[Sentence]) -> Counter[str]:
    """Count each token, as it is written."""
    return Counter(token for sentence in sentences for token in sentence.tokens)


def count_words(tokens: Mapping[str, int], config: EmbeddingsConfig) -> Counter[str]:
    """Count each word in the normal form that `Vocabularies.words` has, however rare it is.

    Args:
        tokens: as `count_tokens` counts them.
        config: defines the normal form.
    """
    lowercase = config.word.lowercase if config.word else True
    words: Counter[str] = Counter()
    for token, count in tokens.items():
        words[normalise(token, lowercase)] += count
    return words


def tag_inventory(sentences: Iterable[Sentence], scheme: Scheme) -> list[str]:
    """List every tag of the scheme for the labels that occur, O first. A label has all of B-, I-, …, used or not."""
    if scheme is Scheme.PLAIN:
        return sorted({tag for sentence in sentences for tag in without_ignored(sentence)})
    labels = {split_tag(tag)[1] for sentence in sentences for tag in without_ignored(sentence) if tag != OUTSIDE}
    prefixes = "BI" if scheme is Scheme.IOB2 else "BIES"
    return [OUTSIDE, *(f"{prefix}-{label}" for label in sorted(labels) for prefix in prefixes)]


def _list_of(kind: type, mapping: Mapping[str, Any], key: str) -> list[Any]:
    value = mapping.get(key)
    if not isinstance(value, list) or not {*map(type, value)} <= {kind}:
        raise UserError(f"{key}: missing, or not a list of {kind.__name__}")
    return value


def _vocabulary(mapping: Mapping[str, Any], key: str) -> Vocabulary:
    return Vocabulary(_list_of(str, mapping, key))


def _by_length(mapping: Mapping[str, Any], key: str) -> dict[int, Vocabulary]:
    value = mapping.get(key)
    if not isinstance(value, dict) or not all(length.isascii() and length.isdigit() for length in value):
        raise UserError(f"{key}: missing, or not lists by affix length")
    return {int(length): _vocabulary(value, length) for length in value}
