"""Inputs by the million: the same ones in the same order as with plain lists, in little memory."""

from __future__ import annotations

import os
import tracemalloc
from array import array
from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.bulk.file_listing import common, equal_ones, files_below
from tagger.bulk.formats.lines import OutputFormat
from tagger.bulk.inputs import Source, Sources, find_sources
from tagger.bulk.output_paths import plan_outputs
from tagger.bulk.records import InputFormat
from tagger.errors import UserError

_KEYS = st.lists(st.integers(-3, 3)).map(lambda numbers: array("q", numbers))


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("Ada\n")


def test_files_come_in_the_order_of_their_parts(tmp_path: Path) -> None:
    names = ["a/z.txt", "a.txt", "a-b/c.txt", "ab.txt", "B.txt", "a/b/c.txt", "a/b.txt", "é.txt", "a/.x", ".h/a.txt"]
    make(tmp_path, *names)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "a-b")
    os.mkfifo(tmp_path / "pipe.txt")
    shown = [name for name in names if not any(part.startswith(".") for part in PurePath(name).parts)]
    assert list(files_below(tmp_path)) == [str(path) for path in sorted(map(Path, shown))]
    assert "a/z.txt" not in list(files_below(tmp_path, (tmp_path / "a").resolve()))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    make(tmp_path, "a/b/c.txt")
    (tmp_path / "a/b").chmod(0)
    with pytest.raises(UserError, match="a/b: cannot read: Permission denied"):
        list(files_below(tmp_path))
    (tmp_path / "a/b").chmod(0o700)


@given(keys=_KEYS, others=_KEYS)
def test_keys_that_occur_several_times_or_elsewhere_too(keys: array[int], others: array[int]) -> None:
    assert equal_ones(keys) == [place for place, key in enumerate(keys) if keys.count(key) > 1]
    assert common(keys, others) == [place for place, key in enumerate(keys) if key in others]


_NAMES = st.text(st.characters(exclude_characters="\0/"), min_size=1).filter(lambda name: name not in (".", ".."))


@given(
    entries=st.lists(
        st.tuples(st.lists(_NAMES, max_size=2), st.lists(_NAMES, min_size=1, max_size=3), st.sampled_from(InputFormat))
    )
)
def test_inputs_are_given_back_as_they_were(entries: list[tuple[list[str], list[str], InputFormat]]) -> None:
    sources, expected = Sources(), []
    for above, below, kind in entries:
        try:
            path = os.fsdecode(os.fsencode("/".join([*above, *below])))
        except UnicodeEncodeError:  # no file can be called so
            continue
        sources.add(path, "/".join(below), kind)
        expected.append(Source(path=Path(path), input_format=kind, below=PurePath(*below)))
    sources.add(None, "stdin", InputFormat.TEXT)
    expected.append(Source(path=None, input_format=InputFormat.TEXT, below=PurePath("stdin")))
    assert list(sources) == expected
    assert sources[-1] == expected[-1]
    assert sources[1:] == expected[1:]
    with pytest.raises(IndexError):
        sources[len(expected)]


def test_hard_links_are_two_inputs_and_symbolic_ones_the_same(tmp_path: Path) -> None:
    make(tmp_path, "a.txt")
    os.link(tmp_path / "a.txt", tmp_path / "b.txt")
    assert len(find_sources([str(tmp_path)])[0]) == 2
    (tmp_path / "c.txt").symlink_to("a.txt")
    with pytest.raises(UserError, match=r"c.txt: named twice \(also as .*a.txt\)"):
        find_sources([str(tmp_path)])


def test_a_file_takes_little_memory(tmp_path: Path) -> None:
    count = 2000
    make(tmp_path, *(f"{number % 20}/document-{number:08}.txt" for number in range(count)))
    sources = find_sources([str(tmp_path)])[0]  # what is imported meanwhile does not count
    tracemalloc.start()
    sources, _ = find_sources([str(tmp_path)])
    outputs = plan_outputs(sources, tmp_path / "out", OutputFormat.JSONL)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(outputs) == count
    assert kept < 300 * count
    assert peak < 500 * count
