"""Carry out tasks in several processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any, Self

from tagger.bulk.executors.base import OpenRun, Run, WorkerLostError, outcome, unwrap
from tagger.python_process import safe_spawning

_AHEAD = 3  # tasks per process that are under way or wait for earlier ones


class ProcessExecutor:
    """Carries out tasks in processes. See `Executor`."""

    def __init__(self, workers: int, open_run: OpenRun) -> None:
        """
        Args:
            workers: the number of processes.
            open_run: called once in each process.
        """
        self._most = _AHEAD * workers
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(open_run,))
        self._waiting: deque[Future[Any]] = deque()
        self._children: set[multiprocessing.process.BaseProcess] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes, and what they are doing."""
        for process in self._children:
            process.terminate()
        self._pool.shutdown(cancel_futures=True)

    def submit(self, task: Any) -> Iterator[Any]:
        """See `Executor`."""
        before = set(multiprocessing.active_children())
        try:
            with safe_spawning(), _interrupts_held_back():
                self._waiting.append(self._pool.submit(_carry_out, task))
        except BrokenProcessPool:
            raise _lost() from None
        self._children |= set(multiprocessing.active_children()) - before
        while self._waiting and (len(self._waiting) >= self._most or self._waiting[0].done()):
            yield self._next()

    def finish(self) -> Iterator[Any]:
        """See `Executor`."""
        while self._waiting:
            yield self._next()

    def _next(self) -> Any:
        try:
            return unwrap(self._waiting.popleft().result())
        except BrokenProcessPool:
            raise _lost() from None


class _Worker:
    """What a process holds.

    Attributes:
        open_run: opens the model.
        run: carries out a task; None until the first one.
    """

    open_run: OpenRun
    run: Run | None = None


def _begin(open_run: OpenRun) -> None:
    _Worker.open_run = staticmethod(open_run)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _carry_out(task: Any) -> Any:
    def run(task: Any) -> Any:
        _Worker.run = _Worker.run or staticmethod(_Worker.open_run())
        return _Worker.run(task)

    return outcome(run, task)


def _lost() -> WorkerLostError:
    return WorkerLostError(
        "a worker process was ended from outside, often because memory is short; use fewer --workers or smaller records"
    )


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach: the terminal sends it to all, and each would print a traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # started with the first process, it would let the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
