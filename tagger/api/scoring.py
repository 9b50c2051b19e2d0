"""`tagger.evaluate`: score predicted tags against gold ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from tagger.corpus.document import Document
from tagger.corpus.schemes import detect_scheme
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.evaluation.assessment import Assessment, assess
from tagger.evaluation.markdown import as_table
from tagger.evaluation.page.report_html import report_html
from tagger.evaluation.report_files import write_report
from tagger.evaluation.scores import PRF, Scores

Tagged = Iterable[Sequence[str] | Sentence | Document]


class Evaluation:
    """Scores of predicted tags, and the report about them. In a notebook it shows as a table.

    Attributes:
        scores: all scores; fractions of 1.
    """

    def __init__(self, found: Assessment) -> None:
        """Take gold and predicted tags with the report made from them."""
        self._found = found
        self.scores: Scores = found.report.scores

    @property
    def f1(self) -> float:
        """Micro F1."""
        return self.scores.micro.f1

    @property
    def precision(self) -> float:
        """Micro precision."""
        return self.scores.micro.precision

    @property
    def recall(self) -> float:
        """Micro recall."""
        return self.scores.micro.recall

    @property
    def accuracy(self) -> float | None:
        """Share of tokens with the right tag; None without tokens."""
        return self.scores.accuracy

    @property
    def labels(self) -> Mapping[str, PRF]:
        """Precision, recall, F1 and support of each label."""
        return self.scores.types

    @property
    def warnings(self) -> Sequence[str]:
        """Warnings, one line each."""
        return self._found.report.warnings

    def show(self) -> None:
        """Print the scores as a table, and the warnings."""
        print(as_table(self.scores))
        for warning in self.warnings:
            print(f"warning: {warning}")

    def to_dict(self) -> dict[str, Any]:
        """Return the content of report.json (docs/report-schema.json)."""
        return self._found.report.as_dict()

    def to_html(self) -> str:
        """Return the report as one page that fetches nothing. Needs the extra `report`."""
        return report_html(self._found)

    def save(self, folder: str | Path) -> None:
        """Write report.html, report.json, report.md and predictions.conll into a folder."""
        write_report(Path(folder), self._found)

    def __repr__(self) -> str:
        return f"Evaluation(f1={self.f1:.4f}, precision={self.precision:.4f}, recall={self.recall:.4f})"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(as_table(self.scores))}</pre>"


def evaluate(gold: Tagged, predicted: Tagged) -> Evaluation:
    """Score predicted tags against gold tags.

    Tags of entities are compared entity by entity, as conlleval does, in whatever scheme each side is written. Other
    tags, such as parts of speech, are compared token by token. Needs the extra `train`.

    >>> import tagger
    >>> gold = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-ORG"]]
    >>> predicted = [["B-PER", "I-PER", "O", "B-ORG"], ["O", "B-ORG"]]
    >>> report = tagger.evaluate(gold, predicted)
    >>> report
    Evaluation(f1=0.6667, precision=0.6667, recall=0.6667)
    >>> report.labels["PER"].f1
    1.0

    Args:
        gold, predicted: the same sentences in the same order, each as a list of tags or a `Sentence` with tags; or
            documents, whose sentences are scored.

    Raises:
        UserError: the two differ in length or tokens, a side mixes schemes, or the extra is missing.
    """
    right, found = _sentences(gold, "gold"), _sentences(predicted, "predicted")
    if not right:
        raise UserError("gold: no sentence; give lists of tags, sentences or documents")
    if len(right) != len(found):
        raise UserError(f"predicted: {len(found):,} sentences, but gold has {len(right):,}; give the same sentences")
    for number, (one, two) in enumerate(zip(right, found, strict=True), start=1):
        if len(one) != len(two):
            raise UserError(f"sentence {number}: {len(two):,} predicted tags, but {len(one):,} gold ones; give one "
                "to each token on both sides")  # fmt: skip
        if one.text_known and two.text_known and one.tokens != two.tokens:
            raise UserError(f"sentence {number}: gold and predicted tokens differ; give the same sentences")
    sentences = [
        Sentence(two.tokens if two.text_known and not one.text_known else one.tokens, one.tags, place=one.place)
        for one, two in zip(right, found, strict=True)
    ]
    scheme = detect_scheme([one.tags for one in right], "gold")
    return Evaluation(assess(sentences, [two.tags for two in found], scheme, {"sentences from": "Python"}))


class _Side:
    """A sentence of one side. Without words, its tokens are numbered."""

    def __init__(self, tags: Sequence[str], tokens: Sequence[str] | None, place: str) -> None:
        self.tags, self.place = list(tags), place
        self.text_known = tokens is not None
        self.tokens = [f"[{number}]" for number in range(1, len(tags) + 1)] if tokens is None else list(tokens)

    def __len__(self) -> int:
        return len(self.tags)


def _sentences(side: Tagged, name: str) -> list[_Side]:
    """Return the sentences of a side.

    Raises:
        UserError: it holds something else than sentences with tags.
    """
    if isinstance(side, str | Mapping) or not isinstance(side, Iterable):
        raise UserError(f"{name}: expected a list with the tags of each sentence, got a {type(side).__name__}")
    found: list[_Side] = []
    for number, one in enumerate(side, start=1):
        place = f"{name} {number}"
        if isinstance(one, Document):
            found += [_of_sentence(sentence, place) for sentence in one.sentences]
        elif isinstance(one, Sentence):
            found.append(_of_sentence(one, place))
        elif isinstance(one, Sequence) and not isinstance(one, str) and all(isinstance(tag, str) for tag in one):
            found.append(_Side(one, None, place))
        else:
            raise UserError(f"{place}: expected a list of tags, a sentence or a document, got a {type(one).__name__}")
    return found


def _of_sentence(sentence: Sentence, place: str) -> _Side:
    if sentence.tags is None:
        raise UserError(f"{place}: a sentence without tags; give its tags, or tag it first")
    return _Side(sentence.tags, sentence.tokens, sentence.place or place)
