"""Column files."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus.readers.account import OnError, ReadReport
from tagger.corpus.readers.columns import ColumnLayout, columns_from, read_columns
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError


def read(text: str, on_error: OnError = OnError.STOP, **layout: object) -> list[Sentence]:
    report = ReadReport("file", on_error)
    return list(columns_from(io.BytesIO(text.encode()), report, layout=ColumnLayout(**layout)))  # type: ignore[arg-type]


def tokens_and_tags(sentences: list[Sentence]) -> list[tuple[list[str], list[str] | None]]:
    return [(sentence.tokens, sentence.tags) for sentence in sentences]


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("a\tO\nb\tB-X\n\nc\tO\n", {}),
        ("a O\nb B-X\n\nc O", {}),
        ("a  \t O \nb B-X\n\nc O\n", {"separator": "blanks"}),
        ("a\tO\r\nb\tB-X\r\n\r\nc\tO\r\n", {}),
        ("\ufeffa\tO\nb\tB-X\n\nc\tO\n", {}),
        ("\n\na\tO\nb\tB-X\n\t\n \n\u00a0\nc\tO\n\n\n", {}),
        ("a\tO\nb\tB-X\n\t\nc\tO\n\t", {}),
        ("1 a NN O -\n2 b NN B-X -\n\n1 c NN O -\n", {"token_column": 1, "tag_column": 3}),
        ("1 a NN O -\n2 b NN B-X -\n\n1 c NN O -\n", {"token_column": -4, "tag_column": -2}),
        ("# x\na\tO\n# y\nb\tB-X\n\n# z\nc\tO\n# end\n", {"comment_prefix": "#"}),
    ],
)
def test_one_reading_for_many_ways_of_writing(text: str, layout: dict) -> None:
    assert tokens_and_tags(read(text, **layout)) == [(["a", "b"], ["O", "B-X"]), (["c"], ["O"])]


def test_a_hash_begins_a_token_unless_comments_are_asked_for() -> None:
    assert read("#tag\tO\n")[0].tokens == ["#tag"]


def test_between_tabs_tokens_may_be_empty_or_hold_blanks() -> None:
    sentences = read("\tO\nm m\tB-X\n😀 \tO\n")
    assert tokens_and_tags(sentences) == [(["", "m m", "😀 "], ["O", "B-X", "O"])]


def test_a_no_break_space_belongs_to_its_token() -> None:
    assert read("a\u00a0b O\n\u3000 O\n")[0].tokens == ["a\u00a0b", "\u3000"]


def test_a_single_column_is_read_without_tags() -> None:
    assert tokens_and_tags(read("a\nb\n\nc\n", tag_column=None)) == [(["a", "b"], None), (["c"], None)]


@pytest.mark.parametrize(
    ("text", "layout", "problem"),
    [
        ("a O\nb\n", {}, r"file:2: 1 column where the first line has 2"),
        ("a\tO\nb\tO\tO\n", {}, r"file:2: 3 columns where the first line has 2"),
        ("a O\n", {"tag_column": 3}, r"file:1: no column 3 \(found 2\); set data.token_column or data.tag_column"),
        ("a O\n", {"token_column": -3}, r"file:1: no column -3 \(found 2\)"),
        ("a\nb\n", {}, r"file:1: token and tag would be the same column \(found 1\)"),
        ("a\tO\nb\t\n", {}, r"file:2: no tag in column -1"),
        ("a\tO\nb\t \n", {}, r"file:2: no tag in column -1"),
        ("a O\nb B-P\vR\n", {}, r"file:2: tag or label 'B-P\\x0bR' holds a control character \(U\+000B\); rename it"),
        ("a\tO\rb\tO\r", {}, r"file:1: a carriage return inside the first line; save the file with LF or CRLF"),
    ],
)
def test_a_malformed_line_stops_the_run_by_place(text: str, layout: dict, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        read(text, **layout)


def test_skipping_drops_the_whole_sentence_and_counts_it() -> None:
    report = ReadReport("file", OnError.SKIP)
    sentences = list(columns_from(io.BytesIO(b"a O\n\nb O\nc\nd O\n\ne O\n"), report))
    assert [sentence.tokens for sentence in sentences] == [["a"], ["e"]]
    assert (report.sentences.kept, report.sentences.rejected) == (2, 1)
    assert (report.lines.kept, report.lines.rejected) == (3, 4)


def test_blanks_around_a_tag_are_a_repair() -> None:
    report = ReadReport("file")
    (sentence,) = columns_from(io.BytesIO(b"a\tO \nb\tO\n"), report)
    assert sentence.tags == ["O", "O"]
    assert (report.sentences.repaired, report.lines.repaired) == (1, 1)


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("a O\n\nb O\n", [None, None]),
        ("-DOCSTART- -X- O O\n\na x y O\n\nb x y O\n\n-DOCSTART- -X- O O\n\nc x y O\n", ["1", "1", "2"]),
        ("a O\n\n-DOCSTART- O\n\nb O\n-DOCSTART- O\nc O\n", [None, "2", "3"]),
        ("-DOCSTART-\tnews/one\n\na\tO\n\n-DOCSTART-\tO\tblog/two\n\nb\tO\n", ["news/one", "blog/two"]),
        ("-DOCSTART-x O\n", [None]),
    ],
)
def test_documents(text: str, documents: list[str | None]) -> None:
    assert [sentence.document for sentence in read(text)] == documents


def test_comments_give_documents_running_text_and_offsets() -> None:
    text = "# newdoc id = one\n# text = Ab  c.\nAb\tO\nc\tO\n.\tO\n\n# text = no match\na\tO\n\n# newdoc\nb\tO\n"
    first, second, third = read(text, comment_prefix="#")
    assert (first.text, first.offsets, first.document) == ("Ab  c.", [(0, 2), (4, 5), (5, 6)], "one")
    assert (second.text, second.offsets, second.document) == (None, None, "one")
    assert (third.text, third.document) == (None, "2")


def test_places_name_the_first_line_of_the_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.conll"
    path.write_text("# c\n\n# d\na O\nb O\n")
    (sentence,) = read_columns(path, ReadReport(str(path)), layout=ColumnLayout(comment_prefix="#"))
    assert sentence.place == f"{path}:4"


@given(st.lists(st.lists(st.tuples(st.text("ab# é\u00a0", max_size=3), st.sampled_from(["O", "B-X"])), min_size=1)))
def test_what_is_written_between_tabs_is_read_back(sentences: list[list[tuple[str, str]]]) -> None:
    text = "".join("".join(f"{token}\t{tag}\n" for token, tag in sentence) + "\n" for sentence in sentences)
    expected = [([token for token, _ in sentence], [tag for _, tag in sentence]) for sentence in sentences]
    assert tokens_and_tags(read(text, separator="tab")) == expected
