"""The interface of executors: tasks in, results out, in the same order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, Self

from tagger.errors import UserError

Run = Callable[[Any], Any]  # carries out a task
OpenRun = Callable[[], Run]  # makes a `Run` in the process that will carry out tasks; can be pickled


class WorkerLostError(Exception):
    """A worker process was ended. The message is one line."""


class Executor(Protocol):
    """Carries out tasks. To be used as a context, which ends all processes that it started."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def submit(self, task: Any) -> Iterator[Any]:
        """Begin a task, and yield what is finished, in order. Waits while too many tasks are under way.

        Raises:
            UserError: a task raised it.
            WorkerLostError: a worker process was ended.
            MemoryError: a task ran out of memory.
        """
        ...

    def finish(self) -> Iterator[Any]:
        """Wait for all tasks, and yield their results in order. Raises what `submit` raises."""
        ...


def outcome(run: Run, task: Any) -> Any:
    """Carry out a task; return a failure that is to be reported in a line, so that it can be sent."""
    try:
        return run(task)
    except UserError as error:
        return error
    except MemoryError:  # NumPy's own says only how large an array it was
        return MemoryError()


def unwrap(result: Any) -> Any:
    """Return a result, or raise it where it is a failure."""
    if isinstance(result, Exception):
        raise result
    return result
