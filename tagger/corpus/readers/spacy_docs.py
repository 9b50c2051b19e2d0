"""Read spaCy's training data: `.spacy` (DocBin), or a JSON list of texts with entities."""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from tagger.corpus.readers.account import MalformedError, ReadReport, open_bytes
from tagger.corpus.readers.annotations import Overlap, ReadSentence, deliver, tag_text
from tagger.corpus.readers.json_list import read_json
from tagger.corpus.readers.records import RecordFields, check_encodable, make_annotation, sentences_from
from tagger.corpus.schemes import OUTSIDE, UNNAMED, spans_from_tags
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import Tokenizer
from tagger.errors import UserError, install_command

ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_MOST_BYTES = 1 << 31  # of a file, decompressed
_ORTH, _ENT_IOB, _ENT_TYPE, _SENT_START, _SPACY = "ORTH", "ENT_IOB", "ENT_TYPE", "SENT_START", "SPACY"
_PREFIXES = {1: "I", 3: "B"}  # of spaCy's numbers; 0 is unknown, 2 is O
_ADVICE = 'take a .spacy file, or a JSON list of [text, {"entities": [[start, end, label]]}]'


def read_spacy(
    path: Path, report: ReadReport, *, tokenizer: Tokenizer, overlap: Overlap = "stop"
) -> Iterator[Sentence]:
    """Read spaCy's training data. The whole file is held in memory. A document counts as a line.

    Of a DocBin, tokens, entities and sentence boundaries are read. Without boundaries, sentences end where those of
    the tokenizer do. Groups of spans are counted. A JSON list may be the value of `annotations` in an object, as
    annotation tools for spaCy write it.

    Args:
        path: the file.
        report: counts what is read.
        tokenizer: splits the texts of a JSON list.
        overlap: which of entities in a JSON list that share a token to keep; see `annotations.without_overlap`.

    Raises:
        UserError: the file cannot be read, or is neither; or spaCy is not installed, which a DocBin needs. With
            `on_error=stop`: a document is malformed.
    """
    with open_bytes(path) as stream:
        head = stream.read(2)
    if head in ZLIB:
        yield from _read_docs(path, report, tokenizer)
        return
    value = read_json(path, _ADVICE)
    pairs = value.get("annotations") if isinstance(value, Mapping) else value
    if not isinstance(pairs, list):
        raise UserError(f"{path}: expected a list of pairs, found {type(pairs).__name__}; {_ADVICE}")
    fields = RecordFields(text="text", tags="entities", overlap=overlap)
    for number, pair in enumerate(pairs, start=1):
        report.line()
        if pair is None:  # a text that was passed over in an annotation tool
            report.leave_out(f"{path}:{number}", "not annotated; left out", "texts that nobody annotated")
            report.close_sentence()
            continue
        yield from sentences_from(pair, f"{path}:{number}", number, report, fields=fields, tokenizer=tokenizer)


def _read_docs(path: Path, report: ReadReport, tokenizer: Tokenizer) -> Iterator[Sentence]:
    try:
        import srsly
        from spacy.attrs import IDS
        from spacy.strings import StringStore
    except ImportError:
        raise UserError(f"{path}: .spacy files need spaCy; install the extra: {install_command('spacy')}") from None
    with open_bytes(path) as stream:
        content = stream.read()
    try:
        message = srsly.msgpack_loads(_decompressed(content, path))
        known = {number: name for name, number in IDS.items()}
        names = [known[number] for number in message["attrs"]]
        strings = StringStore([one for one in message["strings"] if isinstance(one, str)])
        docs = list(_docs(message, names, strings))
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path}: no DocBin of spaCy 3, or damaged ({error}); {_ADVICE}") from None
    missing = [name for name in (_ORTH, _ENT_IOB, _ENT_TYPE) if name not in names]
    if missing:
        raise UserError(f"{path}: a DocBin without {', '.join(missing)}; save it with these attributes")
    groups = message.get("span_groups") or []
    for number, rows in enumerate(docs, start=1):
        place = f"{path}:document {number}"
        report.line()
        if number <= len(groups) and groups[number - 1] not in (b"", b"\x90"):
            report.ignore(place, "groups of spans")
        try:
            sentences = _sentences(rows, str(number), place, tokenizer)
        except MalformedError as problem:
            report.reject(place, str(problem))
            report.close_sentence()
        else:
            yield from deliver(sentences, report)


def _decompressed(content: bytes, path: Path) -> bytes:
    stream = zlib.decompressobj()
    data = stream.decompress(content, _MOST_BYTES)
    if stream.unconsumed_tail:
        raise UserError(f"{path}: larger than {_MOST_BYTES:,} bytes; save it in parts")
    return data


def _docs(message: Mapping[str, Any], names: Sequence[str], words: Any) -> Iterator[list[dict[str, Any]]]:
    """Yield the documents of a DocBin: a row of 64-bit numbers per token, one document behind the other.

    In what is yielded, `ORTH` and `ENT_TYPE` are strings, looked up in `words`, a `StringStore`.
    """
    numbers = array("Q")
    numbers.frombytes(bytes(message["tokens"]))
    spaces = bytes(message["spaces"])
    width, done = len(names), 0
    lengths = array("i", bytes(message["lengths"]))
    if min(lengths, default=0) < 0 or sum(lengths) * width != len(numbers) or sum(lengths) != len(spaces):
        raise ValueError("lengths that do not add up")
    for length in lengths:
        rows = []
        for row in range(done, done + length):
            values: dict[str, Any] = dict(zip(names, numbers[row * width : (row + 1) * width], strict=True))
            for name in (_ORTH, _ENT_TYPE):
                if name in values:
                    values[name] = words[values[name]] if values[name] else ""
            rows.append({**values, _SPACY: spaces[row]})
        done += length
        yield rows


def _sentences(
    rows: Sequence[Mapping[str, Any]], document: str, place: str, tokenizer: Tokenizer
) -> list[ReadSentence]:
    text = ""
    offsets: list[tuple[int, int]] = []
    starts: list[int] = []  # of sentences
    tags: list[str] = []
    for row in rows:
        end = len(text) + len(row[_ORTH])
        if row[_ORTH].strip():  # spaCy has tokens of white space
            offsets.append((len(text), end))
            tags.append(f"{_PREFIXES[row[_ENT_IOB]]}-{row[_ENT_TYPE]}" if row[_ENT_IOB] in _PREFIXES else OUTSIDE)
        if row.get(_SENT_START) == 1:
            starts.append(len(text))
        text += row[_ORTH] + " " * bool(row[_SPACY])
    check_encodable(text)
    if not any(starts):  # a first token always is a start
        starts = [sentence[0][0] for sentence in tokenizer(text)]
    annotations = [
        make_annotation(offsets[start][0], offsets[end - 1][1], "" if label == UNNAMED else label, f"entity {number}")
        for number, (start, end, label) in enumerate(spans_from_tags(tags), start=1)
    ]

    def given(_: str) -> Iterator[list[tuple[int, int]]]:
        for _number, sentence in groupby(offsets, key=lambda span: bisect_right(starts, span[0])):
            yield list(sentence)

    return tag_text(text, annotations, given, place=place, document=document)
