"""What the processes of a cluster do, without a cluster: results and mistakes as rows; and clusters that are none."""

from __future__ import annotations

import pickle
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Any

import pytest

from tagger.bulk.blocks import Block
from tagger.bulk.executors import cluster, ray
from tagger.bulk.executors.processes import WorkerLostError
from tagger.bulk.executors.ray import Cluster, connected
from tagger.bulk.inputs import Source
from tagger.bulk.job import Counts, Job, TaggedBlock
from tagger.bulk.records import InputFormat, ReadOptions, Record
from tagger.bulk.shards import Shard, Stretch
from tagger.errors import UserError

pytestmark = pytest.mark.extended

BLOCK: Block = [(0, [Record("Ada", size=3)])]


def tag(block: Block) -> TaggedBlock:
    return TaggedBlock([(0, "tagged\n")], Counts(1, 1, 1))


def out_of_memory(block: Block) -> TaggedBlock:
    raise MemoryError


def result(folder: Path, open_tagger: Callable[[Job], Callable[[Block], TaggedBlock]], task: object) -> Any:
    """What a worker that is given `task` answers."""
    worker = cluster._ShardTagger(Job(sources=[]), open_tagger, folder, 12)
    return cluster._found(worker({"task": [pickle.dumps(task)]})["task"][0])


def test_a_shard_comes_back_as_counts_and_lies_in_the_folder(tmp_path: Path) -> None:
    assert result(tmp_path, lambda job: tag, (3, [BLOCK, BLOCK])) == (3, Counts(2, 2, 2))
    assert (tmp_path / "part-00003-of-00012.jsonl").read_text() == "tagged\ntagged\n"


def test_the_model_is_opened_once(tmp_path: Path) -> None:
    opened = []
    worker = cluster._ShardTagger(Job(sources=[]), lambda job: opened.append(1) or tag, tmp_path, 12)
    for number in range(3):
        worker({"task": [pickle.dumps((number, [BLOCK]))]})
    assert opened == [1]


def test_mistakes_come_back(tmp_path: Path) -> None:
    def no_model(job: Job) -> Callable[[Block], TaggedBlock]:
        raise UserError("m: no such model folder")

    with pytest.raises(UserError, match=r"m: no such model folder \(so it is on .*; all nodes must see the same files"):
        result(tmp_path, no_model, (3, [BLOCK]))
    with pytest.raises(MemoryError):
        result(tmp_path, lambda job: out_of_memory, (3, [BLOCK]))
    with pytest.raises(UserError, match=r"a\.txt: cannot read"):
        result(tmp_path, lambda job: tag, UserError("a.txt: cannot read"))  # by the reader before
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"part-00003-of-00012\.jsonl: cannot write"):
        result(tmp_path / "file", lambda job: tag, (3, [BLOCK]))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_shard_that_takes_its_workers_along_is_not_tried_for_ever(tmp_path: Path) -> None:
    for attempt in range(4):
        (tmp_path / f".part-00003-of-00012.jsonl.{attempt}.part").touch()
    with pytest.raises(WorkerLostError, match=r"part-00003-of-00012\.jsonl: 4 workers were lost tagging it; if memory"):
        result(tmp_path, lambda job: tag, (3, [BLOCK]))
    assert result(tmp_path, lambda job: tag, (4, [BLOCK])) == (4, Counts(1, 1, 1))


def test_readers_and_those_who_measure_pass_mistakes_on(tmp_path: Path) -> None:
    gone = Source(path=tmp_path / "gone.txt", input_format=InputFormat.TEXT, below=PurePath("gone.txt"))
    measured = cluster._measure({"task": [pickle.dumps([(0, gone)])]}, ReadOptions())
    stretch = Stretch(((gone, 1),), 0, (Shard(0, (1,)),))
    (read,) = cluster._read({"task": [pickle.dumps(stretch)]}, ReadOptions())
    for row in (measured, read):
        with pytest.raises(UserError, match=r"gone\.txt: no such file"):
            cluster._found(row["task"][0])


def test_shards_that_no_shared_folder_has_are_missed(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    cluster._require_all(tmp_path, ["a"])
    with pytest.raises(UserError, match="1 of 2 shards are not there, though workers wrote them"):
        cluster._require_all(tmp_path, ["a", "b"])


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken and takes no connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_an_address_that_is_none_is_told_at_once(closed_port: int) -> None:
    for address, message in [
        (f"127.0.0.1:{closed_port}", "nobody answers"),
        ("127.0.0.1:99999", "nobody answers"),
        ("ray://127.0.0.1:10001", "expected HOST:PORT"),
        ("somewhere", "expected HOST:PORT"),
    ]:
        with pytest.raises(UserError, match=f"--address {address}: {message}"), connected(Cluster(address=address)):
            pass


def test_a_port_where_ray_does_not_answer_is_not_waited_at_for_ever(
    deaf_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "_STATUS", 1.0)
    address = f"127.0.0.1:{deaf_port}"
    with pytest.raises(UserError, match=f"--address {address}: no cluster of Ray"), connected(Cluster(address=address)):
        pass


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(UserError, match=r"needs Ray Data; install the extra: pip install 'tagger\[ray\]'"),
        connected(Cluster()),
    ):
        pass


@pytest.mark.parametrize(
    ("asked", "there", "message"),
    [
        (
            Cluster(workers=9),
            {"CPU": 8.0},
            "--workers 9: each takes 1 CPU, and Ray has 8; use --workers 8, or add nodes",
        ),
        (Cluster(workers=2, threads=4), {"CPU": 7.0}, "each takes 4 CPU, and Ray has 7; use --workers 1"),
        (Cluster(gpus=1), {"CPU": 8.0}, "each takes 1 GPU, and Ray has 0; add nodes"),
    ],
)
def test_a_cluster_too_small_is_told(asked: Cluster, there: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ray._require_room(asked, there)
