"""tag.py --resume: however a run is ended, one that goes on writes what an unbroken one does, or says why not."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pyarrow
import pytest
import zstandard
from pyarrow import parquet

import tagger
from tagger.bulk import parts
from tagger.bulk.block_reader import Place
from tagger.bulk.manifest import NAME, Manifest, Mark
from tagger.commands.tag import main
from tests.helpers.capitals_tagger import CapitalsTagger
from tests.helpers.random_models import KNOWN_AND_UNKNOWN_WORDS, random_folder
from tests.helpers.repository import REPOSITORY

WORDS = [word for word in KNOWN_AND_UNKNOWN_WORDS if word.strip()]
PATIENCE = 300  # seconds

Tag = Callable[..., int]


@pytest.fixture
def tag(monkeypatch: pytest.MonkeyPatch, in_tmp_path: Path) -> Tag:
    """Call `tag.py` in an empty folder with a fake model."""
    monkeypatch.setattr(tagger, "load", lambda path, **_: CapitalsTagger(), raising=False)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Ada")))
    return lambda *arguments: main(["--model", "m", "--tokenizer", "whitespace", *arguments])


def lines(count: int, seed: int = 0) -> str:
    chooser = random.Random(seed)
    return "".join(" ".join(chooser.choices(WORDS, k=chooser.randrange(1, 9))) + "\n" for _ in range(count))


def make_inputs(folder: Path, scale: int = 1) -> None:
    """A file of every kind, some of many blocks, some that share one."""
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text(lines(40 * scale), encoding="utf-8")
    for number in range(4):
        (folder / "sub" / f"{number}.txt").write_text(f"Ada {number}\n")
    (folder / "b.txt.gz").write_bytes(gzip.compress(lines(30 * scale, 1).encode()))
    columns = lines(20 * scale, 2).replace("\n", "\n\n").replace(" ", "\n")
    (folder / "c.conll").write_text(columns, encoding="utf-8")
    records = [{"id": number, "text": text, "x": [1]} for number, text in enumerate(lines(30 * scale, 3).splitlines())]
    (folder / "d.jsonl.zst").write_bytes(
        zstandard.ZstdCompressor().compress("".join(json.dumps(record) + "\n" for record in records).encode())
    )
    texts = lines(40 * scale, 4).splitlines()
    parquet.write_table(pyarrow.table({"id": range(len(texts)), "text": texts}), folder / "e.parquet")


def tree(folder: str | Path) -> dict[str, bytes]:
    """What lies in a folder, but for the manifest."""
    found = (path for path in Path(folder).rglob("*") if path.is_file() and path.name != NAME)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def killed_in(moment: int, call: Callable[[], object]) -> bool:
    """Have a child process make a call, and be killed at the n-th thing it does in `out`. Whether it came to that."""
    child = os.fork()
    if not child:
        try:
            kill_at(moment)
            call()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def kill_at(moment: int) -> None:
    left = itertools.count(moment, -1)

    def die() -> NoReturn:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("open", "os.rename", "os.remove", "os.truncate", "os.mkdir"):
            inside = isinstance(arguments[0], int) or "out" in str(arguments[0])
            if inside and not next(left):
                die()

    def write(descriptor: int, data: Any) -> int:
        if not next(left):
            writing(descriptor, data[: len(data) // 2])
            die()
        return writing(descriptor, data)

    def part_write(self: Any, data: bytes) -> None:
        part_writing(self, data)
        if not next(left):
            self._stream.flush()
            die()

    writing, part_writing = os.write, parts._PartFile._write
    os.write = write
    parts._PartFile._write = part_write  # type: ignore[method-assign]
    sys.addaudithook(watch)


@pytest.mark.parametrize(
    ("output_format", "step"),
    [
        ("conll", 3),
        *(pytest.param(*each, marks=pytest.mark.extended) for each in (("jsonl", 1), ("html", 7), ("parquet", 2))),
    ],
)
def test_killed_at_any_moment_and_resumed_is_as_unbroken(tag: Tag, output_format: str, step: int) -> None:
    make_inputs(Path("in"))
    options = ["in", "--format", output_format, "--quiet"]
    assert tag(*options, "--output", "whole") == 0
    expected = tree("whole")
    assert len(expected) == 9
    for moment in itertools.count(step=step):
        shutil.rmtree("out", ignore_errors=True)
        if not killed_in(moment, lambda: tag(*options, "--output", "out")):
            break
        visible = {name: data for name, data in tree("out").items() if not Path(name).name.startswith(".")}
        assert visible.items() <= expected.items()
        killed_in(moment * 7 % 50, lambda: tag(*options, "--output", "out", "--resume"))
        assert tag(*options, "--output", "out", "--resume") == 0
        assert tree("out") == expected
    assert moment > 50


@pytest.mark.parametrize("output_format", ["jsonl", "html", "parquet"])
def test_empty_files_are_gone_on_with(tag: Tag, output_format: str) -> None:
    Path("in").mkdir()
    for name, content in {"a": "", "b": lines(20), "c": "", "d": "", "e": lines(20, 1), "f": "", "g": ""}.items():
        Path(f"in/{name}.txt").write_text(content, encoding="utf-8")
    options = ["in", "--format", output_format, "--quiet"]
    assert tag(*options, "--output", "whole") == 0
    expected = tree("whole")
    assert len(expected) == 7
    for moment in itertools.count(step=3):
        shutil.rmtree("out", ignore_errors=True)
        if not killed_in(moment, lambda: tag(*options, "--output", "out")):
            break
        assert tag(*options, "--output", "out", "--resume") == 0
        assert tree("out") == expected
    assert moment > 20


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, inputs and what comes of them."""
    folder = tmp_path_factory.mktemp("resume")
    random_folder(seed=1, hidden=17).save(folder / "model", "")
    make_inputs(folder / "in", scale=40)
    for output_format in ("jsonl", "parquet"):
        assert begin(folder, "--format", output_format, "--output", f"whole-{output_format}").wait(PATIENCE) == 0
    return folder


def begin(place: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(REPOSITORY / "tag.py"), "--model", "model", "in", "--scores", "--quiet", *arguments]
    return subprocess.Popen(command, cwd=place, start_new_session=True)


def kill_once_marked(run: subprocess.Popen[bytes], manifest: Path, marks: int) -> None:
    """SIGKILL a run, and the workers with it, when it has marked so many blocks; or let it come to its end."""
    deadline = time.monotonic() + PATIENCE
    while run.poll() is None and time.monotonic() < deadline:
        if manifest.is_file() and manifest.read_bytes().count(b'"block"') >= marks:
            break
        time.sleep(0.001)
    os.killpg(run.pid, signal.SIGKILL) if run.poll() is None else None
    run.wait(PATIENCE)


@pytest.mark.extended
@pytest.mark.parametrize(("output_format", "workers"), [("jsonl", "1"), ("jsonl", "2"), ("parquet", "2")])
def test_real_processes_killed_from_outside(place: Path, output_format: str, workers: str) -> None:
    out = f"out-{output_format}-{workers}"
    arguments = ["--format", output_format, "--workers", workers, "--output", out]
    for marks in (1, 3, 8, 9, 14):
        kill_once_marked(begin(place, *arguments, *["--resume"] * (marks > 1)), place / out / NAME, marks)
    assert begin(place, "--format", output_format, "--output", out, "--resume").wait(PATIENCE) == 0
    assert tree(place / out) == tree(place / f"whole-{output_format}")


@pytest.fixture
def ended(tag: Tag) -> Path:
    """The output folder of a run that a malformed input ended, with two whole files and one under way."""
    Path("in").mkdir()
    Path("in/a.txt").write_text(lines(40), encoding="utf-8")
    Path("in/b.txt").write_text("Bob\n")
    Path("in/c.conll").write_text("Ada\n\n" * 400)
    assert tag("in", "--output", "whole", "--quiet") == 0
    with Path("in/c.conll").open("a") as stream:
        stream.write("two columns\n")
    assert tag("in", "--output", "out", "--quiet") == 2
    assert sorted(tree("out")) == [".c.jsonl.part", "a.jsonl", "b.jsonl"]
    return Path("out")


def mend() -> None:
    path = Path("in/c.conll")
    path.write_text(path.read_text().removesuffix("two columns\n"))


def test_an_input_mended_behind_what_was_read_is_gone_on_with(tag: Tag, ended: Path) -> None:
    mend()
    before = (ended / "a.jsonl").stat().st_ino
    assert tag("in", "--output", "out", "--resume") == 0
    assert tree("out") == tree("whole")
    assert (ended / "a.jsonl").stat().st_ino == before
    assert tag("in", "--output", "out", "--resume") == 0  # nothing is left to do
    assert tree("out") == tree("whole")


def test_a_manifest_that_is_cut_off_anywhere_is_gone_on_with(tag: Tag, ended: Path) -> None:
    mend()
    shutil.copytree(ended, "before")
    manifest = (ended / NAME).read_bytes()
    for length in random.Random(0).sample(range(len(manifest)), 12):
        shutil.rmtree(ended)
        shutil.copytree("before", ended)
        (ended / NAME).write_bytes(manifest[:length])
        code = tag("in", "--output", "out", "--resume", "--overwrite", "--quiet")
        assert (code, tree("out")) == (0, tree("whole"))


def test_what_was_written_and_is_not_on_the_disk_is_written_again(tag: Tag, ended: Path) -> None:
    mend()
    part = ended / ".c.jsonl.part"
    for size in (part.stat().st_size // 2, 0):  # as a power cut leaves it
        os.truncate(part, size)
        assert tag("in", "--output", "out", "--resume") == 0
        assert tree("out") == tree("whole")
        part = ended / "c.jsonl"


def change(path: str, content: bytes) -> None:
    """Change a file, but not its size nor when it was changed."""
    file = Path(path)
    before = file.stat()
    file.write_bytes(content[: before.st_size].ljust(before.st_size))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


REFUSED: list[tuple[Callable[[], object], list[str], str]] = [
    (lambda: change("in/a.txt", b"changed"), [], "in/a.txt: has changed since it was tagged, or is gone; put it back"),
    (lambda: change("in/c.conll", b"Bob"), [], "in/c.conll: has changed since it was tagged"),
    (lambda: Path("in/b.txt").write_text("Bob\nEve\n"), [], "in/b.txt: has changed since it was tagged"),
    (lambda: Path("in/b2.txt").write_text("Eve"), [], "--resume: inputs was 3 in the earlier run and is 4"),
    (lambda: Path("in/b.txt").rename("in/b2.txt"), [], "--resume: the inputs are not those of the earlier run"),
    (mend, ["--threads", "2"], "--resume: --threads was '1' in the earlier run and is '2'; ask for the same, or begin"),
    (mend, ["--scores"], "--resume: --scores was False in the earlier run and is True; ask for the same, or begin"),
    (mend, ["--model", "other"], "--resume: model was None in the earlier run and is '"),
    (mend, ["--format", "conll"], "--resume: --format was 'jsonl' in the earlier run and is 'conll'"),
    (lambda: (Path("out") / NAME).write_text('{"manifest": 99}\n'), [], "out/.tag-manifest: not what this version"),
    (lambda: Path("out/c.jsonl").write_text("precious"), [], "out/c.jsonl: is there already"),
]


@pytest.mark.parametrize(("happened", "options", "message"), REFUSED)
def test_what_cannot_be_gone_on_with_is_refused(
    tag: Tag,
    ended: Path,
    capsys: pytest.CaptureFixture[str],
    happened: Callable[[], object],
    options: list[str],
    message: str,
) -> None:
    Path("other").mkdir()
    Path("other/config.json").write_text("{}")
    happened()
    before = tree("out")
    capsys.readouterr()
    assert tag("in", "--output", "out", "--resume", *options) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"tag.py: {message}")
    assert told.count("\n") == 1
    assert tree("out") == before
    assert (ended / NAME).is_file()


def test_without_the_option_what_is_there_is_left_alone(
    tag: Tag, ended: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mend()
    capsys.readouterr()
    before = (ended / NAME).read_bytes()
    assert tag("in", "--output", "out") == 2
    told = capsys.readouterr().err
    assert re.fullmatch(
        r"tag.py: out: an unfinished run is there, with 2 of 3 files done and \d+ records of the next; "
        "add --resume to go on with it, or --overwrite to begin anew\n",
        told,
    )
    assert (ended / NAME).read_bytes() == before
    assert tag("in", "--output", "out", "--overwrite") == 0
    assert tree("out") == tree("whole")


def test_a_run_killed_before_any_output_was_whole_is_not_begun_anew_unasked(
    tag: Tag, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.txt").write_text(lines(4000), encoding="utf-8")
    assert tag("a.txt", "--output", "whole", "--quiet") == 0

    def mark_and_die(self: Manifest, where: Mark) -> None:
        marking(self, where)
        os.kill(os.getpid(), signal.SIGKILL)

    marking = Manifest.mark
    with monkeypatch.context() as patched:
        patched.setattr(Manifest, "mark", mark_and_die)
        assert killed_in(-1, lambda: tag("a.txt", "--output", "out", "--quiet"))
    before = tree("out")
    assert list(before) == [".a.jsonl.part"]
    assert tag("a.txt", "--output", "out") == 2
    assert "tag.py: out: an unfinished run is there, with 0 of 1 files done and " in capsys.readouterr().err
    assert tree("out") == before
    assert tag("a.txt", "--output", "out", "--resume", "--quiet") == 0
    assert tree("out") == tree("whole")


def test_what_cannot_be_gone_on_with_is_begun_anew_by_what_the_refusal_advises(
    tag: Tag, ended: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mend()
    capsys.readouterr()
    assert tag("in", "--output", "out", "--resume", "--scores") == 2
    assert capsys.readouterr().err.endswith("ask for the same, or begin anew with --overwrite in place of --resume\n")
    assert tag("in", "--output", "out", "--scores", "--overwrite") == 0


def test_with_nothing_to_go_on_with_what_is_there_is_not_advised_to_be_resumed(
    tag: Tag, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.txt").write_text("Ada")
    Path("out").mkdir()
    Path("out/a.jsonl").write_text("precious")
    for options in ([], ["--resume"]):
        assert tag("a.txt", "--output", "out", *options) == 2
        told = capsys.readouterr().err
        assert told.startswith("tag.py: out/a.jsonl: is there already; ")
        assert "--resume" not in told


def test_what_was_read_from_a_pipe_is_begun_anew(tag: Tag) -> None:
    with Manifest(Path("out")) as manifest:
        manifest.begin({})
        manifest.mark(Mark(Place(1, 0, 5)))
    assert tag("-", "--output", "out", "--quiet") == 0


def test_with_nothing_to_go_on_with_it_begins(tag: Tag) -> None:
    Path("a.txt").write_text("Ada")
    assert tag("a.txt", "--output", "out", "--resume") == 0
    assert json.loads(Path("out/a.jsonl").read_text())["text"] == "Ada"


def test_it_needs_files_on_both_sides(tag: Tag, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.txt").write_text("Ada")
    assert tag("a.txt", "--resume") == 2
    assert "--resume goes on with the files in the folder --output" in capsys.readouterr().err
    assert tag("-", "--output", "out", "--quiet") == 0
    assert tag("-", "--output", "out", "--resume", "--overwrite") == 2
    assert "standard input: cannot be read again, which --resume needs" in capsys.readouterr().err


def test_two_runs_do_not_write_into_one_folder(tag: Tag, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.txt").write_text("Ada")
    with Manifest(Path("out")):
        assert tag("a.txt", "--output", "out") == 2
    assert "out: another run writes there; wait for it" in capsys.readouterr().err
