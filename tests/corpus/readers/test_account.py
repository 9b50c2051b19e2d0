"""Lines of a file and the account of them."""

import gzip
import io
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus.readers.account import OnError, ReadReport, open_bytes, read_lines
from tagger.corpus.readers.columns import ColumnLayout, columns_from
from tagger.errors import UserError


def lines_of(content: bytes, on_error: OnError = OnError.STOP) -> tuple[list[str], ReadReport]:
    report = ReadReport("file", on_error)
    lines = [text for _, text in read_lines(io.BytesIO(content), report)]
    report.close_sentence()
    return lines, report


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\n\nb", ["a", "", "b"]),
        ("a\u2028b\x0bc\x85d\n".encode(), ["a\u2028b\x0bc\x85d"]),
        (b"", []),
        (b"\xef\xbb\xbf", []),
        (b"\xef\xbb\xbf\n", [""]),
    ],
)
def test_lines_end_at_lf_or_crlf_alone(content: bytes, expected: list[str]) -> None:
    assert lines_of(content)[0] == expected


def test_a_byte_order_mark_is_removed_and_counts_as_a_repair() -> None:
    lines, report = lines_of(b"\xef\xbb\xbfa\nb\n")
    assert lines == ["a", "b"]
    assert (report.lines.kept, report.lines.repaired, report.sentences.repaired) == (1, 1, 1)
    assert report.places == ["file:1: byte-order mark removed"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"good\nb\xffd\n", r"file:2: invalid UTF-8 \(byte 0xff at column 2\)"), (b"a\0\n", "file:1: a NUL character")],
)
def test_bytes_that_are_no_text_stop_the_run_by_place(content: bytes, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        lines_of(content)


def test_bytes_that_are_no_text_reject_the_sentence_where_asked_to_skip() -> None:
    lines, report = lines_of(b"a\xffb\n", OnError.SKIP)
    assert lines == ["a\ufffdb"]
    assert (report.sentences.rejected, report.lines.rejected) == (1, 1)


def test_the_first_few_places_are_listed_and_the_rest_is_owned_to() -> None:
    report = ReadReport("file", OnError.SKIP)
    for number in range(9):
        report.line()
        report.reject(f"file:{number}", "wrong")
        assert not report.close_sentence()
    assert report.places == ["file:0: wrong", "file:1: wrong", "file:2: wrong", "further places are not listed"]
    assert report.summary().startswith("file: sentences 9 read = 0 kept + 0 repaired + 9 rejected; lines 9 read")


def test_a_repair_marks_the_sentence_and_its_line() -> None:
    report = ReadReport("file")
    report.line()
    report.repair("file:1: mended")
    assert report.close_sentence()
    report.line()
    assert report.close_sentence()
    assert (report.sentences.kept, report.sentences.repaired) == (1, 1)
    assert (report.lines.kept, report.lines.repaired) == (1, 1)


def test_what_is_left_out_on_purpose_does_not_stop_the_run() -> None:
    report = ReadReport("file")
    report.line()
    report.leave_out("file:1", "skipped")
    assert not report.close_sentence()
    assert report.sentences.rejected == 1


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("missing.conll", "no such file; check the path"),
        (".", "a folder; check the path, a file is needed"),
        ("file/below.conll", "cannot read: Not a directory; check its permissions"),
    ],
)
def test_unreadable_files_are_told_in_a_line(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=problem):
        open_bytes(tmp_path / name)


@given(
    st.lists(
        st.sampled_from(
            ["a\tO", "b\tB-X", "c", "d\tO\tO", "\tO", "e\t", "", "\t", " ", "-DOCSTART-", "# note", "é\tO "]
        )
    )
)
def test_kept_repaired_and_rejected_sum_to_what_was_read(lines: list[str]) -> None:
    report = ReadReport("file", OnError.SKIP)
    content = "\n".join(lines).encode()
    layout = ColumnLayout(separator="tab", comment_prefix="#")
    sentences = list(columns_from(io.BytesIO(content), report, layout=layout))
    assert report.lines.read == len(content.split(b"\n")) - (content.endswith(b"\n") or not content)
    assert report.sentences.kept + report.sentences.repaired == len(sentences)
    assert report.sentences.read == report.sentences.kept + report.sentences.repaired + report.sentences.rejected


@pytest.mark.parametrize("on_error", OnError)
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (gzip.compress(b"a O", mtime=0), "compressed with gzip, not text; decompress it first: gunzip"),
        (
            zstandard.ZstdCompressor().compress(b"a O"),
            "compressed with Zstandard, not text; decompress it first: unzstd",
        ),
        (b"PK\x03\x04\n", "a ZIP archive, not text; unpack it first"),
        (b"PAR1\x15\x04\n", "a Parquet file, not text; read it as such"),
    ],
)
def test_what_is_packed_is_told_as_such(content: bytes, kind: str, on_error: OnError) -> None:
    with pytest.raises(UserError, match=f"^file: {kind}"):
        lines_of(content, on_error)


def test_text_that_begins_like_a_file_is_text() -> None:
    assert lines_of(b"PAR1 and PK are names\n")[0] == ["PAR1 and PK are names"]
