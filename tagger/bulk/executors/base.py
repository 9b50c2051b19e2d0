"""Define executors, which map tasks to results in the same order, and the one that uses this process alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Self

from tagger.errors import UserError

Run = Callable[[Any], Any]  # carries out a task
OpenRun = Callable[[], Run]  # makes a `Run` in the process that will carry out tasks; can be pickled


class WorkerLostError(Exception):
    """A worker process was ended. The message is one line."""


class Executor(ABC):
    """Carries out tasks. Use it as a context, which ends all processes that it started."""

    def __init__(self, most: int) -> None:
        """
        Args:
            most: tasks that are under way or wait for earlier ones.
        """
        self._most = most
        self._waiting: deque[Any] = deque()  # results in order

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(self, *_: object) -> None: ...

    def submit(self, task: Any) -> Iterator[Any]:
        """Begin a task, and yield what is finished, in order. Waits while too many tasks are under way.

        Raises:
            UserError: a task raised it.
            WorkerLostError: a worker process was ended.
            MemoryError: a task ran out of memory.
        """
        self._waiting.append(self._begin(task))
        while self._waiting and (len(self._waiting) >= self._most or self._is_done(self._waiting[0])):
            yield self._next()

    def finish(self) -> Iterator[Any]:
        """Wait for all tasks, and yield their results in order. Raises what `submit` raises."""
        while self._waiting:
            yield self._next()

    def _next(self) -> Any:
        found = self._result(self._waiting.popleft())
        if isinstance(found, Exception):
            raise found
        return found

    @abstractmethod
    def _begin(self, task: Any) -> Any:
        """Begin a task; return a handle of its result."""

    @abstractmethod
    def _is_done(self, handle: Any) -> bool: ...

    @abstractmethod
    def _result(self, handle: Any) -> Any:
        """Wait for a result of `Worker`."""


class Worker:
    """Carries out tasks in one process. It opens the model at the first of them."""

    def __init__(self, open_run: OpenRun) -> None:
        self._open_run = open_run
        self._run: Run | None = None

    def __call__(self, task: Any) -> Any:
        """Carry out a task. Return a failure that is to be reported in a line, so that it can be sent."""
        try:
            self._run = self._run or self._open_run()
            return self._run(task)
        except UserError as error:
            return error
        except MemoryError:  # NumPy's own says only how large an array it was
            return MemoryError()


class SerialExecutor(Executor):
    """Carries out each task in this process when it comes."""

    def __init__(self, open_run: OpenRun) -> None:
        super().__init__(most=1)
        self._worker = Worker(open_run)

    def __exit__(self, *_: object) -> None: ...

    def _begin(self, task: Any) -> Any:
        return self._worker(task)

    def _is_done(self, handle: Any) -> bool:
        return True

    def _result(self, handle: Any) -> Any:
        return handle
