"""`tag.py`: text in, entities out; a filter in a pipe, or file by file into a folder."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import IO, Any, NoReturn

from tagger.bulk.executors.base import Executor, OpenRun, SerialExecutor, WorkerLostError
from tagger.bulk.formats.lines import OutputFormat
from tagger.bulk.inputs import Source, find_sources
from tagger.bulk.job import Job, OnError, PartTagger
from tagger.bulk.output_paths import check_outputs, clear_shards, refuse_existing, refuse_file
from tagger.bulk.outputs import Account, FolderOutput, OnPart, Output, ShardOutput, StreamOutput, run_job
from tagger.bulk.parts import plan_parts
from tagger.bulk.progress import Progress
from tagger.bulk.records import InputFormat
from tagger.bulk.run_state import NAME, RunState, StoringTagger
from tagger.commands.tag_job import asked_of, byte_count, job_of, size_of, whole_number
from tagger.commands.tag_options import parser_of
from tagger.errors import UserError
from tagger.files import let_go_of_output
from tagger.printable import in_a_line

_FAILED, _WRONG, _INTERRUPTED = 1, 2, 130
_PIPE_CLOSED = 128 + 13  # what a shell reports of a program that SIGPIPE ended
_MOST_WORKERS = 256
_MOST_OF_A_CLUSTER = 100_000
_MANY_TOKENS = 1000  # a model that fits them would have found something
_OUT_OF_MEMORY = "out of memory; a record is held whole: cut records that are very long, or use fewer --workers"
_KEPT = "; what was done is kept, and the same command with --resume continues from there"


def main(arguments: Sequence[str] | None = None, program: str = "tag.py") -> int:
    """Run the command; returns the exit code."""
    parsed = parser_of(program).read(arguments)
    kept: list[bool] = []  # what another run could continue
    try:
        with _ended_by_exception():
            return _run(parsed, program, kept)
    except UserError as error:
        message, code = str(error), _WRONG
    except KeyboardInterrupt:
        message, code = "stopped", _INTERRUPTED
    except BrokenPipeError:
        let_go_of_output(flush=False)
        return _PIPE_CLOSED
    except WorkerLostError as error:
        message, code = str(error), _FAILED
    except MemoryError:
        message, code = _OUT_OF_MEMORY, _FAILED
    _say(program, message + (_KEPT if any(kept) else ""))
    let_go_of_output(flush=True)
    return code


def _run(parsed: argparse.Namespace, program: str, kept: list[bool]) -> int:
    workers = whole_number(
        "--workers", parsed.workers, _MOST_OF_A_CLUSTER if parsed.executor == "ray" else _MOST_WORKERS
    )
    settings = {name: getattr(parsed, name) for name in ("engine", "device", "precision", "encoder")}
    settings["threads"] = whole_number("--threads", parsed.threads, _MOST_WORKERS)
    part_size = byte_count("--part-size", parsed.part_size)
    job = job_of(parsed)
    folder = None if parsed.output is None else Path(parsed.output)
    sources, notes = find_sources(
        parsed.inputs, parsed.input_format and InputFormat(parsed.input_format), leave_out=folder
    )
    if job.output_format is OutputFormat.CSV and len(sources) > 1 and (folder is None or parsed.shards):
        raise UserError(
            "--format csv: several inputs have a header each; write a file for each with --output, not --shards"
        )
    standard_input: IO[bytes] = sys.stdin.buffer if sys.stdin else io.BytesIO()
    if folder is None and sys.stdout is None:
        raise UserError("standard output is closed; write to a folder with --output")
    if any(source.path is None for source in sources) and standard_input.isatty():
        notes.append("reading from the terminal; end with Ctrl-D")
    open_tagger = partial(_open_tagger, job, parsed.model, settings)
    open_run: OpenRun = open_tagger
    begin = time.perf_counter()
    account = Account(sources)
    with ExitStack() as left:
        state = None
        if folder is None:
            output: Output = StreamOutput(sys.stdout.buffer, job, partial(_say, program))
        else:
            state, output = _open_folder(parsed, job, sources, folder, left, kept)
            open_run = partial(StoringTagger, state.parts, open_tagger)
        for note in [] if parsed.quiet else notes:
            _say(program, note)
        progress = left.enter_context(_progress(parsed, program, sources))
        executor = left.enter_context(_executor(parsed, open_tagger, open_run, workers, settings))
        parts = plan_parts(sources, job.reading, standard_input, part_size=part_size, prompt=folder is None)
        run_job(parts, executor, output, account, state=state, progress=progress)
    _report(parsed, program, job, account, time.perf_counter() - begin)
    return 0


def _open_folder(
    parsed: argparse.Namespace, job: Job, sources: list[Source], folder: Path, left: ExitStack, kept: list[bool]
) -> tuple[RunState, Output]:
    """Open the output folder: continue what is there, or begin."""
    rejects = job.on_error is not OnError.STOP
    pipe = next((source for source in sources if not source.rereadable), None)
    if parsed.shards:
        refuse_file(folder)
    else:
        check_outputs(sources, folder, job.output_format, rejects=rejects)
    state = RunState(folder)
    left.callback(lambda: kept.append(state.begun and state.kept))
    left.enter_context(state)
    state.continuable = pipe is None
    asked = asked_of(parsed, sources, _ensure_compiled())
    if parsed.resume and pipe is not None:
        raise UserError(f"{pipe.name}: cannot be read again, which --resume needs; name files")
    resumed = parsed.resume and state.resume(asked)
    if not resumed and not parsed.overwrite:
        state.refuse_unfinished()
    if not parsed.shards and not parsed.overwrite:
        refuse_existing(sources, folder, job.output_format, state.written, rejects=rejects)
    if not resumed:
        if parsed.shards:
            clear_shards(folder, sources, NAME, overwrite=parsed.overwrite)
        state.begin(asked)
    return state, ShardOutput(state, job) if parsed.shards else FolderOutput(state, sources, job)


def _executor(
    parsed: argparse.Namespace, open_tagger: OpenRun, open_run: OpenRun, workers: int, settings: dict[str, Any]
) -> AbstractContextManager[Executor]:
    if parsed.executor == "ray":
        from tagger.bulk.executors.ray import Cluster, RayExecutor

        gpus = int(parsed.device.startswith("cuda"))
        cluster = Cluster(address=parsed.address, workers=workers, threads=settings["threads"], gpus=gpus)
        if not gpus:
            open_tagger()  # what is wrong with the model or options is so reported before Ray is started
        return RayExecutor(cluster, open_run)
    if workers == 1:
        return SerialExecutor(open_run)
    from tagger.bulk.executors.processes import ProcessExecutor  # multiprocessing takes time to import

    return ProcessExecutor(workers, open_run)


def _open_tagger(job: Job, model: str, settings: dict[str, Any]) -> PartTagger:
    """Open the model; worker processes call this too."""
    from tagger import predict  # it takes time, and --help and wrong use should answer at once

    _ensure_compiled()
    return PartTagger(job, predict.load(model, **settings))


def _ensure_compiled() -> bool:
    """Compile loops where this machine has none yet, before other processes start. Return whether there are any."""
    from tagger.kernels.loader import kernels  # it imports NumPy

    return kernels() is not None


def _progress(parsed: argparse.Namespace, program: str, sources: list[Source]) -> AbstractContextManager[OnPart]:
    """Open the report of progress, where it is asked for or a terminal has room for it."""
    to_terminal = sys.stderr is not None and sys.stderr.isatty() and not parsed.quiet
    if parsed.output is None and sys.stdout is not None and sys.stdout.isatty():
        to_terminal = False
    if sys.stderr is None or not (parsed.progress or to_terminal):
        return nullcontext(lambda counts, amount, kept: None)
    stream = sys.stderr
    if parsed.executor == "ray":  # which has standard error discarded
        with contextlib.suppress(OSError):
            stream = os.fdopen(os.dup(sys.stderr.fileno()), "w")
    return Progress(stream, program, size_of(sources))


@contextlib.contextmanager
def _ended_by_exception() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise SystemExit, so that processes are ended and half-written files removed."""
    replaced = []
    is_main = threading.current_thread() is threading.main_thread()  # no other may set handlers
    for number in [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name) and is_main]:
        if signal.getsignal(number) is signal.SIG_DFL:  # one that is ignored (nohup) stays so
            signal.signal(number, _end)
            replaced.append(number)
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _report(parsed: argparse.Namespace, program: str, job: Job, account: Account, seconds: float) -> None:
    counts = account.counts
    if counts.rejected:  # also with --quiet: something is missing in the output
        shares = f"{counts.tagged:,} tagged + {counts.empty:,} empty + {counts.rejected:,} rejected"
        _say(program, f"{_count(counts.records, 'record')} read = {shares}")
    if parsed.quiet:
        return
    if account.empty:
        _say(program, f"{_count(account.empty, 'empty or blank file')}, with nothing to tag")
    if not counts.marked and counts.tokens >= _MANY_TOKENS:
        _say(program, f"no entity found in {counts.tokens:,} tokens; is the model for this language and kind of text?")
    if parsed.output is None:
        return
    if not account.files and not counts.records:
        _say(program, f"{parsed.output}: all files are there, as they were written; nothing to do")
        return
    speed = counts.tokens / seconds if seconds else 0
    amounts = [(account.files, "file"), (counts.records, "record"), (counts.sentences, "sentence")]
    done = ", ".join(_count(*amount) for amount in [*amounts, (counts.tokens, "token")])
    _say(program, f"{done} in {seconds:.1f} s ({speed:,.0f} tokens/s), written to {parsed.output}")


def _count(amount: int, noun: str) -> str:
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def _say(program: str, message: str) -> None:
    if sys.stderr is not None:  # print() would take standard output instead
        with contextlib.suppress(OSError):
            print(in_a_line(f"{program}: {message}"), file=sys.stderr, flush=True)
