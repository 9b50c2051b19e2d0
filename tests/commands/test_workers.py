"""tag.py --workers: real processes, the same bytes, and one line where one of them is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tagger.corpus.schemes import Scheme
from tests.helpers.random_models import KNOWN_AND_UNKNOWN_WORDS, random_folder
from tests.helpers.repository import REPOSITORY

pytestmark = pytest.mark.extended

WORDS = [word for word in KNOWN_AND_UNKNOWN_WORDS if word.strip()]

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models and texts that make many blocks."""
    folder = tmp_path_factory.mktemp("workers")
    random_folder(seed=1, hidden=17).save(folder / "ner", "")
    random_folder(scheme=Scheme.PLAIN, seed=1).save(folder / "pos", "")
    chooser = random.Random(0)
    for name, lines in (("a.txt", 3000), ("notes/b.txt", 1), ("notes/c.txt", 400)):
        (folder / name).parent.mkdir(exist_ok=True)
        text = "".join(" ".join(chooser.choices(WORDS, k=chooser.randrange(30))) + "\n" for _ in range(lines))
        (folder / name).write_text(f"first\n{text}", encoding="utf-8")
    records = ({"id": number, "text": " ".join(chooser.choices(WORDS, k=9))} for number in range(500))
    (folder / "d.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(REPOSITORY / "tag.py"), "--model", "ner", "--part-size", "10K", *arguments]


@pytest.fixture
def run(place: Path) -> Run:
    def call(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command(*arguments), cwd=place, input=stdin, capture_output=True, timeout=100)

    return call


@pytest.mark.parametrize(
    "options",
    [
        ["a.txt", "--tokens"],
        ["a.txt", "--scores", "--precision", "int16"],
        ["a.txt", "notes", "--scores", "--min-score", "0.3"],
        ["d.jsonl", "notes", "a.txt", "--n-best", "2", "--scores"],
        ["notes", "--format", "html", "--scores"],
        ["a.txt", "--model", "pos", "--format", "conll", "--scores"],
    ],
)
def test_output_is_the_same_to_the_byte(run: Run, options: list[str]) -> None:
    alone, shared = run(*options), run(*options, "--workers", "2")
    assert (shared.returncode, shared.stderr) == (0, b"")
    assert len(shared.stdout) > 1000
    assert shared.stdout == alone.stdout


def test_files_are_the_same(run: Run, place: Path, tmp_path: Path) -> None:
    for workers in ("1", "3"):
        assert (
            run("notes", "a.txt", "d.jsonl", "--output", str(tmp_path / workers), "--workers", workers).returncode == 0
        )
    found = sorted(path.relative_to(tmp_path / "1") for path in (tmp_path / "1").rglob("*.jsonl"))
    assert len(found) == 4
    for path in found:
        assert (tmp_path / "1" / path).read_bytes() == (tmp_path / "3" / path).read_bytes()


def test_standard_input_is_shared_out_too(run: Run, place: Path) -> None:
    text = (place / "a.txt").read_bytes()
    assert run("--workers", "2", stdin=text).stdout == run("a.txt").stdout


def test_what_is_wrong_is_told_once(run: Run, tmp_path: Path) -> None:
    for options, message in [
        (["a.txt", "--model", "gone"], b"tag.py: gone: no such model folder"),
        (["a.txt", "--tokenizer", "gone"], b"tag.py: tokenizer 'gone' is unknown"),
        (["a.txt", "--min-score", "GONE=0.5"], b"tag.py: --min-score: the model knows no label 'GONE'"),
        (["--workers", "0"], b"tag.py: --workers 0: expected a whole number from 1"),
    ]:
        result = run(*options, *(() if "--workers" in options else ("--workers", "2")))
        assert (result.returncode, result.stdout, result.stderr.count(b"\n")) == (2, b"", 1)
        assert result.stderr.startswith(message)


def test_input_that_goes_wrong_late_is_reported_after_what_came_before(run: Run) -> None:
    stdin = b"Anna lives in New York .\n" * 3000 + b"\xff\n"
    alone, shared = run(stdin=stdin), run("--workers", "2", stdin=stdin)
    assert alone.stderr.startswith(b"tag.py: standard input:3001: invalid UTF-8")
    assert (shared.returncode, shared.stderr) == (2, alone.stderr)
    assert (len(alone.stdout) > 1000, alone.stdout) == (True, shared.stdout)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_line_in_is_a_record_out(place: Path, workers: str) -> None:
    with subprocess.Popen(
        command("--workers", workers), cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for word in (b"Anna", b"York"):
            process.stdin.write(word + b"\n")
            process.stdin.flush()
            assert process.stdout.readline().startswith(b'{"text": "' + word)  # though input has not ended
        process.stdin.close()
        assert process.wait(100) == 0


@pytest.fixture
def streaming(place: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`tag.py` with two workers in a group of its own, its input still open, the first records out."""
    process: Any = subprocess.Popen(
        command("--workers", "2"),
        cwd=place,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        for _ in range(2):  # the pool starts its processes as tasks come
            process.stdin.write(b"Anna lives in New York .\n" * 700)
            process.stdin.flush()
        assert process.stdout.readline().startswith(b'{"text": "Anna')
        yield process
        process.kill()


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    """The worker processes: children that are no resource tracker."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        pytest.skip("no /proc tells of children here")
    found = [int(child) for child in children.read_text().split()]
    return [child for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_a_killed_worker_ends_the_run_with_a_line(streaming: subprocess.Popen[bytes]) -> None:
    workers = workers_of(streaming)
    assert workers
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    _, told = streaming.communicate(b"Anna\n" * 100, timeout=300)
    assert streaming.returncode == 1
    assert told.startswith(b"tag.py: a worker process was ended from outside, often because memory is short; use fewer")
    assert told.count(b"\n") == 1
    assert not any(map(batch_sizes, workers))


@pytest.mark.parametrize(
    ("number", "code", "told"), [(signal.SIGINT, 130, b"tag.py: stopped\n"), (signal.SIGTERM, 143, b"")]
)
def test_a_signal_to_all_ends_all(
    streaming: subprocess.Popen[bytes], number: signal.Signals, code: int, told: bytes
) -> None:
    workers = workers_of(streaming)
    os.killpg(streaming.pid, number) if number is signal.SIGINT else streaming.send_signal(number)
    assert streaming.communicate(timeout=60)[1] == told
    assert streaming.returncode == code
    assert not any(map(batch_sizes, workers))


def test_workers_end_with_the_process_that_started_them(streaming: subprocess.Popen[bytes]) -> None:
    workers = workers_of(streaming)
    streaming.kill()
    streaming.wait()
    deadline = time.monotonic() + 60
    while any(map(batch_sizes, workers)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(batch_sizes, workers))


def batch_sizes(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
