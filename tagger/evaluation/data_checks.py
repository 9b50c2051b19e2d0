"""Check labelled data for mistakes before a model is trained on them."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from tagger.corpus.dataset import Split
from tagger.corpus.schemes import OUTSIDE, Scheme, convert_tags, spans_from_tags
from tagger.corpus.sentence import Sentence

_RARE = 20  # mentions in train: with fewer, a label is hardly learnt
_LONG_SPAN = 15  # tokens
_LONG = 150  # tokens of a sentence
_SHOWN = 5
_MOST_IMBALANCE = 50
_SHARE_OF_DUPLICATES = 0.1
_OFTEN, _MOSTLY = 5, 0.2  # a mention that occurs so often, of which such a share has no label or another one
_INVISIBLE = frozenset("\u00ad\u200b\u200e\u200f\u2060\ufeff")


def findings(splits: Mapping[str, Split]) -> list[str]:
    """Return a line for each thing that may be wrong, the gravest first; none if nothing was found.

    Args:
        splits: train, and others if there are any.
    """
    train = splits["train"]
    plain = train.scheme is Scheme.PLAIN
    return [
        *_across_splits(splits),
        *_repeated(train),
        *_labels(splits, plain=plain),
        *(() if plain else _mentions(train)),
        *_lengths(splits, plain=plain),
        *_characters(splits),
    ]


def sizes(splits: Mapping[str, Split]) -> list[str]:
    """Return a table of the splits: sentences, tokens, and how often each label occurs."""
    lines = []
    for name, split in splits.items():
        labels = split.labels()
        tokens = sum(map(len, split.sentences))
        shown = ", ".join(f"{label} {count:,}" for label, count in labels.most_common(20))
        lines.append(
            f"{name}: {len(split.sentences):,} sentences, {tokens:,} tokens, {split.scheme}; {shown or 'no labels'}"
        )
    return lines


def _words(sentence: Sentence) -> tuple[str, ...]:
    return tuple(sentence.tokens)


def _across_splits(splits: Mapping[str, Split]) -> Iterator[str]:
    trained = {_words(sentence) for sentence in splits["train"].sentences}
    for name, split in splits.items():
        if name == "train":
            continue
        both = [one for one in split.sentences if _words(one) in trained]
        long = [one for one in both if len(one) > 3]
        if long:
            share = len(both) / len(split.sentences)
            yield (
                f"{name}: {len(both):,} of {len(split.sentences):,} sentences ({share:.1%}) are in train, too, such as "
                f"{_place(long[0])}; {name} scores would flatter the model: take them out of train"
            )


def _repeated(train: Split) -> Iterator[str]:
    tags: dict[tuple[str, ...], list[Sentence]] = defaultdict(list)
    for sentence in train.sentences:
        tags[_words(sentence)].append(sentence)
    several = [some for some in tags.values() if len(some) > 1]
    differ = [
        some for some in several if len({tuple(convert_tags(one.tags or [], _scheme(train))) for one in some}) > 1
    ]
    if differ:
        first, other = differ[0][0], next(one for one in differ[0] if one.tags != differ[0][0].tags)
        yield (
            f"train: {len(differ):,} sentences occur again with other labels, such as {_place(first)} and "
            f"{_place(other)}; decide which labels are right"
        )
    repeats = sum(len(some) - 1 for some in several)
    if repeats > _SHARE_OF_DUPLICATES * len(train.sentences):
        yield f"train: {repeats:,} of {len(train.sentences):,} sentences are repetitions; they count several times"


def _scheme(split: Split) -> Scheme:
    return Scheme.PLAIN if split.scheme is Scheme.PLAIN else Scheme.IOB2


def _labels(splits: Mapping[str, Split], *, plain: bool) -> Iterator[str]:
    counts = {name: split.labels() for name, split in splits.items()}
    train = counts["train"]
    if not plain and not train:
        yield "train: no labelled span at all; is data.tag_column or data.tag_field right?"
        return
    for name, found in counts.items():
        unknown = sorted(found.keys() - train.keys())
        if unknown:
            yield f"{name}: labels that train lacks: {_listed(unknown)}; no model can find them"
    rare = sorted(label for label, count in train.items() if count < _RARE)
    if rare:
        shown = [f"{label} ({train[label]})" for label in rare]
        yield f"train: labels with fewer than {_RARE} mentions: {_listed(shown)}; label more, or merge them"
    common, least = train.most_common(1)[0], train.most_common()[-1]
    if not plain and common[1] > _MOST_IMBALANCE * least[1]:
        yield f"train: {common[0]} is {common[1] / least[1]:.0f} times as frequent as {least[0]}; watch the macro F1"
    folded = defaultdict(set)
    for label in set().union(*counts.values()):
        folded[label.casefold().replace("_", "-").strip()].add(label)
    for alike in folded.values():
        if len(alike) > 1:
            yield f"labels that differ in case or hyphens only: {', '.join(sorted(alike))}; rename them (data.labels)"
    prefixed = sorted(label for label in train if label[:2] in ("B-", "I-", "E-", "S-", "L-", "U-"))
    if plain and prefixed:
        yield f"labels read as plain tags that look like tags of spans: {_listed(prefixed)}; set data.scheme"
    if not plain:
        tokens = sum(map(len, splits["train"].sentences))
        inside = sum(tag != OUTSIDE for one in splits["train"].sentences for tag in one.tags or [])
        if inside > 0.5 * tokens:
            yield f"train: {inside / tokens:.0%} of the tokens are inside spans; is the tag column the right one?"


def _mentions(train: Split) -> Iterator[str]:
    """Look for mentions that have different labels, or are often not labelled."""
    labels: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for sentence in train.sentences:
        for start, end, label in spans_from_tags(sentence.tags or []):
            labels[_words(sentence)[start:end]][label] += 1
    known = {words: found for words, found in labels.items() if found.total() >= _OFTEN and words[0][:1].isupper()}
    longest = max(map(len, known), default=0)
    outside: Counter[tuple[str, ...]] = Counter()
    for sentence in train.sentences:
        words, tags = _words(sentence), sentence.tags or []
        free = [place for place, tag in enumerate(tags) if tag == OUTSIDE]
        runs = set(free)
        for start in free:
            for end in range(start + 1, min(start + longest, len(words)) + 1):
                if end - 1 not in runs:
                    break
                if words[start:end] in known:
                    outside[words[start:end]] += 1
    missed = [(words, outside[words], known[words].total()) for words in outside]
    missed = [one for one in missed if one[1] >= _MOSTLY * (one[1] + one[2])]
    if missed:
        shown = [
            f"{' '.join(words)} ({no} of {no + yes})" for words, no, yes in sorted(missed, key=lambda one: -one[1])
        ]
        yield f"train: mentions that are often not labelled: {_listed(shown)}; were they forgotten?"
    mixed = [(words, found) for words, found in known.items() if _is_mixed(found)]
    if mixed:
        shown = [
            f"{' '.join(words)} ({_counts(found)})" for words, found in sorted(mixed, key=lambda one: -one[1].total())
        ]
        yield f"train: mentions with several labels: {_listed(shown)}; are they all meant?"


def _is_mixed(found: Counter[str]) -> bool:
    return len(found) > 1 and found.total() - found.most_common(1)[0][1] >= _MOSTLY * found.total()


def _counts(found: Counter[str]) -> str:
    return ", ".join(f"{label} {count}" for label, count in found.most_common(3))


def _lengths(splits: Mapping[str, Split], *, plain: bool) -> Iterator[str]:
    for name, split in splits.items():
        long = sorted((one for one in split.sentences if len(one) > _LONG), key=len, reverse=True)
        if long:
            shown = f"the longest {_place(long[0])} ({len(long[0]):,})"
            yield f"{name}: {len(long):,} sentences of more than {_LONG} tokens, {shown}; are sentences parted rightly?"
        spans = [(one, span) for one in split.sentences for span in (() if plain else spans_from_tags(one.tags or []))]
        odd = max(spans, key=lambda pair: pair[1].end - pair[1].start, default=None)
        if odd is not None and odd[1].end - odd[1].start > _LONG_SPAN:
            length = odd[1].end - odd[1].start
            yield f"{name}: a span of {length} tokens, {odd[1].label} at {_place(odd[0])}; is it meant?"
    alone = [one for one in splits["train"].sentences if len(one) == 1]
    if len(alone) > 0.5 * len(splits["train"].sentences):
        yield f"train: {len(alone):,} sentences of one token, such as {_place(alone[0])}; are blank lines in between?"


def _characters(splits: Mapping[str, Split]) -> Iterator[str]:
    odd: dict[str, tuple[int, Sentence]] = {}
    decomposed: list[Sentence] = []
    for split in splits.values():
        for sentence in split.sentences:
            text = " ".join(sentence.tokens)
            if text.isascii() and text.isprintable():
                continue
            for character in set(text):
                kind = _odd(character)
                if kind:
                    count, first = odd.get(kind, (0, sentence))
                    odd[kind] = count + 1, first
            if not unicodedata.is_normalized("NFC", text):
                decomposed.append(sentence)
            if any(_is_broken(pair) for pair in pairwise(text)):
                count, first = odd.get("what looks like UTF-8 read as Latin-1", (0, sentence))
                odd["what looks like UTF-8 read as Latin-1"] = count + 1, first
    for kind, (count, first) in odd.items():
        yield f"{count:,} sentences with {kind}, such as {_place(first)}; clean them, here and where the model is used"
    if decomposed:
        first = decomposed[0]
        yield f"{len(decomposed):,} sentences with decomposed characters (NFD), such as {_place(first)}; write NFC"


def _odd(character: str) -> str:
    if character == "\ufffd":
        return "characters that were lost (U+FFFD)"
    if character in _INVISIBLE:
        return "invisible characters"
    return "control characters" if unicodedata.category(character) in ("Cc", "Co", "Cn") else ""


def _is_broken(pair: tuple[str, str]) -> bool:
    return pair[0] in "ÃÂ" and "\x80" <= pair[1] <= "\xbf"


def _place(sentence: Sentence) -> str:
    shown = " ".join(sentence.tokens[:6]) + (" …" if len(sentence) > 6 else "")
    return f"{sentence.place or '?'} {shown!r}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
