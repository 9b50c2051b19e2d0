"""tag.py when the machine lets it down: nothing half-written, nothing missing unsaid, and the exit code tells."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from tagger import predict
from tagger.bulk.run_state import NAME
from tagger.commands.tag import main
from tagger.corpus.sentence import Sentence
from tests.helpers.capitals_tagger import CapitalsTagger
from tests.helpers.random_models import random_folder
from tests.helpers.repository import REPOSITORY

pytestmark = pytest.mark.extended

PATIENCE = 300  # seconds
KEPT = "; what was done is kept, and the same command with --resume continues from there\n"
LINE = "Anna Smith lives in New York , in the U.S.\n"

Result = subprocess.CompletedProcess[str]


def shown(folder: Path) -> dict[str, bytes]:
    """The files that are not hidden."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path): (folder / path).read_bytes() for path in found if not path.parts[0].startswith(".")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, inputs of many blocks, and what comes of them."""
    folder = tmp_path_factory.mktemp("faults")
    random_folder(seed=1, hidden=17).save(folder / "model", "")
    (folder / "in").mkdir()
    for name, count in (("a", 50), ("b", 20_000), ("c", 50)):
        (folder / "in" / f"{name}.txt").write_text(LINE * count)
    assert run(folder, "in", "--output", "whole").returncode == 0
    assert sorted(shown(folder / "whole")) == ["a.jsonl", "b.jsonl", "c.jsonl"]
    return folder


def command(*arguments: str) -> list[str]:
    base = [sys.executable, str(REPOSITORY / "tag.py"), "--model", "model", "--tokenizer", "whitespace", "--quiet"]
    return [*base, "--part-size", "10K", *arguments]


def run(place: Path, *arguments: str, limits: dict[int, int] | None = None) -> Result:
    """Run `tag.py`, where `limits` are those of resources."""

    def limit() -> None:
        for number, most in (limits or {}).items():
            resource.setrlimit(number, (most, most))

    return subprocess.run(
        command(*arguments), cwd=place, preexec_fn=limit, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def require_resumed(place: Path, out: str) -> None:
    result = run(place, "in", "--output", out, "--resume")
    assert (result.returncode, result.stderr) == (0, "")
    assert shown(place / out) == shown(place / "whole")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_full_disk(place: Path, workers: str) -> None:
    out = f"full-{workers}"
    limits = {resource.RLIMIT_FSIZE: 200_000}
    result = run(place, "in", "--output", out, "--workers", workers, limits=limits)
    assert (result.returncode, result.stderr) == (2, f"tag.py: {out}/b.jsonl: cannot write: File too large{KEPT}")
    assert shown(place / out).keys() == {"a.jsonl"}
    require_resumed(place, out)


def test_a_small_file_system(place: Path) -> None:
    out = place / "small"
    out.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", out], check=False).returncode
    ):
        pytest.skip("no right to mount a file system")
    try:
        result = run(place, "in", "--output", "small")
        assert (result.returncode, shown(out).keys()) == (2, {"a.jsonl"})
        assert re.fullmatch(
            rf"tag.py: small/(b.jsonl|.tag-run/parts/\d+(\.json)?): cannot write: No space left on device{KEPT}",
            result.stderr,
        )
        subprocess.run(["mount", "-o", "remount,size=100m", out], check=True)
        require_resumed(place, "small")
        subprocess.run(["mount", "-o", "remount,ro", out], check=True)
        result = run(place, "in", "--output", "small", "--overwrite")
        assert (result.returncode, result.stderr.count("\n")) == (2, 1)
        assert result.stderr.startswith("tag.py: small/.tag-run: cannot write: Read-only file system")
        assert shown(out) == shown(place / "whole")
    finally:
        subprocess.run(["umount", out], check=True)


def test_a_full_standard_output(place: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            command("in"), cwd=place, stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False
        )
    told = "tag.py: standard output: cannot write: No space left on device\n"
    assert (result.returncode, result.stderr) == (2, told)


@pytest.mark.parametrize("out", ["/proc/out", "in/a.txt", "in/a.txt/out"])
def test_a_target_that_cannot_be_written(place: Path, out: str) -> None:
    result = run(place, "in", "--output", out)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith(f"tag.py: {out}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_target_without_permission(place: Path) -> None:
    (place / "locked").mkdir(mode=0o555)
    result = run(place, "in", "--output", "locked")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert result.stderr.startswith("tag.py: locked/.tag-run: cannot write: Permission denied")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_reader_that_goes_away(place: Path, workers: str) -> None:
    with subprocess.Popen(
        command("in", "--workers", workers), cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith('{"text": "Anna')
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(PATIENCE) == 141


def workers_of(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children")
    if not children.exists():
        pytest.skip("no /proc tells of children here")
    found = map(int, children.read_text().split())
    return [child for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_a_run_that_lost_a_worker_is_continued(place: Path) -> None:
    out = place / "lost"
    with subprocess.Popen(
        command("in", "--workers", "2", "--output", "lost"), cwd=place, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: process.poll() is not None or len(list(out.glob(f"{NAME}/parts/*.json"))) > 2)
        for worker in workers_of(process.pid) if process.poll() is None else []:
            os.kill(worker, signal.SIGKILL)
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert told.startswith("tag.py: a worker process was ended from outside, often because memory is short; ")
    assert told.endswith(KEPT)
    require_resumed(place, "lost")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_memory_that_runs_out(place: Path, workers: str) -> None:
    folder = place / f"memory-{workers}"
    (folder / "in").mkdir(parents=True)
    shutil.copy(place / "in" / "a.txt", folder / "in" / "a.txt")
    (folder / "in" / "b.txt").write_text("Anna lives in York . " * 1_000_000)
    out = f"memory-{workers}/out"
    limits = {resource.RLIMIT_AS: 1_000_000_000}
    result = run(place, f"memory-{workers}/in", "--output", out, "--workers", workers, limits=limits)
    assert result.returncode == 1
    assert result.stderr == (
        "tag.py: out of memory; a record is held whole: cut records that are very long, or use fewer --workers" + KEPT
    )
    assert shown(place / out).items() <= shown(place / "whole").items()


class Meddling(CapitalsTagger):
    """Does something when a word comes."""

    def __init__(self, word: str, do: Callable[[], object]) -> None:
        super().__init__(window=1)
        self.word, self.do = word, do

    def _tagged(self, sentence: Sentence) -> Sentence:
        if self.word in sentence.tokens:
            self.do()
        return super()._tagged(sentence)


@pytest.fixture
def tag(monkeypatch: pytest.MonkeyPatch, in_tmp_path: Path) -> Callable[..., int]:
    """Call `tag.py` in an empty folder with a fake model."""

    def call(*arguments: str, model: CapitalsTagger | None = None) -> int:
        monkeypatch.setattr(predict, "load", lambda path, **_: model or CapitalsTagger())
        return main(["--model", "m", "--tokenizer", "whitespace", "--output", "out", "--quiet", *arguments])

    Path("a.txt").write_text("Ada\n" * 200)
    Path("b.txt").write_text("Bob\n" * 60_000)
    return call


Happened = tuple[Callable[[], object], str]
VANISHED: list[Happened] = [
    (partial(os.unlink, "b.txt"), "b.txt: no such file; check the path"),
    (lambda: (os.unlink("b.txt"), os.mkdir("b.txt")), "b.txt: a folder; check the path, a file is needed"),
]


@pytest.mark.parametrize(("do", "message"), VANISHED)
def test_a_file_that_vanishes_before_it_is_opened(
    tag: Callable[..., int], capsys: pytest.CaptureFixture[str], do: Callable[[], object], message: str
) -> None:
    assert tag("a.txt", "b.txt", model=Meddling("Ada", lambda: Path("b.txt").is_file() and do())) == 2
    assert capsys.readouterr().err == f"tag.py: {message}{KEPT}"
    assert shown(Path("out")).keys() == {"a.jsonl"}
    Path("b.txt").is_dir() and os.rmdir("b.txt")  # type: ignore[func-returns-value]
    Path("b.txt").write_text("Bob\n" * 60_000)
    assert tag("a.txt", "b.txt", "--resume") == 0
    counts = {name: content.count(b"\n") for name, content in shown(Path("out")).items()}
    assert counts == {"a.jsonl": 200, "b.jsonl": 60_000}


def test_a_file_removed_while_it_is_read_is_reported(
    tag: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert tag("b.txt", model=Meddling("Bob", lambda: Path("b.txt").unlink(missing_ok=True))) == 2
    assert capsys.readouterr().err == f"tag.py: b.txt: no such file; check the path{KEPT}"
    assert shown(Path("out")) == {}


def test_a_file_cut_off_while_it_is_read_is_told(tag: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert tag("b.txt", model=Meddling("Bob", lambda: os.truncate("b.txt", 150_000))) == 2
    told = capsys.readouterr().err
    assert told.startswith("tag.py: b.txt: became shorter while it was read (150,000 of ")
    assert told.count("\n") == 1
    assert shown(Path("out")) == {}


def test_a_table_cut_off_while_it_is_read_is_told(tag: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    texts: list[Any] = [f"Bob {number}" for number in range(100_000)]
    parquet.write_table(pyarrow.table({"text": texts}), "b.parquet", row_group_size=5000)
    assert tag("b.parquet", model=Meddling("Bob", lambda: os.truncate("b.parquet", 4000))) == 2
    told = capsys.readouterr().err
    assert told.startswith("tag.py: b.parquet: damaged after row ")
    assert told.count("\n") == 1
    assert shown(Path("out")) == {}
