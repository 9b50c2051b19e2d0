"""Compressed input: what is in it, to the byte, in small memory; what is cut off or damaged is told."""

from __future__ import annotations

import gzip
import io
import random
import sys
from collections.abc import Callable
from pathlib import PurePath

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tagger.bulk.compression import compression_of, decompressed
from tagger.errors import UserError

COMPRESS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}
KINDS = sorted(COMPRESS)


@pytest.mark.parametrize("kind", KINDS)
@given(parts=st.lists(st.binary(max_size=3000), max_size=4), size=st.integers(1, 5000))
def test_parts_in_a_row_are_one(kind: str, parts: list[bytes], size: int) -> None:
    stream = decompressed(io.BytesIO(b"".join(map(COMPRESS[kind], parts))), kind)
    assert b"".join(iter(lambda: stream.read(size), b"")) == b"".join(parts)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cut_off_anywhere_is_told(kind: str) -> None:
    whole = COMPRESS[kind](random.Random(0).randbytes(300))
    for length in range(1, len(whole)):
        with pytest.raises(OSError, match=r"cut off after|damaged"):
            decompressed(io.BytesIO(whole[:length]), kind).read()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_compressed_is_told(kind: str) -> None:
    with pytest.raises(OSError, match=r"damaged .* data after 0 bytes of content"):
        decompressed(io.BytesIO(b"Ada met Bob."), kind).read()


@pytest.mark.parametrize("kind", KINDS)
def test_little_is_read_ahead(kind: str) -> None:
    compressed = io.BytesIO(COMPRESS[kind](random.Random(0).randbytes(1 << 20)))
    inside = decompressed(compressed, kind)
    assert len(inside.read(1)) == 1
    assert compressed.tell() < 1 << 18


@pytest.mark.parametrize(
    ("name", "kind"), [("a.txt.gz", ".gz"), ("a.ZST", ".zst"), ("a.txt", ""), ("gz", ""), (".gz", "")]
)
def test_names_tell_how(name: str, kind: str) -> None:
    assert compression_of(PurePath(name)) == kind


def test_what_is_not_compressed_is_left_alone() -> None:
    stream = io.BytesIO(b"Ada")
    assert decompressed(stream, "") is stream


@pytest.mark.parametrize("kind", KINDS)
def test_closing_closes_the_file(kind: str) -> None:
    stream = io.BytesIO(COMPRESS[kind](b"Ada"))
    with decompressed(stream, kind) as inside:
        inside.read()
    assert stream.closed


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(UserError, match=r"pip install 'gru-tagger\[corpus\]'"):
        decompressed(io.BytesIO(), ".zst")
