"""Raw text as sentences: each once, without labelled ones, whatever the format; bad files in one line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tagger.distillation.raw_text import DUPLICATES, HELD_OUT, RawText
from tagger.errors import UserError

TEXT = "Anna went home. Bob stayed.\nIt rained all day.\n\nAnna went home.\n"


def sentences_of(text: RawText) -> list[str]:
    return [" ".join(sentence.tokens) for sentence in text.sentences()]


def test_sentences_come_in_order_and_each_once(tmp_path: Path) -> None:
    (tmp_path / "raw.txt").write_text(TEXT)
    text = RawText([str(tmp_path / "raw.txt")], "syntok", [])
    assert sentences_of(text) == ["Anna went home .", "Bob stayed .", "It rained all day ."]
    assert text.left_out == {DUPLICATES: 1}
    assert sentences_of(text) == ["Anna went home .", "Bob stayed .", "It rained all day ."]
    assert text.left_out == {DUPLICATES: 1}, "counted again, not on top"


@pytest.mark.parametrize(
    ("labelled", "left"),
    [
        (["bob", "stayed."], ["Anna went home .", "It rained all day ."]),
        (["Anna", "went", "home", ".", "Bob", "stayed", "."], ["It rained all day .", "Anna went home ."]),
    ],
)
def test_labelled_sentences_are_left_out_however_they_are_split(
    tmp_path: Path, labelled: list[str], left: list[str]
) -> None:
    (tmp_path / "raw.txt").write_text(TEXT)
    text = RawText([str(tmp_path / "raw.txt")], "syntok", [labelled])
    assert sentences_of(text) == left
    assert text.left_out[HELD_OUT] == 1


def test_formats_and_compression_are_those_of_tagging(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "One here."}) + "\n" + json.dumps({"tokens": ["Two", "."]}))
    with gzip.open(tmp_path / "b.txt.gz", "wt") as stream:
        stream.write("Three there.\n")
    text = RawText([str(tmp_path)], "syntok", [])
    assert sentences_of(text) == ["One here .", "Two .", "Three there ."]
    assert [Path(name).name for name in text.names] == ["a.jsonl", "b.txt.gz"]


def test_the_digest_depends_on_content_tokenizer_and_labelled_sentences_alone(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.txt", "b.txt", "c.txt")]
    for path, content in zip(paths, ("x\n", "x\n", "y\n"), strict=True):
        path.write_text(content)
    a, b, c = map(str, paths)
    digest = RawText([a], "syntok", [["q"], ["r"]]).digest()
    assert digest == RawText([b], "syntok", [["r"], ["q"]]).digest()
    others = [
        RawText([c], "syntok", [["q"], ["r"]]),
        RawText([a], "whitespace", [["q"], ["r"]]),
        RawText([a], "syntok", []),
    ]
    assert len({digest, *(other.digest() for other in others)}) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Good.\nNa\xefve.\n", r"raw\.txt:2: .*UTF-8"),
        (b"\x1f\x8b\x08\x00gzip", r"raw\.txt.*gzip"),
    ],
)
def test_files_that_are_no_text_are_reported_with_their_place(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "raw.txt").write_bytes(content)
    with pytest.raises(UserError, match=message):
        sentences_of(RawText([str(tmp_path / "raw.txt")], "syntok", []))


def test_lines_are_counted_through_a_long_file(tmp_path: Path) -> None:
    lines = [b"A line of text that is long enough to need several parts."] * 60_000
    lines[50_000] = b"\xff"
    (tmp_path / "raw.txt").write_bytes(b"\n".join(lines))
    with pytest.raises(UserError, match=r"raw\.txt:50001: "):
        sentences_of(RawText([str(tmp_path / "raw.txt")], "whitespace", []))


@pytest.mark.parametrize(("files", "message"), [(["-"], "standard input"), (["none.txt"], "none.txt")])
def test_what_cannot_be_read_twice_or_is_missing_is_refused(in_tmp_path: Path, files: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        RawText(files, "syntok", [])
