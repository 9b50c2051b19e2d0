"""tag.py --executor ray: real processes, the same bytes, though a worker is killed; and wrong use."""

from __future__ import annotations

import gzip
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tagger.bulk.run_state import NAME
from tagger.commands.tag import main
from tagger.kernels.loader import kernels
from tests.helpers.random_models import KNOWN_AND_UNKNOWN_WORDS, random_folder
from tests.helpers.repository import REPOSITORY

pytestmark = pytest.mark.extended

WORDS = [word for word in KNOWN_AND_UNKNOWN_WORDS if word.strip()]
PATIENCE = 300  # seconds
NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc tells who has a file open")


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and texts that make shards of all sizes."""
    folder = tmp_path_factory.mktemp("material")
    random_folder(seed=1, hidden=33).save(folder / "ner", "")
    chooser = random.Random(0)
    for name, lines in (("a.txt", 3000), ("deep/b.txt", 1), ("deep/c.txt", 9_000), ("e.txt", 40)):
        path = folder / "corpus" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        text = "".join(" ".join(chooser.choices(WORDS, k=chooser.randrange(30))) + "\n" for _ in range(lines))
        path.write_text(f"first\n{text}", encoding="utf-8")
    records = "".join(f'{{"id": {number}, "text": "Anna lives in New York ."}}\n' for number in range(500))
    (folder / "corpus" / "d.jsonl.gz").write_bytes(gzip.compress(records.encode()))
    (folder / "corpus" / "tiny").mkdir()
    for number in range(1100):  # more than are looked through in one go
        (folder / "corpus" / "tiny" / f"{number}.txt").write_text(
            f"Maria Smith and number {number}\n" * (number % 3 + 1)
        )
    rows = {"id": list(range(500)), "text": [" ".join(chooser.choices(WORDS, k=9)) for _ in range(500)]}
    pyarrow.parquet.write_table(pyarrow.table(rows), folder / "corpus" / "g.parquet")
    kernels()  # compiled once for all processes
    return folder


@pytest.fixture
def place(material: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return shutil.copytree(material, tmp_path / "place")


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(REPOSITORY / "tag.py"), "--model", "ner", "--part-size", "10K", *arguments]


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command(*arguments), cwd=place, capture_output=True, timeout=PATIENCE)


@contextmanager
def running(place: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`tag.py` in a process group of its own, ended at the end."""
    with subprocess.Popen(
        command(*arguments), cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def merged(folder: Path) -> bytes:
    """What `cat folder/part-*` gives."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("part-*")))


def half_written(folder: Path) -> list[tuple[int, Path]]:
    """Files in the midst of being written, with the processes that have them open."""
    found = []
    for process in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):  # processes and their files come and go
            for link in os.listdir(f"/proc/{process}/fd"):
                with suppress(OSError):
                    path = Path(os.readlink(f"/proc/{process}/fd/{link}"))
                    if path.parent == folder and path.suffix == ".part":
                        found.append((int(process), path))
    return found


def kill_a_writer(folder: Path) -> bool:
    """Kill a process that is writing a part, if one is caught at it."""
    for process, path in half_written(folder):
        with suppress(OSError):
            if path.exists():
                os.kill(process, signal.SIGKILL)
                return True
    return False


@NEEDS_PROC
def test_a_killed_worker_s_part_is_done_again_and_the_output_is_that_of_one_process(place: Path) -> None:
    alone = run(place, "corpus", "--scores")
    assert alone.returncode == 0
    options = ["--scores", "--executor", "ray", "--workers", "2", "--shards", "--output", "out"]
    with running(place, "corpus", *options) as process:
        killed = False
        while not killed and process.poll() is None:
            killed = kill_a_writer(place / "out" / NAME / "parts")
        out, told = process.communicate(timeout=PATIENCE)
    assert killed
    assert (process.returncode, out) == (0, b"")
    assert re.fullmatch(rb"tag.py: 1,106 files, 15,244 records, .* tokens/s\), written to out\n", told), told
    names = sorted(path.name for path in (place / "out").glob("part-*"))
    assert names == [f"part-{number:05}-of-{len(names):05}.jsonl" for number in range(len(names))]
    assert merged(place / "out") == alone.stdout


@contextmanager
def head(folder: str) -> Iterator[str]:
    """A cluster of one node with two CPUs; its address."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = str(chosen.getsockname()[1])
    start = [
        sys.executable,
        "-m",
        "ray.scripts.scripts",
        "start",
        "--head",
        "--block",
        "--port",
        port,
        "--num-cpus",
        "2",
    ]
    start += ["--include-dashboard", "false", "--temp-dir", folder, "--object-store-memory", "100000000"]
    with (
        open(f"{folder}.log", "wb") as log,
        subprocess.Popen(start, stdout=log, stderr=log, start_new_session=True) as process,
    ):
        try:
            while process.poll() is None and b"Ray runtime started" not in Path(log.name).read_bytes():
                time.sleep(0.05)
            assert process.poll() is None, Path(log.name).read_text()
            yield f"127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(PATIENCE)


def test_a_running_cluster_is_used_and_left_running(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    options = ["--executor", "ray", "--output", "out"]
    with tempfile.TemporaryDirectory(prefix="ray-") as folder, head(f"{folder}/r") as address:
        (place / "corpus" / "f.jsonl").write_text('{"text": 1}\n')
        refused = run(place, "corpus", "--address", address, *options)
        assert (refused.returncode, refused.stdout, refused.stderr.count(b"\n")) == (2, b"", 1)
        assert refused.stderr.startswith(b"tag.py: corpus/f.jsonl:1: field 'text' holds a number")
        (place / "corpus" / "f.jsonl").write_text('{"text": "1"}\n')
        done = run(place, "corpus", "--address", address, *options, "--resume", "--progress")
        assert (done.returncode, done.stdout) == (0, b"")
    assert run(place, "corpus", "--output", "alone", "--workers", "2").returncode == 0
    assert tree(place / "out") == tree(place / "alone")


def tree(folder: Path) -> dict[str, bytes]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path): (folder / path).read_bytes() for path in found if path.parts[0] != NAME}


def test_ctrl_c_ends_all_and_leaves_whole_parts(place: Path) -> None:
    with running(place, "corpus", "--executor", "ray", "--output", "out") as process:
        while process.poll() is None and not list((place / "out" / NAME / "parts").glob("*.json")):
            time.sleep(0.01)
        assert process.poll() is None, process.communicate()
        os.killpg(process.pid, signal.SIGINT)
        told = b"tag.py: stopped; what was done is kept, and the same command with --resume continues from there\n"
        assert process.communicate(timeout=PATIENCE) == (b"", told)
    assert process.returncode == 130


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--address", "auto"], "--address auto belongs to --executor ray"),
        (["--executor", "ray"], "--executor ray writes into a folder; name it with --output"),
        (["--shards"], "--shards leaves parts in the folder --output, which is not set"),
        (["--shards", "--output", "out", "--format", "html"], "--shards: a page is not made of parts"),
        (["--shards", "--output", "corpus"], "corpus: is not empty"),
        (["--shards", "--output", "corpus", "--overwrite"], "corpus: holds a.txt, which is no part of another run"),
        (["--executor", "ray", "--output", "out", "--part-size", "0"], "--part-size 0: expected a number of bytes"),
        (["--executor", "ray", "--output", "out", "--part-size", "2X"], "--part-size 2X: expected a number of bytes"),
        (["--executor", "ray", "--output", "out", "--model", "gone"], "gone: no such model folder"),
        (["--executor", "ray", "--output", "out"], "--executor ray needs Ray; install the extra"),
    ],
)
def test_wrong_use_is_a_line_before_ray_is_started(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["--model", "ner", "corpus/e.txt", *options]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"tag.py: {message}")
    assert told.err.count("\n") == 1
    assert not Path("out").exists()


def test_the_old_option_is_read_with_a_warning(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["--model", "ner", "corpus/e.txt", "--engine-cluster", "ray", "--output", "out"]) == 2
    warning, message = capsys.readouterr().err.splitlines()
    assert warning == "tag.py: --engine-cluster ray is now called --executor ray --shards"
    assert message.startswith("tag.py: --executor ray needs Ray; ")
