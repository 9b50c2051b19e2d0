"""Read files of predictions made by other software, aligned with gold data line by line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import NamedTuple

from tagger.corpus.readers.account import MalformedError, ReadReport, check_tag, open_bytes, read_lines
from tagger.corpus.readers.marks import is_document_mark
from tagger.corpus.schemes import OUTSIDE, Scheme, bare_note, detect_scheme, is_bare
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError

_COMMENT = re.compile("#[^\t]*$")
_ADVICE = "the files must align line by line"


@dataclass(frozen=True)
class Aligned:
    """Gold sentences with the predictions for them, the gold tags' scheme, and how many words differ in the two."""

    sentences: list[Sentence]
    predicted: list[list[str]]
    scheme: Scheme
    differing_words: int
    warnings: list[str]

    @property
    def gold(self) -> list[list[str]]:
        """Gold tags of each sentence."""
        return [sentence.tags or [] for sentence in self.sentences]


class _Line(NamedTuple):
    """A line of a column file. Blank lines, comments and document marks have no columns."""

    place: str  # file:line
    columns: list[str]
    begins_document: bool = False


class _StrictReport(ReadReport):
    """A report that raises on a rejected line, because dropping it would break the alignment."""

    def reject(self, place: str, problem: str) -> None:
        raise UserError(f"{place}: {problem}")


def read_aligned(gold: Path, predictions: Path) -> Aligned:
    """Read a gold file and a file of predictions that align line by line.

    In each file the first column is the word and the last one the tag. A file's columns are separated by TABs if its
    first line of content has one, else by blanks. Sentences are separated by blank lines (white space allowed), by
    `-DOCSTART-` lines and, in files with TABs, by comments (`# ...` without a TAB). Separators at the end of a file
    need no partner. Lines are aligned by position alone; differing words are counted.

    Raises:
        UserError: a word is aligned with a blank line, a file ends early, a line has fewer than two columns, one file
            holds plain tags and the other entities, or there are no words.
    """
    return _aligned(_paired(gold, predictions), -1, str(gold), str(predictions))


def read_three_columns(path: Path) -> Aligned:
    """Read a file with both sides: the word first, the gold tag second to last, the predicted tag last.

    Raises:
        UserError: a line has fewer than three columns, one side holds plain tags and the other entities, or there are
            no words.
    """
    pairs = ((line, line) for line in _content(path, 3))
    return _aligned(pairs, -2, f"{path} (gold column)", f"{path} (predicted column)")


def common_scheme(
    gold: Iterable[list[str]], predicted: Iterable[list[str]], gold_source: str, predicted_source: str
) -> Scheme:
    """Find the scheme for scoring two sides: the gold tags', if both sides are plain or both mark spans.

    Raises:
        UserError: one side has plain tags and the other spans, or a side mixes schemes.
    """
    gold, predicted = list(gold), list(predicted)
    schemes = detect_scheme(gold, gold_source), detect_scheme(predicted, predicted_source)
    if Scheme.PLAIN not in schemes:
        return schemes[0]
    for tags, source, other in ((gold, gold_source, predicted_source), (predicted, predicted_source, gold_source)):
        prefixed = next((tag for tag in chain.from_iterable(tags) if re.match("[BIESLU]-.", tag)), None)
        if prefixed is not None:
            raise UserError(
                f"{source}: entity tags ({prefixed!r}) where {other} has plain tags; "
                "check that the same column holds the tag in both"
            )
    if schemes[0] in (Scheme.PLAIN, Scheme.IO):
        return schemes[0]
    return detect_scheme([*gold, *predicted], gold_source)  # every gold tag is O


def _content(path: Path, columns: int) -> list[_Line]:
    """Read the lines of a column file up to its last word, each with at least `columns` columns."""
    report = _StrictReport(str(path))
    with open_bytes(path) as stream:
        lines = [(f"{path}:{number}", text) for number, text in read_lines(stream, report)]
    contents = (text for _, text in lines if text.strip() and not _COMMENT.match(text))
    separator = "\t" if "\t" in next(contents, "") else " "
    split = [_Line(place, _split(text, separator, place, columns), is_document_mark(text)) for place, text in lines]
    while split and not split[-1].columns:
        split.pop()
    if not split:
        raise UserError(f"{path}: no words; expected lines of columns, the word first and the tag last")
    return split


def _split(text: str, separator: str, place: str, expected: int) -> list[str]:
    if not text.strip() or is_document_mark(text) or (separator == "\t" and _COMMENT.match(text)):
        return []
    columns = text.split("\t") if separator == "\t" else re.split("[ \t]+", text.strip(" \t"))
    columns = [columns[0], *(column.strip() for column in columns[1:])]
    if len(columns) < expected:
        needed = "a word and a tag" if expected == 2 else "a word, its gold tag and its predicted tag"
        parted = "a TAB" if separator == "\t" else "blanks"
        raise UserError(f"{place}: {len(columns)} of {expected} columns; expected {needed}, separated by {parted}")
    if not all(columns[1 - expected :]):
        raise UserError(f"{place}: an empty tag column; write O where there is no entity")
    try:
        check_tag("".join(columns[1 - expected :]))
    except MalformedError as problem:
        raise UserError(f"{place}: {problem}") from None
    return columns


def _paired(gold: Path, predictions: Path) -> Iterator[tuple[_Line, _Line]]:
    """Yield aligned lines. Raise UserError where only one side has a word."""
    sides = _content(gold, 2), _content(predictions, 2)
    for gold_line, predicted_line in zip(*sides, strict=False):
        if bool(gold_line.columns) != bool(predicted_line.columns):
            blank, word = (predicted_line, gold_line) if gold_line.columns else (gold_line, predicted_line)
            raise UserError(
                f"{blank.place}: a blank line where {word.place} has the word {word.columns[0]!r}; {_ADVICE}"
            )
        yield gold_line, predicted_line
    shorter, longer = sorted(sides, key=len)
    extra = next((line for line in longer[len(shorter) :] if line.columns), None)
    if extra is not None:
        raise UserError(
            f"{shorter[-1].place}: the file ends here, but {extra.place} has the word {extra.columns[0]!r}; {_ADVICE}"
        )


def _aligned(
    pairs: Iterable[tuple[_Line, _Line]], gold_column: int, gold_source: str, predicted_source: str
) -> Aligned:
    """Group aligned lines into sentences, find their scheme, and warn of what is odd.

    Sentences have the number of their document. It is None before the gold file's first document mark.
    """
    sentences, predicted, warnings, differing = [], [], [], []
    documents = 0
    for has_words, group in groupby(pairs, key=lambda pair: bool(pair[0].columns)):
        lines = list(group)
        if not has_words:
            documents += sum(line.begins_document for line, _ in lines)
            continue
        words, tags = [line.columns[0] for line, _ in lines], [line.columns[gold_column] for line, _ in lines]
        document = str(documents) if documents else None
        sentences.append(Sentence(words, tags, document=document, place=lines[0][0].place))
        predicted.append([line.columns[-1] for _, line in lines])
        differing += [
            f"{other.place}: {other.columns[0]!r} for {line.columns[0]!r}"
            for line, other in lines
            if line.columns[0] != other.columns[0]
        ]
    if differing:
        warnings.append(
            f"{len(differing):,} of {sum(map(len, sentences)):,} words differ from the gold file (the first at "
            f"{differing[0]}); scored line by line anyway"
        )
    gold = [sentence.tags or [] for sentence in sentences]
    scheme = common_scheme(gold, predicted, gold_source, predicted_source)
    if scheme is not Scheme.PLAIN:
        sides = (gold, gold_source), (predicted, predicted_source)
        distinct = [(set(chain.from_iterable(tags)), source) for tags, source in sides]
        bare = [(set(filter(is_bare, tags)), source) for tags, source in distinct]
        warnings += [bare_note(tags, source) for tags, source in bare if tags and scheme is not Scheme.IO]
        warnings += [f"{source}: no entities, every tag is O" for tags, source in distinct if tags == {OUTSIDE}]
    return Aligned(sentences, predicted, scheme, len(differing), warnings)
