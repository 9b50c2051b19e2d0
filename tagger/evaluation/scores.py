"""Compute precision, recall and F1.

seqeval scores entities marked on tokens. Plain tags and entities in characters are counted here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from tagger.corpus.schemes import OUTSIDE, Scheme, convert_tags, prefixed, split_tag
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError, install_command

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
        accuracy: fraction of tokens with the right tag (see `right_tokens`). None where entities were compared by
            characters, and where there are no tokens.
        sentences, tokens: how many of the gold data were scored.
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


def gold_tags(sentences: Sequence[Sentence], source: str = "gold data") -> list[list[str]]:
    """Return the gold tags of each sentence. `source` is named in errors.

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


def score(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    scheme: Scheme,
    predicted_scheme: Scheme | None = None,
) -> Scores:
    """Score predicted tags against gold tags.

    seqeval scores entities in its default mode, which has the rules of conlleval: exact span and type, tags read
    leniently, 0 for 0/0. So the two sides may use different span schemes. Plain tags are counted token by token.

    Args:
        gold, predicted: tags per sentence as read, of equal lengths.
        scheme: PLAIN for plain tags; else the span scheme of the gold tags.
        predicted_scheme: the scheme of the predicted tags; None: the same.

    Raises:
        ValueError: the two sides differ in length.
        UserError: seqeval is not installed.
    """
    tokens = sum(map(len, gold))
    pairs = Counter(pair for g, p in zip(gold, predicted, strict=True) for pair in zip(g, p, strict=True))
    if scheme is Scheme.PLAIN:
        correct = Counter({g: n for (g, p), n in pairs.items() if g == p})
        accuracy = correct.total() / tokens if tokens else None
        there, found = (Counter(chain.from_iterable(side)) for side in (gold, predicted))
        return _from_counts("tags", correct, found, there, accuracy, len(gold), tokens)
    renamed = {tag: _readable(tag, scheme) for pair in pairs for tag in pair}
    right = sum(map(sum, right_tokens(gold, predicted, scheme, predicted_scheme)))
    accuracy = right / tokens if tokens else None
    marked = {tag: tag if tag == OUTSIDE else f"{tag[:2]}{_MARK}{split_tag(tag)[1]}" for tag in renamed.values()}
    sides = ([[marked[renamed[tag]] for tag in tags] for tags in side] for side in (gold, predicted))
    micro, macro, types = _seqeval_scores(*sides)
    return Scores("entities", micro, macro, types, accuracy, len(gold), tokens)


def score_entities(
    gold: Iterable[Set[CharacterSpan]], predicted: Iterable[Set[CharacterSpan]], sentences: int = 0, tokens: int = 0
) -> Scores:
    """Score entities given as (start, end, label) in characters of each text, by the same rules. Tokens do not matter.

    Args:
        gold, predicted: the entities of each text, in the same order of texts.
        sentences, tokens: number of gold sentences and tokens in the texts, for the report. By default, the number of
            texts and 0.

    Raises:
        ValueError: the sides have different numbers of texts.
    """
    correct, found, there = Counter[str](), Counter[str](), Counter[str]()
    texts = 0
    for gold_spans, predicted_spans in zip(gold, predicted, strict=True):
        correct.update(label for _, _, label in gold_spans & predicted_spans)
        found.update(label for _, _, label in predicted_spans)
        there.update(label for _, _, label in gold_spans)
        texts += 1
    return _from_counts("entities", correct, found, there, None, sentences or texts, tokens)


def right_tokens(
    gold: Iterable[Sequence[str]],
    predicted: Iterable[Sequence[str]],
    scheme: Scheme,
    predicted_scheme: Scheme | None = None,
) -> Iterator[list[bool]]:
    """Yield for each sentence which tokens have the right tag.

    Tags are compared as written. Those of two span schemes are compared in IOB2. Arguments are those of `score`.
    """

    def comparable(tags: Sequence[str]) -> Sequence[str]:
        if scheme is Scheme.PLAIN:
            return tags
        readable = readable_tags(tags, scheme)
        return readable if predicted_scheme in (None, scheme) else convert_tags(readable, Scheme.IOB2)

    for one, other in zip(gold, predicted, strict=True):
        yield [here == there for here, there in zip(comparable(one), comparable(other), strict=True)]


def readable_tags(tags: Sequence[str], scheme: Scheme) -> list[str]:
    """Rewrite tags of a span scheme with the prefixes B, I, E, S and O, which seqeval reads correctly.

    seqeval takes BILOU's U and L for the inside of a span. It reads labels without a prefix (IO) by their first letter,
    so ORG would be outside. They become S-, E- and I-. A bare prefix gets the label `_`.
    """
    renamed = {tag: _readable(tag, scheme) for tag in set(tags)}
    return [renamed[tag] for tag in tags]


def _readable(tag: str, scheme: Scheme) -> str:
    tag = prefixed(tag, scheme)
    if tag == OUTSIDE:
        return tag
    if tag[:1] in _PREFIXES and tag[1:2] == "-":
        return _SEQEVAL_LETTERS.get(tag[0], tag[0]) + tag[1:]
    return f"I-{tag}"


def _from_counts(
    kind: Literal["entities", "tags"],
    correct: Counter[str],
    predicted: Counter[str],
    gold: Counter[str],
    accuracy: float | None,
    sentences: int,
    tokens: int,
) -> Scores:
    types = {name: _prf(correct[name], predicted[name], gold[name]) for name in sorted(gold.keys() | predicted.keys())}
    macro = PRF()
    if types:
        columns = zip(*((one.precision, one.recall, one.f1) for one in types.values()), strict=True)
        precision, recall, f1 = (sum(column) / len(types) for column in columns)
        macro = PRF(precision, recall, f1, gold.total())
    micro = _prf(correct.total(), predicted.total(), gold.total())
    return Scores(kind, micro, macro, types, accuracy, sentences, tokens)


def _prf(correct: int, predicted: int, gold: int) -> PRF:
    precision = correct / predicted if predicted else 0.0
    recall = correct / gold if gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if correct else 0.0
    return PRF(precision, recall, f1, gold)


def _seqeval_scores(gold: list[list[str]], predicted: list[list[str]]) -> tuple[PRF, PRF, dict[str, PRF]]:
    """Compute micro, macro and per-type scores with seqeval. Labels begin with `_MARK`."""
    if all(tag == OUTSIDE for tags in [*gold, *predicted] for tag in tags):
        return PRF(), PRF(), {}  # seqeval gives NaN as the mean over no types
    try:
        from seqeval.metrics import classification_report  # takes 1.4 s
    except ImportError:
        raise UserError(f"scoring entities needs seqeval, which is not installed; {install_command('train')}") from None
    rows = classification_report(gold, predicted, output_dict=True, zero_division=0)
    prf = {
        name: PRF(float(row["precision"]), float(row["recall"]), float(row["f1-score"]), int(row["support"]))
        for name, row in rows.items()
    }
    types = {name.removeprefix(_MARK): prf[name] for name in prf if name.startswith(_MARK)}
    return prf["micro avg"], prf["macro avg"], types
