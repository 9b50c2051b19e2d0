"""Cut one corpus into training, development and test splits."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence

from tagger.corpus.sentence import Sentence
from tagger.errors import UserError

TRAIN = "train"
_FEWEST_DOCUMENTS = 10
_RANGE = re.compile(r"([1-9][0-9]*)(-?)([1-9][0-9]*)?")


def drawn_whole(documents: Iterable[str | None]) -> bool:
    """Return whether to draw whole documents instead of single sentences: if at least ten are marked.

    Args:
        documents: the document of each sentence, None if it has none.
    """
    return len(set(documents) - {None}) >= _FEWEST_DOCUMENTS


def split_off(
    sentences: Sequence[Sentence], fractions: Mapping[str, float], seed: int, source: str
) -> dict[str, list[Sentence]]:
    """Split a corpus at random. The same seed gives the same parts on every machine.

    Draws whole documents if at least ten are marked, else single sentences.

    Args:
        sentences: the corpus.
        fractions: share of documents or sentences for each part except `train`, which keeps the rest.
        seed: of the draw.
        source: name of the corpus, for messages.

    Returns:
        `train` and each part of `fractions`, with sentences in the order of the corpus.

    Raises:
        UserError: the fractions are not shares, or there are too few sentences for every part to have one.
    """
    if min(fractions.values()) <= 0 or sum(fractions.values()) >= 1:
        given = ", ".join(f"data.{name}_fraction={fraction}" for name, fraction in fractions.items())
        raise UserError(f"{given}: expected numbers above 0 that sum to less than 1")
    documents = [sentence.document for sentence in sentences]
    units: Sequence[Hashable] = documents if drawn_whole(documents) else range(len(sentences))
    drawn = _draw(list(dict.fromkeys(units)), fractions, seed, source)
    parts: dict[str, list[Sentence]] = {name: [] for name in (TRAIN, *fractions)}
    for sentence, unit in zip(sentences, units, strict=True):
        parts[drawn.get(unit, TRAIN)].append(sentence)
    return parts


def _draw(units: Sequence[Hashable], fractions: Mapping[str, float], seed: int, source: str) -> dict[Hashable, str]:
    """Draw units for each part. Returns the part of each drawn unit."""
    generator = random.Random(seed)
    keys = [generator.random() for _ in units]  # only random() is guaranteed to be stable across Python versions
    order = sorted(range(len(units)), key=keys.__getitem__)
    drawn: dict[Hashable, str] = {}
    for name, fraction in fractions.items():
        count = max(1, round(fraction * len(units)))
        drawn |= {units[index]: name for index in order[len(drawn) : len(drawn) + count]}
    if len(drawn) >= len(units):
        raise UserError(f"{source}: too small to split off {' and '.join(fractions)}; name files for them or add text")
    return drawn


def fold_of(key: str, folds: int) -> int:
    """Return the fold of a sentence or document, from 0, by a hash of its words or name: the same on every machine."""
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8"), digest_size=8).digest()) % folds


def split_by_range(sentences: Sequence[Sentence], ranges: Mapping[str, str], source: str) -> dict[str, list[Sentence]]:
    """Split a corpus by the numbers of its documents.

    Args:
        sentences: the corpus.
        ranges: first and last document of each part, counted from 1: `101-120`, `121-` (to the end), `7`.
        source: name of the corpus, for messages.

    Raises:
        UserError: a range is malformed or contains no document, or two ranges overlap.
    """
    numbers = {document: number for number, document in enumerate(_documents(sentences), start=1)}
    bounds = {name: _bounds(name, text, len(numbers)) for name, text in ranges.items()}
    parts: dict[str, list[Sentence]] = {name: [] for name in ranges}
    for sentence in sentences:
        number = numbers[sentence.document]
        homes = [name for name, (first, last) in bounds.items() if first <= number <= last]
        if len(homes) > 1:
            raise UserError(f"data.documents: {' and '.join(homes)} both hold document {number}; separate the ranges")
        if homes:
            parts[homes[0]].append(sentence)
    for name, part in parts.items():
        if not part:
            raise UserError(f"data.documents.{name}={ranges[name]}: no such document ({source} has {len(numbers)})")
    return parts


def _documents(sentences: Sequence[Sentence]) -> list[str | None]:
    return list(dict.fromkeys(sentence.document for sentence in sentences))


def _bounds(name: str, text: str, documents: int) -> tuple[int, int]:
    match = _RANGE.fullmatch(text.strip())
    if not match or (match[3] and not match[2]):
        raise UserError(f"data.documents.{name}: expected a range such as 1-100 or 121-, got {text!r}")
    first = int(match[1])
    if not match[2]:
        return first, first
    return first, int(match[3]) if match[3] else documents
