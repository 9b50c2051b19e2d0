"""Carry out tasks in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from tagger.bulk.executors.base import OpenRun, Run


class SerialExecutor:
    """Carries out each task when it comes. See `Executor`."""

    def __init__(self, open_run: OpenRun) -> None:
        self._open_run = open_run
        self._run: Run | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, task: Any) -> Iterator[Any]:
        """See `Executor`."""
        self._run = self._run or self._open_run()
        yield self._run(task)

    def finish(self) -> Iterator[Any]:
        """See `Executor`."""
        return iter(())
