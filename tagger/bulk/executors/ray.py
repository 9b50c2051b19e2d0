"""Carry out tasks on Ray: on a cluster, or on a Ray of this machine's own. The only module that imports Ray."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

from tagger.bulk.executors.base import Executor, OpenRun, Worker, WorkerLostError
from tagger.errors import UserError, install_command
from tagger.python_process import run_python

_STORE = 512 << 20  # bytes of Ray's own memory on this machine: tasks and results
_AHEAD = 2  # tasks that a worker has at most, the one in work included
_WAITING = 8  # tasks per worker that are under way or wait for earlier ones
_ATTEMPTS = 4  # at a task, until it is held to be what ends the processes
_ANSWER = 10.0  # seconds for a machine to answer
_STATUS = 180.0  # seconds for a cluster to report its state; where Ray does not answer, it reports that after some 40
_NO_RAY = f"--executor ray needs Ray; install the extra: {install_command('ray')}"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Resources to ask Ray for."""

    address: str | None = None  # of a running cluster, HOST:PORT or auto; None: start a Ray of this machine
    workers: int = 1  # processes that hold a model
    threads: int = 1  # CPUs of each
    gpus: int = 0  # of each


class RayExecutor(Executor):
    """Carries out tasks by actors. A task whose process is lost is carried out again. See `Executor`."""

    def __init__(self, cluster: Cluster, open_run: OpenRun) -> None:
        """Call `open_run` once in each process, in the working folder of this one."""
        super().__init__(_WAITING * cluster.workers)
        self._cluster, self._open_run = cluster, open_run
        self._left = ExitStack()
        self._free: deque[Any] = deque()  # actors, once for each task that they may get
        self._running: dict[Any, Any] = {}  # actors by the results that they are working on

    def __enter__(self) -> Self:
        """Start Ray or connect to it. It writes nothing on standard output and standard error.

        Raises:
            UserError: Ray is not installed, does not start, does not answer within minutes, or has too few CPUs or
                GPUs.
        """
        with ExitStack() as left:
            left.enter_context(_connected(self._cluster))
            import ray

            cluster = self._cluster
            actor = ray.remote(
                num_cpus=cluster.threads, num_gpus=cluster.gpus, max_restarts=-1, max_task_retries=_ATTEMPTS - 1
            )(_Actor)
            actors = [actor.remote(self._open_run, os.getcwd()) for _ in range(cluster.workers)]
            self._free.extend(actors * _AHEAD)
            self._left = left.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.close()

    def _begin(self, task: Any) -> Any:
        import ray

        while not self._free:
            for done in ray.wait(list(self._running))[0]:
                self._free.append(self._running.pop(done))
        actor = self._free.popleft()
        handle = actor.carry_out.remote(task)
        self._running[handle] = actor
        return handle

    def _is_done(self, handle: Any) -> bool:
        import ray

        return bool(ray.wait([handle], timeout=0)[0])

    def _result(self, handle: Any) -> Any:
        import ray

        try:
            return ray.get(handle)
        except ray.exceptions.RayError as error:
            if "No module named 'tagger'" in str(error):
                raise UserError("the cluster's nodes have no tagger; install the same version on each") from error
            if isinstance(error, ray.exceptions.RayTaskError):
                raise
            raise WorkerLostError(f"Ray has given up: {_first_line(error)}; check the cluster and continue") from error


class _Actor:
    """A process with a model."""

    def __init__(self, open_run: OpenRun, folder: str) -> None:
        with suppress(OSError):  # where it is not shared, all paths have to be absolute
            os.chdir(folder)
        self._worker = Worker(open_run)

    def carry_out(self, task: Any) -> Any:
        return self._worker(task)


@contextmanager
def _connected(cluster: Cluster) -> Iterator[None]:
    """Connect to Ray. One that was started is ended, whatever happens."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would send statistics to its makers
    try:
        import ray
    except ImportError:
        raise UserError(_NO_RAY) from None
    if cluster.address is not None:
        _require_answer(cluster.address)
    with ExitStack() as left:
        left.enter_context(_muted())
        settings = _settings(cluster, left)
        left.callback(ray.shutdown)
        handler = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(**settings, log_to_driver=False)
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            where = "Ray" if cluster.address is None else f"--address {cluster.address}: Ray"
            raise UserError(f"{where} does not start: {_first_line(error)}") from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)  # Ray sets its own, which ends with another code
        _require_room(cluster, ray.cluster_resources())
        yield


def _settings(cluster: Cluster, left: ExitStack) -> dict[str, Any]:
    """Return the arguments of `ray.init`. The folder of a Ray that is started here is removed when `left` is closed."""
    if cluster.address is not None:
        return {"address": cluster.address}
    os.environ.setdefault("RAY_worker_niceness", "0")  # with Ray's 15 they would starve where other programs run
    temporary = tempfile.mkdtemp(prefix="tagger-ray-")
    left.callback(shutil.rmtree, temporary, ignore_errors=True)
    return {
        "address": "local",
        "num_cpus": cluster.workers * cluster.threads,
        "include_dashboard": False,
        "object_store_memory": _STORE,
        "_temp_dir": temporary,
    }


def _require_answer(address: str) -> None:
    """Raise UserError where no cluster answers: Ray itself waits for minutes."""
    if address != "auto":
        host, _, port = address.rpartition(":")
        if not host or "/" in host or not port.isdecimal():
            raise UserError(f"--address {address}: expected HOST:PORT, as `ray start --head` prints it, or auto")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER).close()
        except (OSError, OverflowError) as error:
            raise UserError(f"--address {address}: nobody answers ({error}); is `ray start --head` running?") from error
    command = ["-m", "ray.scripts.scripts", "status"]
    command += [] if address == "auto" else ["--address", address]
    problem = f"no answer in {_STATUS:.0f} s"
    with suppress(subprocess.TimeoutExpired):
        found = run_python(command, capture_output=True, text=True, timeout=_STATUS, errors="replace")
        if found.returncode == 0:
            return
        problem = (found.stderr.strip() or found.stdout.strip() or "no reason given").splitlines()[-1][:200]
    raise UserError(f"--address {address}: no cluster of Ray to be used: {problem}; try `ray status` on this machine")


def _require_room(cluster: Cluster, there: dict[str, float]) -> None:
    for name, each in (("CPU", cluster.threads), ("GPU", cluster.gpus)):
        found = int(there.get(name, 0))
        if found < cluster.workers * each:
            fewer = f"use --workers {found // each}, or add nodes" if found >= each else "add nodes"
            raise UserError(f"--workers {cluster.workers}: each takes {each} {name}, and Ray has {found}; {fewer}")


@contextmanager
def _muted() -> Iterator[None]:
    """Discard what is written on standard output and standard error.

    Ray's threads and its C++ part write there in spite of any log level, for example that a worker died.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    kept: list[tuple[int, int]] = []
    with open(os.devnull, "wb") as nowhere:
        for descriptor in (1, 2):
            with suppress(OSError):  # it is closed
                kept.append((descriptor, os.dup(descriptor)))
                os.dup2(nowhere.fileno(), descriptor)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, OSError, ValueError):
                stream.flush()
        for descriptor, copy in kept:
            os.dup2(copy, descriptor)
            os.close(copy)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:300]
