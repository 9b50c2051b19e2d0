"""Read WebAnno TSV 3, the export of WebAnno and INCEpTION."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import IO, NamedTuple

from tagger.corpus.readers.account import MalformedError, ReadReport, open_bytes, read_lines
from tagger.corpus.readers.annotations import Overlap, ReadSentence, deliver, tag_text
from tagger.corpus.readers.records import make_annotation
from tagger.corpus.readers.utf16 import Utf16
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError

FORMAT_LINE = "#FORMAT=WebAnno TSV 3"
_SPANS, _OTHERS, _TEXT = "#T_SP=", ("#T_CH=", "#T_RL="), "#Text="
_TOKEN = re.compile(r"(\d{1,9})-(\d{1,9})(?:\.\d{1,9})?\t(\d{1,9})-(\d{1,9})\t(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(->|.)", re.DOTALL)
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f"}
_STACKED = re.compile(r"(?<!\\)\|")
_NUMBERED = re.compile(r"(.*?)(?<!\\)\[(\d+)\]", re.DOTALL)
_NONE, _WITHOUT_VALUE = "_", "*"


def read_webanno(
    path: Path, report: ReadReport, *, layer: str | None = None, overlap: Overlap = "stop"
) -> Iterator[Sentence]:
    """Read a file of WebAnno TSV 3. See `webanno_from`.

    Raises:
        UserError: the file cannot be read, or is malformed and `on_error=stop`.
    """
    with open_bytes(path) as stream:
        yield from webanno_from(stream, report, layer=layer, overlap=overlap)


def webanno_from(
    stream: IO[bytes], report: ReadReport, *, layer: str | None = None, overlap: Overlap = "stop"
) -> Iterator[Sentence]:
    """Read the sentences of a stream. It is one document and held in memory, as spans may reach across sentences.

    Args:
        stream: UTF-8 bytes.
        report: counts what is read.
        layer: `LAYER.FEATURE`, or the end of such a name. None: the feature `value` of the layer NamedEntity, or else
            the first feature of the first layer of spans. Other features are not read, and counted.
        overlap: which of spans that share a token to keep; see `annotations.without_overlap`.

    Raises:
        UserError: it is no such file, or has no such layer. With `on_error=stop`: it is malformed.
    """
    place = f"{report.source}:1"
    document = _Document(report.source, layer)
    problem = ""
    for number, line in read_lines(stream, report):
        if number == 1 and not line.startswith(FORMAT_LINE):
            raise UserError(f"{report.source}:1: expected {FORMAT_LINE}.3, found {line!r:.60}; export it as that")
        try:
            if not problem:
                document.add(line)
        except MalformedError as error:
            problem = problem or f"line {number}: {error}"
    try:
        if problem:
            raise MalformedError(problem)
        found = document.sentences(place, overlap)
    except MalformedError as error:
        report.reject(place, str(error))
        report.close_sentence()
        return
    report.ignore(place, "values of other layers and features", document.others)
    yield from deliver(found, report)


class _Place(NamedTuple):
    """The part of a numbered span that has been read so far, in UTF-16 units."""

    start: int
    end: int


class _Document:
    """A document while it is read, line by line. Offsets are UTF-16 units, as Java counts.

    Attributes:
        others: values of other layers and features.
    """

    def __init__(self, source: str, layer: str | None) -> None:
        self._source, self._layer = source, layer
        self._features: list[str] = []  # a column for each, of spans, chains and relations
        self._column: int | None = None
        self._in_sentence = False
        self._sentences: list[tuple[list[str], list[_Place]]] = []  # lines of text, and tokens
        self._spans: list[tuple[_Place, str]] = []
        self._numbered: dict[tuple[str, str], int] = {}  # label and number → place in `_spans`
        self._tokens: list[str] = []
        self.others = 0

    def add(self, line: str) -> None:
        """Take a line. Raises MalformedError if it is malformed."""
        if line.startswith((_SPANS, *_OTHERS)):
            name, *features = line.partition("=")[2].split("|")
            chains = line.startswith(_OTHERS)
            self._features += [("" if chains else f"{name}.{feature}") for feature in features or [""]]
        elif line.startswith(_TEXT):
            if not self._in_sentence:
                self._sentences.append(([], []))
            self._in_sentence = True
            self._sentences[-1][0].append(_unescaped(line.removeprefix(_TEXT)))
        elif not line.strip():
            self._in_sentence = False
        elif not line.startswith("#") or _TOKEN.match(line):
            self._add_token(line)

    def _add_token(self, line: str) -> None:
        match = _TOKEN.fullmatch(line)
        if match is None or not self._in_sentence:
            raise MalformedError(f"expected #Text= and then 1-1, TAB, 0-3, TAB, token; found {line!r:.60}")
        if self._column is None:
            self._column = 1 + self._chosen()
        place = _Place(int(match[3]), int(match[4]))
        token, *values = match[5].split("\t")
        if "." not in line.partition("\t")[0]:
            self._sentences[-1][1].append(place)
            self._tokens.append(_unescaped(token))
        values = ["", *values]  # the token's column is the first
        if self._column >= len(values):
            raise MalformedError(f"no column of {self._features[self._column - 1]!r}; is the line complete?")
        self.others += sum(
            value not in ("", _NONE) and not value.startswith(_WITHOUT_VALUE)
            for number, value in enumerate(values)
            if number != self._column
        )
        for value in _STACKED.split(values[self._column]):
            if value != _NONE:
                self._add_value(value, place)

    def _chosen(self) -> int:
        """Return the number of the feature to read."""
        named = [number for number, name in enumerate(self._features) if name]
        if self._layer is not None:
            found = [number for number in named if f".{self._features[number]}".endswith(f".{self._layer}")]
        else:
            entities = [number for number in named if self._features[number].endswith("NamedEntity.value")]
            found = (entities or named)[:1]
        if len(found) != 1:
            there = ", ".join(self._features[number] for number in named) or "none"
            amount = "more than one" if found else "no"
            asked = "of spans" if self._layer is None else repr(self._layer)
            raise UserError(f"{self._source}: {amount} feature {asked} (found {there}); set data.tag_field")
        return found[0]

    def _add_value(self, value: str, place: _Place) -> None:
        numbered = _NUMBERED.fullmatch(value)
        label = _unescaped(numbered[1] if numbered else value)
        if label == _WITHOUT_VALUE:
            label = self._features[(self._column or 1) - 1].rpartition(".")[0].rpartition(".")[2]
        if numbered and (label, numbered[2]) in self._numbered:
            known = self._numbered[label, numbered[2]]
            before, _ = self._spans[known]
            self._spans[known] = _Place(before.start, place.end), label
            return
        if numbered:
            self._numbered[label, numbered[2]] = len(self._spans)
        self._spans.append((place, label))

    def sentences(self, place: str, overlap: Overlap) -> list[ReadSentence]:
        """Return the sentences. Raises MalformedError if offsets do not fit the text."""
        text, counted = "", 0
        for lines, tokens in self._sentences:
            sentence = "\n".join(lines)
            if not tokens:
                continue
            begin = tokens[0].start - _units(sentence[: len(sentence) - len(sentence.lstrip())])
            if begin < counted:
                raise MalformedError(f"the sentence {sentence!r:.40} begins before the one before it ends")
            if begin - counted > 1 << 20:
                raise MalformedError(f"the sentence {sentence!r:.40} is too far from the one before it")
            text += "\n" * (begin - counted) + sentence
            counted = begin + _units(sentence)
        units = Utf16(text)
        spans = [[_in_characters(units, one, text) for one in tokens] for _, tokens in self._sentences if tokens]
        found = [text[start:end] for sentence in spans for start, end in sentence]
        wrong = next((number for number, token in enumerate(self._tokens) if found[number] != token), None)
        if wrong is not None:
            there = f"{found[wrong]!r:.40} where the token is {self._tokens[wrong]!r:.40}"
            raise MalformedError(f"offsets do not fit: {there}; export the document again")
        flat = [one for sentence in spans for one in sentence]
        if any(before[1] > after[0] or after[0] == after[1] for before, after in pairwise(flat)):
            raise MalformedError("tokens that are empty or overlap; export the document again")
        annotations = [
            make_annotation(*_in_characters(units, one, text), label, f"label {label!r:.40}")
            for one, label in self._spans
        ]

        def given(_: str) -> Iterator[list[tuple[int, int]]]:
            yield from spans

        return tag_text(text, annotations, given, place=place, document=self._source, overlap=overlap)


def _in_characters(units: Utf16, place: _Place, text: str) -> tuple[int, int]:
    start, end = units.characters(place.start), units.characters(place.end)
    if start is None or end is None or start >= end:
        raise MalformedError(f"offsets {place.start}-{place.end} are not in the text; export the document again")
    return start, end


def _units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: _CONTROLS.get(match[1], match[1]), text) if "\\" in text else text
