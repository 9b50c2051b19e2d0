"""State that all threads of a process share, kept usable in forked children."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any
from weakref import WeakSet

_shared: WeakSet[Any] = WeakSet()


def survive_forks(shared: Any) -> None:
    """Have `shared.after_fork()` called in every forked child, as long as the object exists.

    A child gets a copy of every lock in the state it has. A lock that another thread holds is never released there,
    since that thread is not copied: without a new lock the child would wait forever.
    """
    _shared.add(shared)


def _after_fork() -> None:
    for shared in list(_shared):
        shared.after_fork()


if hasattr(os, "register_at_fork"):  # no forks on Windows
    os.register_at_fork(after_in_child=_after_fork)


class ProcessSetting:
    """A setting of the whole process that holds while any thread is inside a `with` block of it.

    The first thread to enter changes the setting. The last one to leave restores it.
    """

    def __init__(self, change: Callable[[], AbstractContextManager[object]]) -> None:
        """
        Args:
            change: makes a context manager that changes the setting and restores it.
        """
        self._change = change
        self._lock = Lock()
        self._inside = 0  # threads
        self._changed: AbstractContextManager[object] = nullcontext()
        survive_forks(self)

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._changed = self._change()
                self._changed.__enter__()
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._changed.__exit__(None, None, None)

    def after_fork(self) -> None:
        """Restore the setting: the threads inside are not in the child."""
        self._lock = Lock()
        if self._inside:
            self._inside = 0
            self._changed.__exit__(None, None, None)
