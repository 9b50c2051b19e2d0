"""Read two parallel files, one sentence per line: tokens and tags, such as `seq.in` and `seq.out` of SNIPS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path

from tagger.corpus.readers.account import MalformedError, ReadReport, check_tag, counted, fields, open_bytes, read_lines
from tagger.corpus.sentence import Sentence


def read_parallel(token_path: Path, tag_path: Path | None, report: ReadReport) -> Iterator[Sentence]:
    """Read two files line by line in constant memory. Tokens and tags are separated by spaces or TABs.

    A pair of blank lines is no sentence. The lines of both files are counted.

    Args:
        token_path: one sentence per line.
        tag_path: one tag per token, on the same lines. None: no tags.
        report: counts what is read.

    Raises:
        UserError: a file cannot be read. With `on_error=stop`: a line has not as many tags as tokens, or one file ends
            early.
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
    """Strip other white space, such as no-break spaces, from tags. Also check them."""
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
    """Yield the lines of both files in pairs. None after the end of a file."""
    for token_line, tag_line in zip_longest(token_lines, tag_lines):
        yield (token_line[1] if token_line else None), (tag_line[1] if tag_line else None)
