"""Every legal path of a small scheme, enumerated, and random scores to go with them."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.schemes import Scheme, convert_tags

Floats = NDArray[np.float32]
TAGS = {
    Scheme.IOB2: ["O", "B-X", "I-X", "B-Y", "I-Y"],
    Scheme.BIOES: ["O", "B-X", "I-X", "E-X", "S-X", "B-Y", "E-Y"],  # not all tags of a label need be known
    Scheme.PLAIN: ["NOUN", "O", "VERB"],
}
SCHEMES = list(TAGS)


@cache
def legal_paths(scheme: Scheme, length: int) -> list[tuple[int, ...]]:
    """Every tag sequence that is left as it is when read as spans and written again."""
    tags = TAGS[scheme]
    paths = itertools.product(range(len(tags)), repeat=length)
    return [path for path in paths if is_legal([tags[number] for number in path], scheme)]


def is_legal(tags: list[str], scheme: Scheme) -> bool:
    return convert_tags(tags, scheme) == tags


def random_scores(scheme: Scheme, seed: int) -> dict[str, Floats]:
    generator = np.random.default_rng(seed)
    count = len(TAGS[scheme])
    shapes = {"transitions": (count, count), "start": (count,), "end": (count,)}
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def random_emissions(scheme: Scheme, lengths: list[int], seed: int, scale: float = 2.0) -> list[Floats]:
    generator = np.random.default_rng(seed)
    return [generator.normal(0, scale, size=(length, len(TAGS[scheme]))).astype(np.float32) for length in lengths]


def packed(emissions: list[Floats]) -> tuple[Floats, NDArray[np.int64]]:
    """Emissions of sentences, longest first, packed by time, and how many sentences reach each step."""
    steps = [[rows[step] for rows in emissions if step < len(rows)] for step in range(len(emissions[0]))]
    return np.array([row for step in steps for row in step]), np.array([len(step) for step in steps])


def unpacked(path: NDArray[np.int64], lengths: list[int]) -> list[list[int]]:
    numbers = iter(path.tolist())
    found: list[list[int]] = [[] for _ in lengths]
    for step in range(lengths[0]):
        for sentence, length in zip(found, lengths, strict=True):
            if step < length:
                sentence.append(next(numbers))
    return found


def path_score(path: tuple[int, ...], emissions: Floats, scores: dict[str, Floats]) -> float:
    total = sum(float(emissions[step, tag]) for step, tag in enumerate(path))
    if scores:
        total += float(scores["start"][path[0]]) + float(scores["end"][path[-1]])
        total += sum(float(scores["transitions"][before, after]) for before, after in itertools.pairwise(path))
    return total
