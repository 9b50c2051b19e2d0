"""Read BRAT standoff: a text in NAME.txt, its annotations in NAME.ann."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from tagger.corpus.readers.account import MalformedError, ReadReport, open_bytes
from tagger.corpus.readers.annotations import Annotation, Overlap, ReadSentence, deliver, tag_text
from tagger.corpus.readers.records import make_annotation
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import Tokenizer
from tagger.errors import UserError

_ENTITY = re.compile(r"T[^\t]*\t([^\t]+?) (\d+ \d+(?:;\d+ \d+)*)\t(.*)", re.DOTALL)
_KINDS = {  # by the first letter of a line
    **{"R": "relations", "*": "relations", "E": "events", "A": "attributes", "M": "attributes"},
    **{"N": "normalisations", "#": "notes"},
}


def read_brat(path: Path, report: ReadReport, *, tokenizer: Tokenizer, overlap: Overlap = "stop") -> Iterator[Sentence]:
    """Read documents of BRAT, one by one. Each counts as a line.

    Entities are read. Others, such as relations, are counted, and so are entities of several fragments. Texts without
    a file of annotations are left out and counted.

    Args:
        path: a folder, in which all texts below are read in the order of their paths, or one of the two files.
        report: counts what is read.
        tokenizer: splits the text.
        overlap: which of entities that share a token to keep; see `annotations.without_overlap`.

    Raises:
        UserError: there are no texts, or a file cannot be read. With `on_error=stop`: a document is malformed.
    """
    texts = sorted(path.rglob("*.txt")) if path.is_dir() else [path.with_suffix(".txt")]
    if not texts:
        raise UserError(f"{path}: no .txt file in this folder; name the folder of BRAT's texts and annotations")
    for text_path in texts:
        report.line()
        annotations_path = text_path.with_suffix(".ann")
        place = str(annotations_path)
        if not annotations_path.exists() and path.is_dir():
            report.leave_out(str(text_path), "no .ann file beside it; left out", "texts without annotations")
            report.close_sentence()
            continue
        try:
            name = str(text_path.relative_to(path).with_suffix("")) if path.is_dir() else text_path.stem
            found = _document(text_path, annotations_path, name, place, report, tokenizer, overlap)
        except MalformedError as problem:
            report.reject(place, str(problem))
            report.close_sentence()
        else:
            yield from deliver(found, report)


def _document(
    text_path: Path, path: Path, name: str, place: str, report: ReadReport, tokenizer: Tokenizer, overlap: Overlap
) -> list[ReadSentence]:
    text = _decoded(text_path)
    annotations: list[Annotation] = []
    for number, line in enumerate(_decoded(path).split("\n"), start=1):
        line = line.removesuffix("\r")
        if not line.strip():
            continue
        if not line.startswith("T"):
            report.ignore(f"{place}:{number}", _KINDS.get(line[0], "other annotations"))
        elif found := _entity(line, f"line {number}", text):
            annotations.append(found)
        else:
            report.ignore(f"{place}:{number}", "entities of several fragments")
    return tag_text(text, annotations, tokenizer, place=place, document=name, overlap=overlap)


def _entity(line: str, where: str, text: str) -> Annotation | None:
    """Read an entity. None if it has several fragments that are apart."""
    match = _ENTITY.fullmatch(line)
    if match is None:
        raise MalformedError(f"{where}: expected T1, TAB, label, start and end, TAB, text; found {line!r:.60}")
    fragments = [tuple(map(int, ends.split())) for ends in match[2].split(";") if len(ends) < 40]
    label = match[1]
    if len(fragments) != match[2].count(";") + 1:
        raise MalformedError(f"{where}: offsets that are too long; correct them")
    if any(text[end:start].strip() for (_, end), (start, _) in pairwise(fragments)):
        return None
    found = make_annotation(fragments[0][0], fragments[-1][1], label, where)
    covered = text[found.start : found.end]
    if covered.split() != match[3].split():
        there = f"{covered!r:.60}, not {match[3]!r:.60}"
        raise MalformedError(f"{where}: characters {found.start}-{found.end} are {there}; correct the offsets")
    return found


def _decoded(path: Path) -> str:
    with open_bytes(path) as stream:
        try:
            return stream.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedError(f"{path.name}: invalid UTF-8 at byte {error.start}; save the file as UTF-8") from None
        except OSError as error:
            raise UserError(f"{path}: cannot read: {error.strerror or error}; check the path") from error
