"""A corpus tagged on a cluster: processes that hold the model, and shards that they write where all nodes see them.

Neither text nor output goes through the process that starts the job: others read, and give what they read to those that
tag and write. Mistakes come back as results, since an exception would be told with the tracebacks of three processes.
"""

from __future__ import annotations

import pickle
import platform
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tagger.bulk.blocks import Block
from tagger.bulk.executors.processes import WorkerLostError
from tagger.bulk.executors.ray import Cluster, Row, Step, connected, through
from tagger.bulk.inputs import Source
from tagger.bulk.job import Counts, Job, OpenTagger, TaggedBlock
from tagger.bulk.records import ReadOptions
from tagger.bulk.shards import (
    in_the_way,
    plan_shards,
    read_shards,
    record_sizes,
    shard_name,
    unfinished,
    write_shard,
)
from tagger.errors import UserError

_READ_TOGETHER = 64 << 20  # bytes of files whose records' sizes are found by one task
_TO_OPEN = 64 << 10  # bytes that could be read while a file is opened
_WORKERS_PER_READER = 16  # half or a third of those that it could feed (docs/scaling.md)
_NOTHING = pickle.dumps(None)
_ATTEMPTS = 4  # at a shard, until it is held to be what ends the processes


@dataclass(frozen=True)
class Tagged:
    """What was done.

    Attributes:
        counts: what went through.
        shards: how many were written.
        lost: attempts at shards whose process was lost, and which were made again.
    """

    counts: Counts
    shards: int
    lost: int


def tag_corpus(
    job: Job,
    open_tagger: OpenTagger,
    folder: Path,
    cluster: Cluster,
    *,
    blocks_per_shard: int,
    overwrite: bool = False,
) -> Tagged:
    """Tag the inputs of a job into shards; put behind each other they are what one process would write.

    Args:
        job: what to do; its inputs are files, and its output is lines.
        open_tagger: makes what tags blocks of a job; pickled, and called once in each process.
        folder: where shards go (see `in_the_way`).
        cluster: who tags.
        blocks_per_shard: of some 250,000 characters each; a shard is what is done again when a process is lost.
        overwrite: remove shards of another run.

    Raises:
        UserError: Ray or the folder cannot be used, or something that tagging raises it for.
        WorkerLostError: a shard took one process after the other along, or Ray has given up.
        MemoryError: a process ran out of memory and could say so.
    """
    sources = [replace(source, path=source.path.absolute()) for source in job.sources if source.path is not None]
    old = in_the_way(folder, sources, overwrite=overwrite)
    job = job.without_files()
    left_behind: list[Path] = []
    with ExitStack() as at_the_end, connected(cluster):
        stretches = list(plan_shards(sources, _sizes(sources, job.reading, cluster), blocks_per_shard))
        shards = sum(len(stretch.shards) for stretch in stretches)
        if not shards:
            raise UserError(f"{sources[0].path}: nothing to tag: empty or blank, and so is all input; check what it is")
        for path in old:
            path.unlink(missing_ok=True)
        at_the_end.callback(lambda: left_behind.extend(_removed(unfinished(folder))))
        readers = Step(do=_read, arguments=(job.reading,), processes=-(-cluster.workers // _WORKERS_PER_READER))
        taggers = Step(
            do=_ShardTagger,
            arguments=(job, open_tagger, folder.absolute(), shards),
            processes=cluster.workers,
            cpus=cluster.threads,
            gpus=cluster.gpus,
        )
        with through([pickle.dumps(stretch) for stretch in stretches], readers, taggers) as results:
            written = dict(map(_found, results))
    _require_all(folder, [shard_name(number, shards, job.output_format) for number in range(shards)])
    return Tagged(Counts(*map(sum, zip(*written.values(), strict=True))), shards, len(left_behind))


def _sizes(sources: Sequence[Source], reading: ReadOptions, cluster: Cluster) -> list[array[int]]:
    """The sizes of all sources' records, found by as many processes as will tag; of little input, here."""
    tasks = [pickle.dumps(some) for some in _together(sources)]
    measure = Step(do=_measure, arguments=(reading,), processes=cluster.workers, cpus=1)
    sizes: dict[int, array[int]] = {}
    with (
        through(tasks, measure) if len(tasks) > 1 else nullcontext(_measured(task, reading) for task in tasks) as found
    ):
        for result in found:
            sizes.update(_found(result))
    return [sizes.pop(number) for number in range(len(sources))]


def _together(sources: Sequence[Source]) -> Iterator[list[tuple[int, Source]]]:
    """Sources with their numbers, small ones several at a time."""
    some: list[tuple[int, Source]] = []
    size = 0
    for number, source in enumerate(sources):
        some.append((number, source))
        size += _TO_OPEN + _bytes_of(source)
        if size >= _READ_TOGETHER:
            yield some
            some, size = [], 0
    if some:
        yield some


def _bytes_of(source: Source) -> int:
    assert source.path is not None, "standard input cannot be read by others"
    try:
        return source.path.stat().st_size
    except OSError:  # told by who reads it
        return 0


def _measure(batch: Row, reading: ReadOptions) -> Row:
    return {"task": [_measured(batch["task"][0], reading)]}


def _measured(task: bytes, reading: ReadOptions) -> bytes:
    return _result(lambda: {number: record_sizes(source, reading) for number, source in pickle.loads(task)})


def _read(batch: Row, reading: ReadOptions) -> Iterator[Row]:
    shards = read_shards(pickle.loads(batch["task"][0]), reading)
    while (result := _result(lambda: next(shards, None))) != _NOTHING:
        yield {"task": [result]}


class _ShardTagger:
    """Tags and writes shards with a model that it opens when the first one comes."""

    def __init__(self, job: Job, open_tagger: OpenTagger, folder: Path, shards: int) -> None:
        self._job, self._open_tagger, self._folder, self._shards = job, open_tagger, folder, shards
        self._opened: Callable[[Block], TaggedBlock] | None = None

    def __call__(self, batch: Row) -> Row:
        return {"task": [_result(lambda: self._write(*_found(batch["task"][0])))]}

    def _write(self, number: int, parts: list[Block]) -> tuple[int, Counts]:
        name = shard_name(number, self._shards, self._job.output_format)
        if len(unfinished(self._folder, name)) >= _ATTEMPTS:
            raise WorkerLostError(
                f"{name}: {_ATTEMPTS} workers were lost tagging it; if memory is short, use fewer --workers, or "
                "smaller records, and begin anew"
            )
        return number, write_shard(self._folder / name, parts, self._tag)

    def _tag(self, block: Block) -> TaggedBlock:
        if self._opened is None:
            try:
                self._opened = self._open_tagger(self._job)
            except UserError as error:
                raise UserError(f"{error} (so it is on {platform.node()}; all nodes must see the same files)") from None
        return self._opened(block)


def _result(do: Callable[[], object]) -> bytes:
    """What it returns or, of errors that are told in a line, raises; for `_found`."""
    try:
        return pickle.dumps(do())
    except (UserError, MemoryError, WorkerLostError) as error:
        return pickle.dumps(error)


def _found(result: bytes) -> Any:
    """A result; raised where it is an error."""
    found = pickle.loads(result)
    if isinstance(found, Exception):
        raise found
    return found


def _removed(paths: list[Path]) -> list[Path]:
    for path in paths:
        path.unlink(missing_ok=True)
    return paths


def _require_all(folder: Path, names: Sequence[str]) -> None:
    missing = set(names) - {path.name for path in folder.iterdir()}
    if missing:
        raise UserError(
            f"{folder}: {len(missing)} of {len(names)} shards are not there, though workers wrote them: it is not the "
            "same folder on all nodes; choose one on a file system that they share"
        )
