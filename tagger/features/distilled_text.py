"""Raw text that a teacher has tagged, kept on disk in parts. Training streams it, an epoch's share at a time.

The folder holds
    part-00000.npz …    sentences and soft targets, at most `SENTENCES_PER_PART` in each
    words.json          the most frequent words, with their counts
    about.json          what it was made from; written last
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.features.soft_targets import SoftTargets, TagDistribution
from tagger.files import bytes_written_whole, written_whole

SENTENCES_PER_PART = 5000
_LEAST = 1e-3  # smaller probabilities are left out
_ABOUT, _WORDS = "about.json", "words.json"


@dataclass(frozen=True)
class About:
    """What a distilled text was made from.

    Attributes:
        digest: of teacher, text and settings; it names the folder.
        teachers: names of the model folders.
        text: names of the files.
        tags: the K tags.
        sentences, tokens: how many were kept.
        tokens_of_parts: tokens of each part.
        left_out: sentences that were left out, by reason.
    """

    digest: str
    teachers: tuple[str, ...]
    text: tuple[str, ...]
    tags: tuple[str, ...]
    sentences: int
    tokens: int
    tokens_of_parts: tuple[int, ...]
    left_out: Mapping[str, int]

    def __str__(self) -> str:
        files = self.text[0] + (f" and {len(self.text) - 1} more" if len(self.text) > 1 else "")
        gone = "".join(f", {count:,} {reason}" for reason, count in self.left_out.items() if count)
        teachers = ", ".join(self.teachers)
        return f"{self.sentences:,} sentences, {self.tokens:,} tokens of {files}, tagged by {teachers}{gone}"


class DistilledText:
    """Sentences that a teacher has tagged, with its soft targets."""

    def __init__(self, folder: Path) -> None:
        """Open a folder that `write_about` has completed.

        Raises:
            UserError: it is missing or damaged.
        """
        self.folder = folder
        try:
            found: dict[str, Any] = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
            lists = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
            self.about = About(**{**found, **lists})
            self._words: dict[str, int] = json.loads((folder / _WORDS).read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{folder}: damaged ({error}); remove this folder, it is made again") from error

    def frequent_words(self, count: int) -> dict[str, int]:
        """Return the most frequent words with their counts, as many as asked for."""
        return dict(list(self._words.items())[:count])

    def share(
        self, epoch: int, tokens: int, *, seed: int, weight: float, tags: Sequence[str]
    ) -> tuple[list[Sentence], SoftTargets]:
        """Return the sentences of one epoch, with their soft targets. The same arguments give the same sentences.

        The text is read again and again, each time with its parts in another order. An epoch takes what follows on the
        epoch before it.

        Args:
            epoch: from 0.
            tokens: how many to take, at most the whole text once.
            seed: decides the order of parts.
            weight: see `SoftTargets`.
            tags: the K tags of the student, in its order. They may be more than those of the text.
        """
        tokens = min(tokens, self.about.tokens)
        reading, skipped = divmod(epoch * tokens, self.about.tokens)
        sentences: list[Sentence] = []
        targets: list[SoftTargets] = []
        while True:
            for number in np.random.default_rng((seed, reading)).permutation(len(self.about.tokens_of_parts)):
                size = self.about.tokens_of_parts[number]
                if skipped >= size:
                    skipped -= size
                    continue
                part, of_part = self._read(int(number), tags)
                end = skipped + tokens
                first, last = np.searchsorted(of_part.starts, [skipped, end])
                taken = slice(int(first), min(int(last), len(part)))
                sentences += part[taken]
                targets.append(_cut(of_part, taken))
                if end <= size:
                    return sentences, _joined(targets, weight)
                tokens, skipped = end - size, 0
            reading += 1

    def _read(self, number: int, tags: Sequence[str]) -> tuple[list[Sentence], SoftTargets]:
        path = part_path(self.folder, number)
        try:
            with np.load(path, allow_pickle=False) as arrays:
                found = {name: arrays[name] for name in arrays.files}
        except (OSError, ValueError, EOFError, KeyError) as error:
            raise UserError(f"{path}: damaged ({error}); remove its folder, it is made again") from error
        sentences = [Sentence(tokens) for tokens in json.loads(found["tokens"].tobytes())]
        starts = np.concatenate([[0], np.cumsum([len(sentence) for sentence in sentences])])
        numbers = {tag: number for number, tag in enumerate(tags)}
        number_of = np.array([numbers[tag] for tag in self.about.tags])  # the student's, by the text's
        token, tag = np.divmod(found["marginal_places"], len(number_of))
        marginals = np.zeros((int(starts[-1]), len(tags)), dtype=np.float16)
        marginals[token, number_of[tag]] = found["marginals"]
        before, after = np.divmod(found["transition_places"], len(number_of))
        places = number_of[before] * len(tags) + number_of[after]
        return sentences, SoftTargets(marginals, starts, places, found["transitions"], found["transition_bounds"])


def part_path(folder: Path, number: int) -> Path:
    """Return the path of a part."""
    return folder / f"part-{number:05d}.npz"


def write_part(
    path: Path, sentences: Sequence[Sentence], targets: Sequence[TagDistribution], state: Mapping[str, int]
) -> None:
    """Write a part, whole or not at all.

    Args:
        path: see `part_path`.
        sentences: at least one, each with tokens.
        targets: of each sentence.
        state: numbers from which reading continues after it.

    Raises:
        UserError: it cannot be written.
    """
    marginals = np.concatenate([one.marginals for one in targets])
    marginals[marginals < np.minimum(_LEAST, marginals.max(axis=1, keepdims=True))] = 0
    marginals /= marginals.sum(axis=1, keepdims=True)
    places = np.flatnonzero(marginals)
    flat = [_sparse(one.transitions) for one in targets]
    arrays: dict[str, NDArray[Any]] = {
        "tokens": np.frombuffer(json.dumps([one.tokens for one in sentences]).encode(), dtype=np.uint8),
        "marginal_places": places,
        "marginals": marginals.reshape(-1)[places].astype(np.float16),
        "transition_places": np.concatenate([places for places, _ in flat]),
        "transitions": np.concatenate([counts for _, counts in flat]),
        "transition_bounds": np.cumsum([0, *(len(places) for places, _ in flat)]),
        "state": np.frombuffer(json.dumps(dict(state)).encode(), dtype=np.uint8),
    }
    with bytes_written_whole(path) as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def read_state(path: Path) -> dict[str, int]:
    """Return the numbers that `write_part` was given.

    Raises:
        OSError, ValueError, KeyError: the part is missing or damaged.
    """
    with np.load(path, allow_pickle=False) as arrays:
        state: dict[str, int] = json.loads(arrays["state"].tobytes())
    return state


def words_of(path: Path) -> Iterator[str]:
    """Yield the tokens of a part."""
    with np.load(path, allow_pickle=False) as arrays:
        for tokens in json.loads(arrays["tokens"].tobytes()):
            yield from tokens


def write_about(folder: Path, about: About, words: Mapping[str, int]) -> None:
    """Complete a folder of parts.

    Raises:
        UserError: it cannot be written.
    """
    with written_whole(folder / _WORDS) as stream:
        json.dump(dict(words), stream, ensure_ascii=False)
    with written_whole(folder / _ABOUT) as stream:
        json.dump(asdict(about), stream, ensure_ascii=False, indent=1)


def is_complete(folder: Path) -> bool:
    """Return whether `write_about` has completed a folder."""
    return (folder / _ABOUT).is_file()


def _sparse(counts: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return places and values of the counts (K, K) that matter, with the same sum as all of them."""
    kept = np.where(counts < _LEAST, 0, counts).reshape(-1)
    places = np.flatnonzero(kept).astype(np.int32)
    values = kept[places]
    return places, (values * (counts.sum() / values.sum()) if len(places) else values).astype(np.float32)


def _cut(targets: SoftTargets, some: slice) -> SoftTargets:
    """Return the soft targets of some sentences of a part."""
    tokens = slice(targets.starts[some.start], targets.starts[some.stop])
    pairs = slice(targets.bounds[some.start], targets.bounds[some.stop])
    return SoftTargets(
        targets.marginals[tokens],
        targets.starts[some.start : some.stop + 1] - tokens.start,
        targets.places[pairs],
        targets.counts[pairs],
        targets.bounds[some.start : some.stop + 1] - pairs.start,
    )


def _joined(targets: Sequence[SoftTargets], weight: float) -> SoftTargets:
    """Join the soft targets of sentences that follow on each other."""
    return SoftTargets(
        np.concatenate([one.marginals for one in targets]),
        _bounds([np.diff(one.starts) for one in targets]),
        np.concatenate([one.places for one in targets]),
        np.concatenate([one.counts for one in targets]),
        _bounds([np.diff(one.bounds) for one in targets]),
        weight,
    )


def _bounds(sizes: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.concatenate(sizes))])
