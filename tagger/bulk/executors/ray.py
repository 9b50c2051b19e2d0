"""Ray Data: rows through steps that processes of a cluster, or of a Ray of this machine's own, carry out."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tagger.bulk.executors.processes import WorkerLostError
from tagger.errors import UserError

Row = dict[str, Any]  # a batch of one: the column "task", of bytes

_STORE = 512 << 20  # bytes of Ray's own memory on this machine: rows that wait for their next step
_WAITING = 2  # rows that an actor has at most, the one in work included
_MOST_PORTIONS = 4096  # of tasks at first; more would cost more to look after than they spread better
_ANSWER = 10.0  # seconds for a machine to answer
_STATUS = 180.0  # seconds for a cluster to say how it is; where Ray does not answer, it tells after some 40
_NO_RAY = "--engine-cluster ray needs Ray Data; install the extra: pip install 'tagger[ray]'"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Who does the work.

    Attributes:
        address: of a running cluster, HOST:PORT or auto; None: a Ray of this machine, started and ended.
        workers: processes that hold a model.
        threads: CPUs of each.
        gpus: GPUs of each.
    """

    address: str | None = None
    workers: int = 1
    threads: int = 1
    gpus: int = 0


@dataclass(frozen=True, kw_only=True)
class Step:
    """What is done with rows, one at a time.

    Attributes:
        do: from a row to a row or, as a generator, to several; or a class whose objects do so, one in each process.
        arguments: what `do` is given after the row, or the class for an object.
        processes: at most so many at once; of a class, just so many.
        cpus, gpus: what each process takes of what the cluster has.
    """

    do: Callable[..., Any]
    arguments: tuple[Any, ...]
    processes: int
    cpus: int = 0
    gpus: int = 0


@contextmanager
def connected(cluster: Cluster) -> Iterator[None]:
    """A Ray that `through` works on; one that was started is ended, whatever happens. Neither says anything.

    Raises:
        UserError: Ray is not installed, does not start, does not answer within minutes, or has too few CPUs or
            GPUs.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would send statistics to its makers
    try:
        import ray
        import ray.data
    except ImportError:
        raise UserError(_NO_RAY) from None
    if cluster.address is not None:
        _require_answer(cluster.address)
    with ExitStack() as left:
        left.enter_context(_unheard())
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


@contextmanager
def through(tasks: Sequence[bytes], *steps: Step) -> Iterator[Iterator[bytes]]:
    """What comes of tasks in the end, in no order. What a lost process was at is done again by another.

    To be left before Ray is, which then ends what is still to be done.

    Raises:
        WorkerLostError: Ray has given up.
    """
    import ray
    from ray.data import ActorPoolStrategy, DataContext, TaskPoolStrategy

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = 1  # a row is a portion: it goes on at once, and may go elsewhere than the next
    data: Any = ray.data.from_items(
        [{"task": task} for task in tasks], override_num_blocks=min(len(tasks), _MOST_PORTIONS)
    )
    for step in steps:
        how: dict[str, Any] = {"num_cpus": step.cpus, "num_gpus": step.gpus}
        if isinstance(step.do, type):
            how["compute"] = ActorPoolStrategy(size=step.processes, max_tasks_in_flight_per_actor=_WAITING)
            how["fn_constructor_args"] = step.arguments
        else:
            how["compute"] = TaskPoolStrategy(step.processes)
            how["fn_args"] = step.arguments
        data = data.map_batches(step.do, batch_size=1, batch_format="numpy", **how)
    try:
        with closing(iter(data.iter_rows())) as rows:
            yield (row["task"] for row in rows)
    except ray.exceptions.RayError as error:
        if "No module named 'tagger'" in str(error):
            raise UserError("the cluster's nodes have no tagger; install it on each, in the same version") from error
        if isinstance(error, ray.exceptions.RayTaskError):
            raise
        raise WorkerLostError(f"Ray has given up: {_first_line(error)}; see to the cluster and begin anew") from error


def _settings(cluster: Cluster, left: ExitStack) -> dict[str, Any]:
    """What Ray is to be initialised with; its folder, where it is started here, is removed when `left` is."""
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
    """Ray itself waits for minutes where nobody, or somebody else, listens."""
    if address != "auto":
        host, _, port = address.rpartition(":")
        if not host or "/" in host or not port.isdecimal():
            raise UserError(f"--address {address}: expected HOST:PORT, as `ray start --head` prints it, or auto")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER).close()
        except (OSError, OverflowError) as error:
            raise UserError(f"--address {address}: nobody answers ({error}); is `ray start --head` running?") from error
    command = [sys.executable, "-m", "ray.scripts.scripts", "status"]
    command += [] if address == "auto" else ["--address", address]
    problem = f"no answer in {_STATUS:.0f} s"
    with suppress(subprocess.TimeoutExpired):
        told = subprocess.run(command, capture_output=True, text=True, timeout=_STATUS, errors="replace")
        if told.returncode == 0:
            return
        problem = (told.stderr.strip() or told.stdout.strip() or "no reason given").splitlines()[-1][:200]
    raise UserError(f"--address {address}: no cluster of Ray to be used: {problem}; try `ray status` on this machine")


def _require_room(cluster: Cluster, there: dict[str, float]) -> None:
    for name, each in (("CPU", cluster.threads), ("GPU", cluster.gpus)):
        found = int(there.get(name, 0))
        if found < cluster.workers * each:
            fewer = f"use --workers {found // each}, or add nodes" if found >= each else "add nodes"
            raise UserError(f"--workers {cluster.workers}: each takes {each} {name}, and Ray has {found}; {fewer}")


@contextmanager
def _unheard() -> Iterator[None]:
    """Send what goes to standard output and error nowhere.

    Ray's threads and its C++ part write there what no log level holds back: that a worker died, for one.
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
