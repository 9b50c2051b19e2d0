"""Compute precision, recall and F1.

seqeval scores entities marked on tokens. Plain tags and entities in characters are counted here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tagger.corpus.schemes import OUTSIDE, Scheme, prefixed, split_tag
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError

CharacterSpan = tuple[int, int, str]  # half-open, in characters, and the label
_PREFIXES = frozenset("BIESLU")
_SEQEVAL_LETTERS = {"L": "E", "U": "S"}
_MARK = ":"  # put before each label, because seqeval's report has its averages among the labels


@dataclass(frozen=True)
class PRF:
    """Precision, recall and F1 as fractions of 1. `support` is the number in the gold data."""

    precision: float = 0.0
    recall: float = 0.0
    f1: float = 0.0
    support: int = 0


@dataclass(frozen=True)
class Scores:
    """Scores of a set of predictions.

    Attributes:
        kind: "entities" (spans with labels) or "tags" (one tag per token, such as parts of speech).
        micro: over all entities or tags together.
        macro: the unweighted mean over `types`.
        types: per entity type or tag, by name. A type that was only predicted has support 0.
        accuracy: fraction of tokens with the right tag; tags are compared as written. None where entities were compared
            by characters, and where there are no tokens.
        sentences, tokens: how many of the gold data were scored. For entities in characters, `sentences` counts texts
            unless `score_entities` was given a number.
    """

    kind: Literal["entities", "tags"]
    micro: PRF
    macro: PRF
    types: Mapping[str, PRF]
    accuracy: float | None
    sentences: int
    tokens: int

    @property
    def headline(self) -> float:
        """Micro F1 of entities, accuracy of plain tags: a fraction of 1."""
        return self.micro.f1 if self.kind == "entities" else self.accuracy or 0.0

    @property
    def headline_name(self) -> str:
        return "micro F1" if self.kind == "entities" else "accuracy"

    @property
    def support(self) -> dict[str, int]:
        """Number of each entity type or tag in the gold data."""
        return {name: prf.support for name, prf in self.types.items()}


@dataclass
class Counts:
    """Counts per type: correct, predicted and gold. Counts of parts can be added."""

    correct: Counter[str] = field(default_factory=Counter)
    predicted: Counter[str] = field(default_factory=Counter)
    gold: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, gold: Iterable[Hashable], predicted: Iterable[Hashable], label: Callable[[Any], str]) -> Counts:
        """Count two sets of items. `label` returns the type of an item."""
        gold, predicted = set(gold), set(predicted)
        return cls(Counter(map(label, gold & predicted)), Counter(map(label, predicted)), Counter(map(label, gold)))

    def __iadd__(self, other: Counts) -> Counts:
        self.correct.update(other.correct)
        self.predicted.update(other.predicted)
        self.gold.update(other.gold)
        return self

    def types(self) -> dict[str, PRF]:
        """Compute the scores of each type, by name."""
        names = sorted(self.gold.keys() | self.predicted.keys())
        return {name: _prf(self.correct[name], self.predicted[name], self.gold[name]) for name in names}

    def micro(self) -> PRF:
        return _prf(self.correct.total(), self.predicted.total(), self.gold.total())

    def macro(self) -> PRF:
        types = self.types().values()
        if not types:
            return PRF()
        precision, recall, f1 = (
            sum(values) / len(types) for values in zip(*((t.precision, t.recall, t.f1) for t in types), strict=True)
        )
        return PRF(precision, recall, f1, self.gold.total())


def _prf(correct: int, predicted: int, gold: int) -> PRF:
    precision = correct / predicted if predicted else 0.0
    recall = correct / gold if gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if correct else 0.0
    return PRF(precision, recall, f1, gold)


def gold_tags(sentences: Sequence[Sentence], source: str = "gold data") -> list[list[str]]:
    """Return the gold tags of each sentence.

    Args:
        sentences: as read.
        source: where they come from, for the error message.

    Raises:
        UserError: there are no tokens, or a sentence has no tags.
    """
    if not any(sentence.tokens for sentence in sentences):
        raise UserError(f"{source}: no sentences to score; check the path and the split")
    tags = []
    for sentence in sentences:
        if sentence.tags is None:
            raise UserError(f"{sentence.place or source}: no gold tags; scoring needs them, tagging does not (tag.py)")
        tags.append(sentence.tags)
    return tags


def score(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], scheme: Scheme) -> Scores:
    """Score predicted tags against gold tags.

    seqeval scores entities in its default mode, which has the rules of conlleval: exact span and type, tags read
    leniently, 0 for 0/0. So the two sides may use different span schemes. Plain tags are counted token by token.

    Args:
        gold, predicted: tags per sentence as read, of equal lengths.
        scheme: PLAIN for plain tags; else the span scheme of the gold tags.

    Raises:
        ValueError: the two sides differ in length.
        UserError: seqeval is not installed.
    """
    _check_lengths(gold, predicted)
    tokens = sum(map(len, gold))
    pairs = Counter(pair for g, p in zip(gold, predicted, strict=True) for pair in zip(g, p, strict=True))
    if scheme is Scheme.PLAIN:
        counts = _count_tags(pairs)
        accuracy = counts.correct.total() / tokens if tokens else None
        return Scores("tags", counts.micro(), counts.macro(), counts.types(), accuracy, len(gold), tokens)
    renamed = _renamed_tags({tag for pair in pairs for tag in pair}, scheme)
    accuracy = sum(n for (g, p), n in pairs.items() if renamed[g] == renamed[p]) / tokens if tokens else None
    marked = {tag: _marked(readable) for tag, readable in renamed.items()}
    micro, macro, types = _seqeval_scores(
        [[marked[tag] for tag in tags] for tags in gold], [[marked[tag] for tag in tags] for tags in predicted]
    )
    return Scores("entities", micro, macro, types, accuracy, len(gold), tokens)


def score_entities(
    gold: Iterable[set[CharacterSpan]], predicted: Iterable[set[CharacterSpan]], sentences: int = 0, tokens: int = 0
) -> Scores:
    """Score entities given as (start, end, label) in characters of each text. Tokens do not matter.

    Args:
        gold, predicted: the entities of each text, in the same order of texts.
        sentences, tokens: number of gold sentences and tokens in the texts, if known; for the report.

    Returns:
        Scores by the same rules as `score`, without accuracy.

    Raises:
        ValueError: the sides have different numbers of texts.
    """
    counts = Counts()
    texts = 0
    for gold_spans, predicted_spans in zip(gold, predicted, strict=True):
        counts += Counts.of(gold_spans, predicted_spans, label=_label)
        texts += 1
    return Scores("entities", counts.micro(), counts.macro(), counts.types(), None, sentences or texts, tokens)


def readable_tags(tags: Sequence[str], scheme: Scheme) -> list[str]:
    """Rewrite tags of a span scheme with the prefixes B, I, E, S and O, which seqeval reads correctly.

    seqeval takes BILOU's U and L for the inside of a span. It reads labels without a prefix (IO) by their first letter,
    so ORG would be outside. They become S-, E- and I-. A bare prefix gets the label `_`.
    """
    renamed = _renamed_tags(set(tags), scheme)
    return [renamed[tag] for tag in tags]


def _renamed_tags(tags: set[str], scheme: Scheme) -> dict[str, str]:
    def renamed(tag: str) -> str:
        tag = prefixed(tag, scheme)
        if tag == OUTSIDE:
            return tag
        if tag[:1] in _PREFIXES and tag[1:2] == "-":
            return _SEQEVAL_LETTERS.get(tag[0], tag[0]) + tag[1:]
        return f"I-{tag}"

    return {tag: renamed(tag) for tag in tags}


def _label(span: CharacterSpan) -> str:
    return span[2]


def _count_tags(pairs: Counter[tuple[str, str]]) -> Counts:
    counts = Counts()
    for (gold, predicted), times in pairs.items():
        counts.gold[gold] += times
        counts.predicted[predicted] += times
        if gold == predicted:
            counts.correct[gold] += times
    return counts


def _check_lengths(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> None:
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold sentences, {len(predicted)} predicted")
    for number, (gold_tags, predicted_tags) in enumerate(zip(gold, predicted, strict=True), start=1):
        if len(gold_tags) != len(predicted_tags):
            raise ValueError(f"sentence {number}: {len(gold_tags)} gold tags, {len(predicted_tags)} predicted")


def _marked(tag: str) -> str:
    prefix, label = split_tag(tag)
    return tag if prefix == OUTSIDE else f"{prefix}-{_MARK}{label}"


def _seqeval_scores(gold: list[list[str]], predicted: list[list[str]]) -> tuple[PRF, PRF, dict[str, PRF]]:
    """Compute micro, macro and per-type scores with seqeval. Labels begin with `_MARK`."""
    if all(tag == OUTSIDE for tags in [*gold, *predicted] for tag in tags):
        return PRF(), PRF(), {}  # seqeval gives NaN as the mean over no types
    try:
        from seqeval.metrics import classification_report  # takes 1.4 s
    except ImportError:
        raise UserError("scoring entities needs seqeval, which is not installed; pip install 'tagger[train]'") from None
    rows = classification_report(gold, predicted, output_dict=True, zero_division=0)
    prf = {
        name: PRF(float(row["precision"]), float(row["recall"]), float(row["f1-score"]), int(row["support"]))
        for name, row in rows.items()
    }
    types = {name.removeprefix(_MARK): prf[name] for name in prf if name.startswith(_MARK)}
    return prf["micro avg"], prf["macro avg"], types
