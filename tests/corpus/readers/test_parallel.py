"""Parallel files."""

from pathlib import Path

import pytest

from tagger.corpus.readers.account import OnError, ReadReport
from tagger.corpus.readers.parallel import read_parallel
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError


def read(
    folder: Path, tokens: str, tags: str | None, on_error: OnError = OnError.STOP
) -> tuple[list[Sentence], ReadReport]:
    report = ReadReport(str(folder), on_error)
    token_path, tag_path = folder / "seq.in", folder / "seq.out"
    token_path.write_text(tokens)
    if tags is not None:
        tag_path.write_text(tags)
    return list(read_parallel(token_path, None if tags is None else tag_path, report)), report


def test_lines_pair_up_whatever_the_blanks(tmp_path: Path) -> None:
    sentences, report = read(tmp_path, "play  jazz \nstop\n\n", "O B-genre \nO \n\n")
    assert [(s.tokens, s.tags) for s in sentences] == [(["play", "jazz"], ["O", "B-genre"]), (["stop"], ["O"])]
    assert sentences[1].place == f"{tmp_path / 'seq.in'}:2"
    assert (report.lines.kept, report.sentences.kept) == (6, 2)


def test_tags_lose_the_white_space_around_them(tmp_path: Path) -> None:
    (sentence,), report = read(tmp_path, "a\u00a0 b\n", "\u00a0O B-X\x1d\n")
    assert (sentence.tokens, sentence.tags) == (["a\u00a0", "b"], ["O", "B-X"])
    assert (report.sentences.repaired, report.lines.repaired) == (1, 1)


def test_tokens_alone_have_no_tags(tmp_path: Path) -> None:
    assert read(tmp_path, "a b\n", None)[0] == [Sentence(["a", "b"])]


@pytest.mark.parametrize(
    ("tokens", "tags", "problem"),
    [
        ("a b\n", "O\n", "seq.in:1: 2 tokens but 1 tag in"),
        ("a\nb\n", "O\n", "seq.in:2: 1 token but 0 tags in"),
        ("a\n", "O\nO\n", "seq.in:2: 0 tokens but 1 tag in"),
        ("a b\n", "O B-P\fR\n", r"seq.in:1: tag or label 'B-P\\x0cR' holds a control character"),
        ("a b\n", "O \u00a0\n", "seq.in:1: a tag of nothing but white space"),
    ],
)
def test_unequal_lines_stop_the_run_by_place(tmp_path: Path, tokens: str, tags: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        read(tmp_path, tokens, tags)


def test_a_fault_in_the_tag_file_names_the_tag_file(tmp_path: Path) -> None:
    (tmp_path / "seq.in").write_text("a\n")
    (tmp_path / "seq.out").write_bytes(b"\xff\n")
    with pytest.raises(UserError, match=r"seq\.out:1: invalid UTF-8"):
        list(read_parallel(tmp_path / "seq.in", tmp_path / "seq.out", ReadReport("x")))


def test_skipping_drops_the_pair_and_counts_both_lines(tmp_path: Path) -> None:
    sentences, report = read(tmp_path, "a b\nc\n", "O\nO\n", OnError.SKIP)
    assert [s.tokens for s in sentences] == [["c"]]
    assert (report.sentences.rejected, report.lines.rejected, report.lines.kept) == (1, 2, 2)
