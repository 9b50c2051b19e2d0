"""Two parallel files: tokens in one and tags in the other, a sentence a line, as SNIPS has `seq.in` and `seq.out`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path

from tagger.corpus.readers.account import MalformedError, ReadReport, check_tag, counted, fields, open_bytes, read_lines
from tagger.corpus.sentence import Sentence


def read_parallel(token_path: Path, tag_path: Path | None, report: ReadReport) -> Iterator[Sentence]:
    """Read two files line by line in constant memory, tokens and tags parted by blanks.

    A pair of blank lines is no sentence. The lines of both files are counted.

    Args:
        token_path: a sentence a line.
        tag_path: its tags, as many a line as tokens; None where there are none.
        report: the account of what is read.

    Raises:
        UserError: a file cannot be read; with `on_error=stop`, at the first line whose tags are not as many as its
            tokens, also where one file ends early.
    """
    with ExitStack() as files:
        token_lines = read_lines(files.enter_context(open_bytes(token_path)), report, str(token_path))
        if tag_path is None:
            pairs: Iterator[tuple[str | None, str | None]] = ((text, None) for _, text in token_lines)
        else:
            tag_lines = read_lines(files.enter_context(open_bytes(tag_path)), report, str(tag_path))
            pairs = _pairs(token_lines, tag_lines)
        for number, (token_line, tag_line) in enumerate(pairs, start=1):
            tokens, tags = fields(token_line or ""), fields(tag_line or "")
            if not tokens and not tags:
                report.close_lines()
                continue
            place = f"{token_path}:{number}"
            if tag_path is not None and len(tokens) != len(tags):
                counts = f"{counted(len(tokens), 'token')} but {counted(len(tags), 'tag')} in {tag_path}:{number}"
                report.reject(place, f"{counts}; give each token one tag, on the same line of the other file")
            tags = _stripped(tags, place, report)
            if report.close_sentence():
                yield Sentence(tokens, tags if tag_path is not None else None, place=place)


def _stripped(tags: list[str], place: str, report: ReadReport) -> list[str]:
    """Tags without white space of other kinds than part them, such as no-break spaces."""
    kept = [tag.strip() for tag in tags]
    if not all(kept):
        report.reject(place, "a tag of nothing but white space; write O for none")
    for tag, bare in zip(tags, kept, strict=True):
        try:
            check_tag(bare)
        except MalformedError as problem:
            report.reject(place, str(problem))
        if bare and tag != bare:
            report.repair(f"{place}: blanks around tag {tag!r} removed")
    return kept


def _pairs(
    token_lines: Iterator[tuple[int, str]], tag_lines: Iterator[tuple[int, str]]
) -> Iterator[tuple[str | None, str | None]]:
    """Lines side by side; None where a file has ended."""
    for token_line, tag_line in zip_longest(token_lines, tag_lines):
        yield (token_line[1] if token_line else None), (tag_line[1] if tag_line else None)
