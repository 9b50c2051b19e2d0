"""Shards: the blocks that one process would cut, read apart from each other and written whole or not at all."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.bulk import shards
from tagger.bulk.blocks import Block, blocks
from tagger.bulk.formats.lines import OutputFormat
from tagger.bulk.inputs import Source
from tagger.bulk.job import Counts, TaggedBlock
from tagger.bulk.record_readers import read_records
from tagger.bulk.records import InputFormat, ReadOptions
from tagger.bulk.shards import (
    Stretch,
    in_the_way,
    plan_shards,
    read_shards,
    record_sizes,
    shard_name,
    unfinished,
    write_shard,
)
from tagger.errors import UserError

READING = ReadOptions()


def source(path: Path, lines: list[str]) -> Source:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return Source(path=path, input_format=InputFormat.TEXT, below=PurePath(path.name))


def planned(sources: list[Source], per_shard: int) -> list[Stretch]:
    return list(plan_shards(sources, [record_sizes(one, READING) for one in sources], per_shard))


def texts(found: list[Block]) -> list[list[str]]:
    return [[record.text for _, part in block for record in part] for block in found]


def cut_by_one(sources: list[Source]) -> list[list[str]]:
    """The blocks that a single process would cut."""

    def records() -> list[tuple[int, object]]:
        found: list[tuple[int, object]] = []
        for number, one in enumerate(sources):
            assert one.path is not None
            with one.path.open("rb") as stream:
                found += [(number, record) for record in read_records(stream, one.name, one.input_format, READING)]
        return found

    return texts(list(blocks(records())))  # type: ignore[arg-type]


LENGTHS = st.lists(st.lists(st.integers(0, 700), min_size=1, max_size=25), min_size=1, max_size=6)


@given(lengths=LENGTHS, per_shard=st.integers(1, 4))
def test_shards_hold_the_blocks_of_one_process_in_order(lengths: list[list[int]], per_shard: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sources = [
            source(Path(folder, f"{number}.txt"), [f"{place} {'x' * size}" for place, size in enumerate(sizes)])
            for number, sizes in enumerate(lengths)
        ]
        read = [shard for stretch in planned(sources, per_shard) for shard in read_shards(stretch, READING)]
        expected = cut_by_one(sources)
        assert [number for number, _ in read] == list(range(len(read)))
        assert [block for _, parts in read for block in texts(parts)] == expected
        assert all(len(parts) == per_shard for _, parts in read[:-1])


def test_stretches_are_read_apart_and_of_large_files_one_each(tmp_path: Path) -> None:
    large = source(tmp_path / "a.txt", ["x" * 200] * 300)
    small = [source(tmp_path / f"{number}.txt", ["y" * 90]) for number in range(40)]
    stretches = planned([*small[:20], large, *small[20:]], 2)
    of_large = [stretch for stretch in stretches if stretch.sources[0][0] is large]
    assert len(of_large) == 1
    assert len(of_large[0].shards) > 2
    expected = cut_by_one([*small[:20], large, *small[20:]])
    for stretch in reversed(stretches):
        for number, parts in read_shards(stretch, READING):
            assert texts(parts) == expected[2 * number : 2 * number + 2]


@pytest.mark.parametrize("now", [["Ada"] * 29, ["Ada"] * 31], ids=["shorter", "longer"])
def test_input_that_has_changed_is_told(tmp_path: Path, now: list[str]) -> None:
    changing = source(tmp_path / "a.txt", ["Ada"] * 30)
    (stretch,) = planned([changing], 2)
    source(tmp_path / "a.txt", now)
    with pytest.raises(UserError, match=r"a\.txt: has changed since it was first read"):
        list(read_shards(stretch, READING))


def test_a_bad_record_is_told_before_there_is_a_plan(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"id": 1, "text": "Ada"}) + "\n{\n")
    with pytest.raises(UserError, match=r"a\.jsonl:2: no JSON"):
        record_sizes(Source(path=path, input_format=InputFormat.JSONL, below=PurePath("a.jsonl")), READING)


def upper(block: Block) -> TaggedBlock:
    lines = [record.text.upper() + "\n" for _, part in block for record in part]
    return TaggedBlock([(0, "".join(lines))], Counts(len(lines), 0, 0))


def test_names_sort_as_shards_do() -> None:
    names = [shard_name(number, 100_000, OutputFormat.JSONL) for number in (0, 9, 10, 99_999)]
    assert names == sorted(names)
    assert names[1] == "part-00009-of-100000.jsonl"


def test_a_shard_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    (stretch,) = planned([source(tmp_path / "in.txt", ["ada", "bo"] * 60)], 9)
    ((_, parts),) = read_shards(stretch, READING)
    path = tmp_path / "out" / shard_name(0, 1, OutputFormat.JSONL)

    def fails_late(block: Block) -> TaggedBlock:
        if block is parts[-1]:
            assert [one.name for one in unfinished(path.parent)] == [one.name for one in path.parent.iterdir()]
            raise UserError("no")
        return upper(block)

    with pytest.raises(UserError, match="no"):
        write_shard(path, parts, fails_late)
    assert list(path.parent.iterdir()) == []
    assert write_shard(path, parts, upper) == Counts(120, 0, 0)
    assert path.read_text() == "ADA\nBO\n" * 60
    assert unfinished(path.parent) == []


def test_attempts_at_a_shard_are_told_from_those_at_others(tmp_path: Path) -> None:
    for name in (
        ".part-00001-of-00020.jsonl.a_b.part",
        ".part-00010-of-00020.jsonl.xyz.part",
        "part-00001-of-00020.jsonl",
    ):
        (tmp_path / name).touch()
    assert [path.name for path in unfinished(tmp_path, "part-00001-of-00020.jsonl")] == [
        ".part-00001-of-00020.jsonl.a_b.part"
    ]
    assert len(unfinished(tmp_path)) == 2


def test_only_shards_of_another_run_make_room_and_only_where_they_may(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    assert in_the_way(folder, [], overwrite=False) == []
    (folder / "part-00000-of-00002.jsonl").touch()
    (folder / ".part-00001-of-00002.jsonl.a1_.part").touch()
    with pytest.raises(UserError, match="out: is not empty"):
        in_the_way(folder, [], overwrite=False)
    assert in_the_way(folder, [], overwrite=True) == sorted(folder.iterdir())
    mine = Source(path=folder / "part-00000-of-00002.jsonl", input_format=InputFormat.JSONL, below=PurePath("x"))
    with pytest.raises(UserError, match=r"holds part-00000-of-00002\.jsonl"):
        in_the_way(folder, [mine], overwrite=True)
    (folder / "notes.txt").touch()
    with pytest.raises(UserError, match=r"holds notes\.txt"):
        in_the_way(folder, [], overwrite=True)
    with pytest.raises(UserError, match="cannot write"):
        in_the_way(folder / "notes.txt", [], overwrite=True)


def test_sizes_are_those_that_blocks_are_cut_by(tmp_path: Path) -> None:
    assert shards.record_sizes(source(tmp_path / "a.txt", ["", "é" * 7, "x"]), READING).tolist() == [0, 7, 1]
