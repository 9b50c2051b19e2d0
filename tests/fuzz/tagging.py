"""Target: tag.py from its command line to its output, text on standard input."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any
from unittest.mock import patch

import tagger
from tagger.commands import tag as command
from tagger.commands.tag_options import parser_of
from tagger.corpus.schemes import Scheme
from tagger.engines.numpy_engine import NumpyEngine
from tagger.predict import Tagger
from tests.fuzz import places as files
from tests.fuzz.pages import Page
from tests.fuzz.told import check_line, choices
from tests.random_models import random_folder

_INPUTS = ("line", "paragraph", "file", "jsonl", "conll", "conllu")
_OUTPUTS: tuple[tuple[str, ...], ...] = (
    ("--tokens",),
    ("--tokens", "--scores", "--n-best=2"),
    (),
    ("--format=conll",),
    ("--format=conll", "--scores"),
    ("--format=html", "--scores"),
)
_PACKED = ("x.txt.gz", "x.jsonl.gz", "x.txt.zst", "x.conll.zst", "x.parquet")
_TOKENIZERS = ("syntok", "whitespace", "characters")
_SCHEMES = (Scheme.BIOES, Scheme.PLAIN)
_WRITTEN = frozenset({"text", "entities", "tokens", "tags", "scores", "alternatives"})
_ON_PAGE = frozenset({
    ("html", ()), ("head", ()), ("meta", ("charset",)), ("meta", ("name", "content")), ("title", ()), ("style", ()),
    ("body", ()), ("h2", ()), ("p", ("dir",)), ("mark", ("style",)), ("mark", ("style", "title")), ("small", ()),
    ("footer", ()), ("ul", ()), ("li", ()),
})  # fmt: skip
_BREAKS = re.compile("[\0\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029\ud800-\udfff]")


def tag(data: bytes) -> None:
    """Either one line and code 2, whole records before it, or all that was given, tagged."""
    numbers, content = choices(data, len(_INPUTS), len(_OUTPUTS), len(_TOKENIZERS), len(_SCHEMES))
    given, output = _INPUTS[numbers[0]], _OUTPUTS[numbers[1]]
    text = given in ("line", "paragraph", "file")
    how = [f"--unit={given}", "--input-format=text"] if text else [f"--input-format={given}"]
    code, written, told = _run([*how, *output, f"--tokenizer={_TOKENIZERS[numbers[2]]}"], content, _SCHEMES[numbers[3]])
    _check_told(code, told)
    if "--format=html" in output:
        assert bool(written) == (code == 0)
        if not code:
            _check_page(written, given, content)
    elif "--format=conll" in output:
        _check_columns(written, 2 + ("--scores" in output), None if code else _given(given, content))
    else:
        records = _check_records(written, output, _SCHEMES[numbers[3]] is Scheme.PLAIN)
        if not code:
            _check_complete(records, given, content, output)


def tag_packed(data: bytes) -> None:
    """The same of compressed files and Parquet: what comes of damaged ones is a line, behind whole records."""
    numbers, content = choices(data, len(_PACKED), 2, len(_SCHEMES))
    output, scheme = _OUTPUTS[numbers[1]], _SCHEMES[numbers[2]]
    code, written, told = _run([str(files.written(content, _PACKED[numbers[0]])), *output], b"", scheme)
    _check_told(code, told)
    _check_records(written, output, scheme is Scheme.PLAIN)


def _check_told(code: int, told: str) -> None:
    if code:
        assert code == 2
        (line,) = told.removesuffix("\n").split("\n")
        assert line.startswith("tag.py: ")
        check_line(line)
    else:
        assert not told


def _run(arguments: Sequence[str], content: bytes, scheme: Scheme) -> tuple[int, str, str]:
    """The exit code, and what is written on standard output and standard error."""
    streams = {"stdin": io.TextIOWrapper(io.BytesIO(content)), "stdout": io.TextIOWrapper(io.BytesIO()),
               "stderr": io.StringIO()}  # fmt: skip
    loaded = patch.object(tagger, "load", lambda *_, **__: _model(scheme))
    with loaded, patch.object(command, "parser_of", _parser), patch.multiple(sys, **streams):
        code = command.main(["--model=model", "--quiet", *arguments])
    streams["stdout"].flush()
    written = streams["stdout"].buffer.getvalue()  # type: ignore[attr-defined]
    return code, written.decode("utf-8"), streams["stderr"].getvalue()  # type: ignore[attr-defined]


_parser = cache(parser_of)  # making one takes longer than all else


@cache
def _model(scheme: Scheme) -> Tagger:
    folder = random_folder(scheme=scheme, parts=("word", "shape", "affixes"), hidden=2)
    return Tagger(folder, NumpyEngine(folder))


def _check_records(written: str, output: Sequence[str], plain: bool) -> list[dict[str, Any]]:
    """Whole records, each in itself aligned."""
    assert written == "" or written.endswith("\n")
    records = [json.loads(line) for line in written.split("\n")[:-1]]
    for record in records:
        text, scored = record["text"], "--scores" in output
        assert plain or _in_order(record["entities"], text)
        if plain or "--tokens" in output:
            tokens, tags = record["tokens"], record["tags"]
            assert len(tokens) == len(tags)
            assert all(tags)
            assert not (plain and scored) or len(record["scores"]) == len(tags)
            assert plain or sum(one.startswith("B-") for one in tags) == len(record["entities"])
        for sentence in record.get("alternatives", []) if "--n-best=2" in output else []:
            assert 0 <= sentence["start"] <= sentence["end"] <= len(text)
            assert 1 <= len(sentence["taggings"]) <= 2
            assert all(plain or _in_order(tagging["entities"], text) for tagging in sentence["taggings"])
    return records


def _in_order(entities: Sequence[dict[str, Any]], text: str) -> bool:
    position = 0
    for entity in entities:
        start, end = entity["start"], entity["end"]
        if not position <= start <= end <= len(text) or text[start:end] != entity["text"] or not entity["label"]:
            return False
        position = end
    return True


def _check_complete(records: list[dict[str, Any]], given: str, content: bytes, output: Sequence[str]) -> None:
    """All that was given has come out, in its order."""
    if given == "line":
        assert [record["text"] for record in records] == _lines(content)
    elif given == "file":
        assert [record["text"] for record in records] == list(filter(None, [_without_mark(content).decode()]))
    elif given == "jsonl":
        before = [json.loads(line) for line in _lines(content) if line.strip()]
        for record, was in zip(records, before, strict=True):
            assert {k: v for k, v in record.items() if k not in _WRITTEN} == _comparable(was)
            assert not isinstance(was.get("text"), str) or record["text"] == was["text"]
    if "--tokens" not in output:
        return
    tokens = [token for record in records for token in record["tokens"]]
    whole, expected = _given(given, content)
    assert tokens == expected if whole else _unspaced("".join(tokens)) == _unspaced("".join(expected))


def _comparable(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in _WRITTEN}


def _check_columns(written: str, columns: int, given: tuple[bool, list[str]] | None) -> None:
    """A line for each token, and a blank one behind each sentence."""
    assert written == "" or written.endswith("\n\n")
    rows = [line.split("\t") for line in written.split("\n") if line]
    assert all(len(row) == columns and all(row) for row in rows)
    if given is None:
        return
    whole, expected = given
    if whole:
        shown = [_BREAKS.sub("\ufffd", token) if token.strip() else "\ufffd" for token in expected]
        assert [row[0] for row in rows] == shown
    else:
        kept = _unspaced("".join(row[0] for row in rows), "\ufffd")
        assert kept == _unspaced(_BREAKS.sub("", "".join(expected)), "\ufffd")


def _check_page(written: str, given: str, content: bytes) -> None:
    page = Page(written)
    assert page.elements <= _ON_PAGE
    if given == "line":
        assert page.counts.get("p", 0) == len(_lines(content))


def _given(given: str, content: bytes) -> tuple[bool, list[str]]:
    """Tokens, where these were given, or else texts; read here once more, in the plainest way."""
    lines = _lines(content)
    if given == "conll":
        first = next((line for line in lines if line.strip() and not _is_mark(line)), "")
        parted = (lambda line: line.split("\t")) if "\t" in first else (lambda line: re.findall("[^ \t]+", line))
        return True, [parted(line)[0] for line in lines if line.strip() and not _is_mark(line)]
    if given == "conllu":
        return True, [line.split("\t")[1] for line in lines if re.match("[1-9][0-9]*\t", line)]
    if given == "jsonl":
        records = [json.loads(line) for line in lines if line.strip()]
        tokens = [isinstance(one.get("tokens"), list) and not isinstance(one.get("text"), str) for one in records]
        if all(tokens):
            return True, [token for one in records for token in one["tokens"]]
        return False, [one["text"] if isinstance(one.get("text"), str) else "".join(one["tokens"]) for one in records]
    return False, lines


def _is_mark(line: str) -> bool:
    return line.split()[0] == "-DOCSTART-" and line.startswith("-DOCSTART-")


def _without_mark(content: bytes) -> bytes:
    return content.removeprefix(b"\xef\xbb\xbf")


def _lines(content: bytes) -> list[str]:
    content = _without_mark(content)
    lines = content.split(b"\n")
    if not content or (len(lines) > 1 and not lines[-1]):
        lines.pop()
    return [line.removesuffix(b"\r").decode() for line in lines]


def _unspaced(text: str, more: str = "") -> str:
    """Text without white space and zero-width spaces, and without `more`."""
    return "".join(character for character in text if not character.isspace() and character not in f"\u200b{more}")
