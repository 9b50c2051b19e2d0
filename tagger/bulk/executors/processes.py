"""Blocks tagged by several processes on this machine, their results in order.

Each process is started anew (spawned), opens the model once, and is given a block when it has none. No more blocks are
read than there are processes to take them and a few that wait for one before them to be done.
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import IO, Any, Self

from tagger.bulk.blocks import Block
from tagger.bulk.job import TaggedBlock, Take
from tagger.errors import UserError

_AHEAD = 4  # blocks per process that may be done before the one whose turn it is
_PATIENCE = 2.0  # seconds for a process that ended to be counted as such


class WorkerLostError(Exception):
    """A worker process ended in the midst of its work. The message is one line."""


class Workers:
    """Processes that tag blocks; see `Hands`. To be left as a context, which ends them."""

    def __init__(self, count: int, open_tagger: Callable[[], Callable[[Block], TaggedBlock]]) -> None:
        """
        Args:
            count: how many.
            open_tagger: makes what tags a block; called once in each process, which it is pickled for.
        """
        self._count, self._open_tagger = count, open_tagger
        self._workers: dict[Connection, BaseProcess] = {}
        self._idle: list[Connection] = []
        self._busy: dict[Connection, int | None] = {}  # with the number of a block; None: with opening the model
        self._results: dict[int, TaggedBlock | BaseException] = {}
        self._given = self._taken = 0

    def __enter__(self) -> Self:
        context = get_context("spawn")
        with _interrupts_held_back():  # they would print a traceback of each process; this one ends them
            for _ in range(self._count):
                here, there = context.Pipe()
                worker = context.Process(target=_serve, args=(there, self._open_tagger), daemon=True)
                worker.start()
                there.close()
                self._workers[here] = worker
                self._busy[here] = None
        return self

    def __exit__(self, *_: object) -> None:
        for connection, worker in self._workers.items():
            connection.close()
            worker.terminate()
        for worker in self._workers.values():
            worker.join()

    def give(self, block: Block, take: Take) -> None:
        """Send a block to a process that has none, as soon as there is one. See `Hands`.

        Raises:
            UserError: as opening the model or tagging an earlier block raised it.
            WorkerLostError: a process ended.
        """
        while not self._idle or self._given - self._taken >= _AHEAD * self._count:
            self._attend(take)
        connection = self._idle.pop()
        self._busy[connection] = self._given
        self._given += 1
        try:
            connection.send(block)
        except OSError:
            raise self._lost(connection) from None

    def finish(self, take: Take) -> None:
        """Wait for all results. See `Hands` and `give`."""
        while self._taken < self._given:
            self._attend(take)

    def attending(self, stream: IO[bytes], take: Take) -> IO[bytes]:
        """See `Hands`."""
        try:
            descriptor = stream.fileno()
        except OSError:  # it is in memory, where nothing is waited for
            return stream
        return io.BufferedReader(_Attentive(descriptor, lambda: self._attend(take, [descriptor])))

    def _attend(self, take: Take, besides: Sequence[int] = ()) -> bool:
        """Wait until a process has something to say, or one of other descriptors. Returns whether one of these has."""
        ready = wait([*self._workers, *besides])  # of idle ones, too, the end is heard
        for connection in self._workers.keys() & ready:
            self._hear(connection)
        while self._taken in self._results:
            result = self._results.pop(self._taken)
            if isinstance(result, BaseException):
                raise result
            self._taken += 1
            take(result)
        return any(descriptor in ready for descriptor in besides)

    def _hear(self, connection: Connection) -> None:
        try:
            result = connection.recv()
        except (EOFError, OSError):
            raise self._lost(connection) from None
        number = self._busy.pop(connection)
        self._idle.append(connection)
        if number is not None:
            self._results[number] = result
        elif result is not None:
            raise result

    def _lost(self, connection: Connection) -> WorkerLostError:
        worker = self._workers[connection]
        worker.join(_PATIENCE)
        code = worker.exitcode
        how = f"ended by signal {-code}" if code and code < 0 else f"ended with code {code}"
        return WorkerLostError(f"a worker process {how}; if memory is short, use fewer --workers or smaller records")


class _Attentive(io.RawIOBase):
    """What a descriptor has to read; while there is nothing, something else is attended to."""

    def __init__(self, descriptor: int, wait_for_it: Callable[[], bool]) -> None:
        """`wait_for_it` returns whether there is something to read (or the end), and is called until it is so."""
        self._descriptor, self._wait = descriptor, wait_for_it

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._wait():
            pass
        return os.readv(self._descriptor, [buffer])


def _serve(connection: Connection, open_tagger: Callable[[], Callable[[Block], TaggedBlock]]) -> None:
    """What a process does: open the model, say so, then tag blocks until nobody is there to give any."""
    try:
        tag = open_tagger()
    except (UserError, MemoryError) as error:
        connection.send(_plain(error))
        return
    with suppress(EOFError, OSError):
        connection.send(None)
        while True:
            try:
                result: TaggedBlock | Exception = tag(connection.recv())
            except (UserError, MemoryError) as error:
                result = _plain(error)
            try:
                connection.send(result)
            except MemoryError:
                connection.send(MemoryError())


def _plain(error: Exception) -> Exception:
    """The error as it can be sent; NumPy's of memory says of itself only how large an array it was."""
    return MemoryError() if isinstance(error, MemoryError) else error


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Have processes started here not be reached by Ctrl-C, which the terminal sends to all."""
    resource_tracker.ensure_running()  # started with the first process, it would let the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
