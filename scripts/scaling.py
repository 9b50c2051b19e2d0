"""Calculate the cost of tagging a large corpus: core-hours, money, bytes, and how many cores a file system can feed.

    python scripts/scaling.py --model DIR TEXT...                # bytes and tokens counted, speed as benchmarked
    python scripts/scaling.py --model DIR TEXT... --overhead 3   # also what Ray costs beside --workers, three rounds

Bytes per token are those of the files, of `tag.py`'s output for them, and of both through gzip. Overhead is counted in
CPU seconds of all processes, Ray's own included, because these can be compared even if other programs run. For it the
text is tagged once, and four times over.
"""

from __future__ import annotations

import argparse
import ctypes
import gzip
import io
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tagger.bulk.inputs import find_sources
from tagger.bulk.parts import plan_parts
from tagger.bulk.records import InputFormat, ReadOptions
from tagger.corpus.readers.account import open_bytes
from tagger.errors import UserError
from tagger.runs.tables import as_markdown

TAG = Path(__file__).resolve().parent.parent / "tag.py"
CORPORA = (10**9, 10**10, 10**12)
STORAGE = (100, 1_000, 10_000)  # MB/s
TIMES_READ = 1
_ROUNDS_OF_READING = 5
_REPEATED = 4
_BECOME_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, from linux/prctl.h


@dataclass(frozen=True)
class Measured:
    """What text and what is made of it come to, per token of it.

    Attributes:
        text, jsonl: bytes read and written.
        text_gz, jsonl_gz: through gzip.
    """

    text: float
    jsonl: float
    text_gz: float
    jsonl_gz: float


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, measure, and print tables; 0, or 2 for wrong use."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("text", nargs="+", metavar="TEXT", help="files of text, as the corpus will be")
    add("--model", required=True, metavar="DIR", help="the model folder")
    add("--tokens-per-second", type=float, default=91_700, metavar="N", help="of a core, raw text to JSONL as "
        "scripts/benchmark.py measures it; default: %(default)s")  # fmt: skip
    add("--price", type=float, default=0.04, metavar="P", help="of a core-hour; default: %(default)s, an assumption")
    add("--overhead", type=int, default=0, metavar="N", help="rounds that set Ray beside --workers")
    arguments = parser.parse_args(argv)
    try:
        tokens, measured = measure(arguments.text, arguments.model)
    except UserError as error:
        print(f"scaling.py: {error}", file=sys.stderr)
        return 2
    print(f"{tokens:,} tokens\n")
    print(bytes_table(measured), end="\n\n")
    print(corpus_table(measured, arguments.tokens_per_second, arguments.price), end="\n\n")
    print(storage_table(measured, arguments.tokens_per_second), end="\n\n")
    print("million tokens per CPU second:\n\n" + reading_table(arguments.text, tokens))
    if arguments.overhead:
        print("\n" + overhead_table(arguments.text, arguments.model, arguments.overhead))
    return 0


def measure(texts: Sequence[str], model: str) -> tuple[int, Measured]:
    """Have `tag.py` tag text, and count: tokens, and bytes of each.

    Raises:
        UserError: text or model cannot be read.
    """
    read = b"".join(open_bytes(Path(text)).read() for text in texts)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(TAG), *texts, "--model", model, "--input-format", "text", "--output", folder]
        tagged = subprocess.run(command, capture_output=True, text=True)
        if tagged.returncode:
            raise UserError(tagged.stderr)
        written = b"".join(path.read_bytes() for path in sorted(Path(folder).glob("*.jsonl")))
    tokens = int(re.findall(r"([\d,]+) tokens? in ", tagged.stderr)[-1].replace(",", ""))
    sizes = (len(content) / tokens for content in (read, written))
    packed = (len(gzip.compress(content, 6)) / tokens for content in (read, written))
    return tokens, Measured(*sizes, *packed)


def bytes_table(measured: Measured) -> str:
    """Bytes per token, in and out."""
    rows = [
        ["as they are", f"{measured.text:.2f}", f"{measured.jsonl:.2f}"],
        ["through gzip", f"{measured.text_gz:.2f}", f"{measured.jsonl_gz:.2f}"],
    ]
    return as_markdown(["bytes per token", "text in", "JSONL out"], rows, left=1)


def corpus_table(measured: Measured, speed: float, price: float) -> str:
    """What corpora take.

    Args:
        measured: bytes per token.
        speed: tokens per second of a core.
        price: of a core-hour.
    """
    rows = []
    for tokens in CORPORA:
        hours = core_hours(tokens, speed)
        rows.append(
            [
                f"{tokens:,}",
                f"{hours:,.1f}",
                f"{hours * price:,.2f}",
                f"{hours / 100:,.3f}",
                f"{hours / 1000:,.3f}",
                f"{tokens * measured.text / 1e9:,.0f}",
                f"{tokens * measured.jsonl / 1e9:,.0f}",
            ]
        )
    header = ["tokens", "core-hours", f"cost at {price}", "hours, 100 cores", "hours, 1,000 cores", "GB in", "GB out"]
    return as_markdown(header, rows, left=0)


def reading_table(texts: Sequence[str], tokens: int) -> str:
    """Measure planning and reading, in tokens per CPU second; medians of five rounds."""
    sources, _ = find_sources(texts, InputFormat.TEXT)
    spent: dict[str, list[float]] = {"parts planned": [], "parts read": []}
    for _ in range(_ROUNDS_OF_READING):
        begin = time.process_time()
        parts = [part for part in plan_parts(sources, ReadOptions(), io.BytesIO()) if part is not None]
        planned = time.process_time()
        for piece in (piece for part in parts for piece in part.pieces):
            for _ in piece.records(piece.read()[0], ReadOptions()):
                pass
        spent["parts planned"].append(planned - begin)
        spent["parts read"].append(time.process_time() - planned)
    speeds = {name: tokens / statistics.median(seconds) for name, seconds in spent.items()}
    return as_markdown(list(speeds), [[f"{speed / 1e6:.1f}" for speed in speeds.values()]], left=0)


def storage_table(measured: Measured, speed: float) -> str:
    """How many cores a file system feeds, reading and writing as they are and through gzip."""
    plain, packed = (
        storage_per_core(speed, *sizes)
        for sizes in ((measured.text, measured.jsonl), (measured.text_gz, measured.jsonl))
    )
    rows = [
        [f"{megabytes:,}", f"{megabytes * 1e6 / plain:,.0f}", f"{megabytes * 1e6 / packed:,.0f}"]
        for megabytes in STORAGE
    ]
    header = ["file system, MB/s", f"cores of {plain / 1e6:.2f} MB/s", f"input gzipped: of {packed / 1e6:.2f} MB/s"]
    return as_markdown(header, rows, left=0)


def core_hours(tokens: float, speed: float) -> float:
    """Hours that one core of so many tokens a second takes."""
    return tokens / speed / 3600


def storage_per_core(speed: float, bytes_in: float, bytes_out: float) -> float:
    """Bytes a second that a core at work reads and writes, of input and output of so many bytes per token."""
    return speed * (TIMES_READ * bytes_in + bytes_out)


def overhead_table(texts: Sequence[str], model: str, rounds: int) -> str:
    """CPU seconds of one process, of two, and of two on Ray, for the text once and four times; medians of rounds."""
    spent: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        sizes = {times: Path(folder, f"{times}.txt") for times in (1, _REPEATED)}
        read = b"".join(Path(text).read_bytes() for text in texts)
        for times, path in sizes.items():
            path.write_bytes(read * times)
        for number in range(rounds):
            for times, path in sizes.items():
                for name, options in _WAYS.items():
                    output = ["--output", f"{folder}/{name}-{times}-{number}", "--quiet"]
                    command = [sys.executable, str(TAG), str(path), "--model", model, *output, *options]
                    spent.setdefault((name, times), []).append(cpu_seconds(command))
    rows = [[name, *(f"{statistics.median(spent[name, times]):.1f}" for times in sizes)] for name in _WAYS]
    return as_markdown(["CPU seconds", *(f"the text {times} x" for times in sizes)], rows, left=1)


_WAYS = {
    "one process": [],
    "--workers 2": ["--workers", "2"],
    "--executor ray --workers 2": ["--executor", "ray", "--workers", "2"],
}


def cpu_seconds(command: Sequence[str]) -> float:
    """What a command and all that it starts, daemons included, spend on CPUs until the last of them has ended."""
    if os.path.exists("/proc"):
        ctypes.CDLL(None).prctl(_BECOME_SUBREAPER, 1)  # who is left by its parent becomes a child of this process
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    with suppress(ChildProcessError):
        while True:
            os.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
