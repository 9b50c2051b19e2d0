"""Carry out tasks in several processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

from tagger.bulk.executors.base import Executor, OpenRun, Worker, WorkerLostError
from tagger.python_process import safe_spawning

_AHEAD = 3  # tasks per process that are under way or wait for earlier ones


class ProcessExecutor(Executor):
    """Carries out tasks in processes. See `Executor`."""

    def __init__(self, workers: int, open_run: OpenRun) -> None:
        """Use that many processes. Call `open_run` once in each."""
        super().__init__(_AHEAD * workers)
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(open_run,))
        self._children: set[multiprocessing.process.BaseProcess] = set()

    def __exit__(self, *_: object) -> None:
        """End the processes, and what they are doing."""
        for process in self._children:
            process.terminate()
        self._pool.shutdown(cancel_futures=True)

    def _begin(self, task: Any) -> Future[Any]:
        before = set(multiprocessing.active_children())
        with _lost_workers_reported(), safe_spawning(), _interrupts_held_back():
            future = self._pool.submit(_carry_out, task)
        self._children |= set(multiprocessing.active_children()) - before
        return future

    def _is_done(self, handle: Future[Any]) -> bool:
        return handle.done()

    def _result(self, handle: Future[Any]) -> Any:
        with _lost_workers_reported():
            return handle.result()


_worker: Worker | None = None  # of this process


def _begin(open_run: OpenRun) -> None:
    global _worker
    _worker = Worker(open_run)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _carry_out(task: Any) -> Any:
    assert _worker is not None
    return _worker(task)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _lost_workers_reported() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        raise WorkerLostError(
            "a worker process was ended from outside, often because memory is short; use fewer --workers or smaller "
            "records"
        ) from None


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
