"""Inputs are found once and in order, and take little memory."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path, PurePath

import pytest

from tagger.bulk.formats.lines import OutputFormat
from tagger.bulk.inputs import files_below, find_sources
from tagger.bulk.output_paths import check_outputs
from tagger.errors import UserError


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


def test_hard_links_are_two_inputs_and_symbolic_ones_the_same(tmp_path: Path) -> None:
    make(tmp_path, "a.txt")
    os.link(tmp_path / "a.txt", tmp_path / "b.txt")
    assert len(find_sources([str(tmp_path)])[0]) == 2
    (tmp_path / "c.txt").symlink_to("b.txt")
    with pytest.raises(UserError, match=r"c.txt: named twice \(also as .*b.txt\)"):
        find_sources([str(tmp_path)])


def test_a_file_takes_little_memory(tmp_path: Path) -> None:
    count = 2000
    make(tmp_path, *(f"{number % 20}/document-{number:08}.txt" for number in range(count)))
    tracemalloc.start()
    sources, _ = find_sources([str(tmp_path)])
    check_outputs(sources, tmp_path / "out", OutputFormat.JSONL, rejects=False)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(sources) == count
    assert kept < 300 * count
    assert peak < 500 * count
