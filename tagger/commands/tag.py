"""`tag.py`: text in, entities out; a filter in a pipe, or file by file into a folder."""

from __future__ import annotations

import argparse
import contextlib
import io
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from itertools import islice
from typing import IO, Any, NoReturn

from tagger.bulk.executors.processes import WorkerLostError, Workers
from tagger.bulk.job import BlockTagger, Counts, Job, OpenTagger, OwnHands
from tagger.bulk.manifest import NAME, Manifest
from tagger.bulk.progress import Progress
from tagger.bulk.resume import History, refuse_unfinished, resume
from tagger.bulk.run_job import carry_out
from tagger.commands.tag_cluster import BLOCKS_PER_SHARD, check_cluster_options, tag_on_cluster
from tagger.commands.tag_job import asked_of, job_of, size_of, whole_number
from tagger.commands.tag_options import parser_of
from tagger.errors import UserError
from tagger.files import let_go_of_output

_FAILED, _WRONG, _INTERRUPTED = 1, 2, 130
_PIPE_CLOSED = 128 + 13  # what a shell reports of a program that SIGPIPE ended
_MOST_WORKERS = 256
_TELLING = 1000  # tokens, in which a model that fits them would have found something
_MOST_OF_A_CLUSTER = 100_000  # of workers, and of blocks in a shard
_OUT_OF_MEMORY = "out of memory; a record is held whole: cut records that are very long, or use fewer --workers"
_KEPT = "; what was done is kept, and the same command with --resume goes on from there"


def main(arguments: Sequence[str] | None = None, program: str = "tag.py") -> int:
    """Entry point; returns the exit code."""
    parsed = parser_of(program).read(arguments)
    history = History()
    try:
        with _ended_by_exception():
            return _run(parsed, program, history)
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
    _say(program, message + (_KEPT if history.kept else ""))
    let_go_of_output(flush=True)
    return code


def _run(parsed: argparse.Namespace, program: str, history: History) -> int:
    check_cluster_options(parsed)
    workers = whole_number("--workers", parsed.workers, _MOST_OF_A_CLUSTER if parsed.engine_cluster else _MOST_WORKERS)
    threads = whole_number("--threads", parsed.threads, _MOST_WORKERS)
    job, notes = job_of(parsed)
    standard_input: IO[bytes] = sys.stdin.buffer if sys.stdin else io.BytesIO()
    if parsed.output is None and sys.stdout is None:
        raise UserError("standard output is closed; write to a folder with --output")
    if any(source.path is None for source in job.sources) and standard_input.isatty():
        notes.append("reading from the terminal; end with Ctrl-D")
    with ExitStack() as files:
        if not parsed.engine_cluster:
            job.settle()  # once, rather than by every process
        if job.outputs is not None:
            notes += _look_back(job, parsed, history, files)
        for note in [] if parsed.quiet else notes:
            _say(program, note)
        if history.resumed.all_done:
            return 0
        settings = {name: getattr(parsed, name) for name in ("engine", "device", "precision", "encoder")}
        settings["threads"] = threads
        if parsed.engine_cluster:
            open_it = partial(_open_tagger, model=parsed.model, **settings)
            _run_on_cluster(parsed, program, job, open_it, workers, threads)
            return 0
        open_tagger = partial(_open_tagger, job.without_files(), parsed.model, **settings)
        hands = OwnHands(open_tagger()) if workers == 1 else files.enter_context(Workers(workers, open_tagger))
        begin = time.perf_counter()
        standard_output = sys.stdout.buffer if sys.stdout else io.BytesIO()
        tell = files.enter_context(_progress(parsed, program, job, history))
        counts = carry_out(job, hands, standard_input, standard_output, history=history, tell=tell)
    told = [*job.remarks(), *_doubts(counts)]
    if job.outputs is not None:
        done = _summary(len(job.sources) - history.resumed.done, counts, time.perf_counter() - begin)
        told.append(f"{done}, written to {parsed.output}")
    for line in [] if parsed.quiet else told:
        _say(program, line)
    return 0


def _look_back(job: Job, parsed: argparse.Namespace, history: History, files: ExitStack) -> list[str]:
    """Find out where to go on, if it is to be; returns what there is to say of it."""
    assert job.outputs is not None
    history.sources = job.sources
    history.asked = asked_of(parsed, job)
    folder = job.outputs.folder
    if parsed.resume and (folder / NAME).is_file():
        history.manifest = files.enter_context(Manifest(folder))
        history.resumed = resume(history.manifest, history.asked, job.sources, job.outputs)
    elif not parsed.overwrite:
        refuse_unfinished(folder)
    mark, done, noted, all_done = history.resumed
    if not parsed.overwrite:
        job.outputs.refuse_existing(noted)
    if all_done:
        return [f"{folder}: all {done:,} files are there, as they were written; nothing to do"]
    if mark is None:
        return []
    name = job.sources[mark.place.source].name
    return [f"{done:,} files were done; going on in {name} behind record {mark.place.records:,}"]


def _progress(
    parsed: argparse.Namespace, program: str, job: Job, history: History
) -> AbstractContextManager[Callable[[Counts, int], None]]:
    """What tells how far the run is: where it is asked for, or where a terminal has room for it."""
    to_terminal = sys.stderr is not None and sys.stderr.isatty() and not parsed.quiet
    if job.outputs is None and sys.stdout is not None and sys.stdout.isatty():
        to_terminal = False
    if sys.stderr is None or not (parsed.progress or to_terminal):
        return nullcontext(lambda done, amount: None)
    begin = history.resumed.mark.place.source if history.resumed.mark else 0
    return Progress(sys.stderr, program, size_of(islice(job.sources, begin, None)))


def _run_on_cluster(
    parsed: argparse.Namespace, program: str, job: Job, open_it: OpenTagger, workers: int, threads: int
) -> None:
    blocks = whole_number("--blocks-per-shard", parsed.blocks_per_shard or BLOCKS_PER_SHARD, _MOST_OF_A_CLUSTER)
    begin = time.perf_counter()
    done = tag_on_cluster(parsed, job, open_it, workers=workers, threads=threads, blocks_per_shard=blocks)
    if not parsed.quiet:
        again = f", {done.lost:,} of them begun anew as workers were lost" if done.lost else ""
        for doubt in _doubts(done.counts):
            _say(program, doubt)
        told = _summary(len(job.sources), done.counts, time.perf_counter() - begin)
        _say(program, f"{told}, written to {parsed.output} in {done.shards:,} shards{again}")


def _open_tagger(job: Job, model: str, **settings: Any) -> BlockTagger:
    """What tags blocks; worker processes call this too."""
    import tagger  # here, so that --help and wrong use answer at once

    return BlockTagger(job, tagger.load(model, **settings))


@contextlib.contextmanager
def _ended_by_exception() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise SystemExit, so that what is half-written is removed."""
    replaced = []
    for number in (signal.SIGTERM, signal.SIGHUP):
        # One that is ignored (nohup) stays so, and only the main thread may set any.
        if signal.getsignal(number) is signal.SIG_DFL and threading.current_thread() is threading.main_thread():
            signal.signal(number, _end)
            replaced.append(number)
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _doubts(counts: Counts) -> Iterator[str]:
    """What of a run should make its user look again."""
    if counts.empty:
        yield f"{counts.empty:,} empty or blank file{'' if counts.empty == 1 else 's'}, with nothing to tag"
    if not counts.marked and counts.tokens >= _TELLING:
        yield f"no entity found in {counts.tokens:,} tokens; is the model for this language and kind of text?"


def _summary(files: int, counts: Counts, seconds: float) -> str:
    speed = counts.tokens / seconds if seconds else 0
    amounts = [(files, "file"), (counts.records, "record"), (counts.sentences, "sentence"), (counts.tokens, "token")]
    told = ", ".join(f"{amount:,} {name}{'' if amount == 1 else 's'}" for amount, name in amounts)
    return f"{told} in {seconds:.1f} s ({speed:,.0f} tokens/s)"


def _say(program: str, message: str) -> None:
    if sys.stderr is not None:  # print() would take standard output instead
        with contextlib.suppress(OSError):
            print(f"{program}: {message}", file=sys.stderr, flush=True)
