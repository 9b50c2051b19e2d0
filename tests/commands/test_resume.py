"""tag.py --resume: a run that was ended is continued to the same bytes, or refused in a line."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest
import zstandard
from pyarrow import parquet

from tagger import predict
from tagger.bulk.run_state import NAME, RunState
from tagger.commands.tag import main
from tests.helpers.capitals_tagger import CapitalsTagger
from tests.helpers.random_models import KNOWN_AND_UNKNOWN_WORDS, random_folder
from tests.helpers.repository import REPOSITORY

WORDS = [word for word in KNOWN_AND_UNKNOWN_WORDS if word.strip()]
PATIENCE = 300  # seconds

Tag = Callable[..., int]


@pytest.fixture
def tag(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tag:
    """Call `tag.py` in an empty folder with a fake model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(predict, "load", lambda path, **_: CapitalsTagger())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Ada")))
    return lambda *arguments: main(["--model", "m", "--tokenizer", "whitespace", "--part-size", "300", *arguments])


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
    """Return what lies in a folder, but for the state of the run."""
    found = (path.relative_to(folder) for path in Path(folder).rglob("*") if path.is_file())
    return {str(path): (Path(folder) / path).read_bytes() for path in found if path.parts[0] != NAME}


def killed_in(moment: int, call: Callable[[], object]) -> bool:
    """Make a call in a child process that is killed at the n-th thing it does in `out`. Returns whether it was."""
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

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("open", "os.rename", "os.remove", "os.truncate", "os.mkdir"):
            inside = isinstance(arguments[0], int) or "out" in str(arguments[0])
            if inside and not next(left):
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


@pytest.mark.parametrize(
    ("output_format", "options", "step"),
    [
        ("conll", [], 23),
        *(
            pytest.param(*each, marks=pytest.mark.extended)
            for each in (("jsonl", [], 13), ("html", [], 29), ("parquet", [], 23), ("jsonl", ["--shards"], 19))
        ),
    ],
)
def test_killed_at_any_moment_and_resumed_is_as_unbroken(
    tag: Tag, output_format: str, options: list[str], step: int
) -> None:
    make_inputs(Path("in"))
    options = ["in", "--format", output_format, "--quiet", *options]
    assert tag(*options, "--output", "whole") == 0
    expected = tree("whole")
    assert len(expected) == 9 or "--shards" in options
    for moment in itertools.count(step=step):
        shutil.rmtree("out", ignore_errors=True)
        if not killed_in(moment, lambda: tag(*options, "--output", "out")):
            break
        assert tree("out").items() <= expected.items()
        killed_in(moment * 7 % 50, lambda: tag(*options, "--output", "out", "--resume"))
        assert tag(*options, "--output", "out", "--resume") == 0
        assert tree("out") == expected
    assert moment > 50


@pytest.mark.parametrize("output_format", ["jsonl", "html", "parquet"])
def test_empty_files_are_continued(tag: Tag, output_format: str) -> None:
    Path("in").mkdir()
    for name, content in {"a": "", "b": lines(20), "c": "", "d": "", "e": lines(20, 1), "f": "", "g": ""}.items():
        Path(f"in/{name}.txt").write_text(content, encoding="utf-8")
    options = ["in", "--format", output_format, "--quiet"]
    assert tag(*options, "--output", "whole") == 0
    expected = tree("whole")
    assert len(expected) == 7
    for moment in itertools.count(step=11):
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
    make_inputs(folder / "in", scale=20)
    assert begin(folder, "--output", "whole").wait(PATIENCE) == 0
    return folder


def begin(place: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(REPOSITORY / "tag.py"), "--model", "model", "in", "--scores", "--quiet"]
    return subprocess.Popen([*command, "--part-size", "4K", *arguments], cwd=place, start_new_session=True)


def kill_once_done(run: subprocess.Popen[bytes], state: Path, parts: int) -> None:
    """SIGKILL a run, and the workers with it, when so many parts are done; or let it come to its end."""
    deadline = time.monotonic() + PATIENCE
    while run.poll() is None and time.monotonic() < deadline and len(list(state.glob("parts/*.json"))) < parts:
        time.sleep(0.001)
    if run.poll() is None:
        os.killpg(run.pid, signal.SIGKILL)
    run.wait(PATIENCE)


@pytest.mark.extended
@pytest.mark.parametrize("workers", ["1", "2"])
def test_real_processes_killed_from_outside(place: Path, workers: str) -> None:
    out = f"out-{workers}"
    for parts in (1, 6, 12):
        kill_once_done(
            begin(place, "--workers", workers, "--output", out, *["--resume"] * (parts > 1)), place / out / NAME, parts
        )
    assert begin(place, "--workers", "2", "--output", out, "--resume").wait(PATIENCE) == 0
    assert tree(place / out) == tree(place / "whole")


@pytest.mark.slow
def test_a_run_on_ray_is_continued(place: Path) -> None:
    options = ["--executor", "ray", "--workers", "2", "--output", "out-ray"]
    kill_once_done(begin(place, *options), place / "out-ray" / NAME, 3)
    assert begin(place, *options, "--resume").wait(PATIENCE) == 0
    assert tree(place / "out-ray") == tree(place / "whole")


def done(out: Path) -> list[Path]:
    return sorted((out / NAME / "parts").glob("*.json"))


@pytest.fixture
def ended(tag: Tag) -> Path:
    """The output folder of a run that a malformed input ended, with two whole files and parts of another."""
    Path("in").mkdir()
    Path("in/a.txt").write_text(lines(40), encoding="utf-8")
    Path("in/b.txt").write_text("Bob\n" * 100)
    Path("in/c.conll").write_text("Ada\n\n" * 400)
    assert tag("in", "--output", "whole", "--quiet") == 0
    with Path("in/c.conll").open("a") as stream:
        stream.write("two columns\n")
    assert tag("in", "--output", "out", "--quiet") == 2
    assert sorted(tree("out")) == ["a.jsonl", "b.jsonl"]
    return Path("out")


def mend() -> None:
    path = Path("in/c.conll")
    path.write_text(path.read_text().removesuffix("two columns\n"))


def test_an_input_mended_behind_what_was_tagged_is_continued(tag: Tag, ended: Path) -> None:
    mend()
    before = (ended / "a.jsonl").stat().st_ino
    times = [path.stat().st_mtime_ns for path in done(ended)]
    assert tag("in", "--output", "out", "--resume") == 0
    assert tree("out") == tree("whole")
    assert (ended / "a.jsonl").stat().st_ino == before
    assert [path.stat().st_mtime_ns for path in done(ended)][: len(times)] == times  # none was tagged again


def test_a_finished_run_has_nothing_to_continue(tag: Tag, ended: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mend()
    assert tag("in", "--output", "out", "--resume") == 0
    capsys.readouterr()
    assert tag("in", "--output", "out", "--resume") == 0
    assert capsys.readouterr().err == "tag.py: out: all files are there, as they were written; nothing to do\n"
    assert tree("out") == tree("whole")


def test_parts_behind_a_malformed_record_are_tagged_again(tag: Tag) -> None:
    """With several workers, parts behind it may be done, and mending it moves them."""
    Path("a.txt").write_text("Ada\n" * 300)
    with RunState(Path("out")) as state:
        state.begin({})
        for number in range(5):
            state.part_path(number).write_text("x")
            state.part_path(number).with_suffix(".json").write_text("{}")
        state.forget_from(3)
        assert [path.stem for path in done(Path("out"))] == ["00000000", "00000001", "00000002"]
        assert not state.part_path(4).exists()


def test_records_that_are_cut_off_anywhere_are_written_again(tag: Tag, ended: Path) -> None:
    mend()
    shutil.copytree(ended, "before")
    records = done(ended)
    for record in random.Random(0).sample(records, 4):
        for length in (0, record.stat().st_size // 2):
            shutil.rmtree(ended)
            shutil.copytree("before", ended)
            os.truncate(record, length)
            code = tag("in", "--output", "out", "--resume", "--overwrite", "--quiet")
            assert (code, tree("out")) == (0, tree("whole"))


def test_what_was_written_and_is_not_on_the_disk_is_written_again(tag: Tag, ended: Path) -> None:
    mend()
    part = max((ended / NAME / "parts").glob("[0-9]*[0-9]"))
    for damaged, size in ((part, 10), (ended / "a.jsonl", 10), (ended / "a.jsonl", 0)):  # as a power cut leaves it
        os.truncate(damaged, size)
        assert tag("in", "--output", "out", "--resume") == 0
        assert tree("out") == tree("whole")


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
    (mend, ["--part-size", "1M"], "--resume: --part-size was '300' in the earlier run and is '1M'"),
    (
        lambda: (Path("out") / NAME / "run.json").write_text('{"version": 99}'),
        [],
        "out/.tag-run: not what this version",
    ),
    (lambda: Path("out/c.jsonl").write_text("precious"), [], "out/c.jsonl: is there already"),
]


@pytest.mark.parametrize(("happened", "options", "message"), REFUSED)
def test_what_cannot_be_continued_is_refused(
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
    err = capsys.readouterr().err
    assert err.startswith(f"tag.py: {message}")
    assert err.count("\n") == 1
    assert tree("out") == before
    assert done(ended)


def test_without_the_option_what_is_there_is_left_alone(
    tag: Tag, ended: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mend()
    capsys.readouterr()
    before = done(ended)
    assert tag("in", "--output", "out") == 2
    assert capsys.readouterr().err == (
        f"tag.py: out: an unfinished run is there, with {len(before)} parts done; add --resume to continue it, or "
        "--overwrite to begin again\n"
    )
    assert done(ended) == before
    assert tag("in", "--output", "out", "--overwrite") == 0
    assert tree("out") == tree("whole")


def test_what_is_refused_can_be_begun_again_as_the_refusal_advises(
    tag: Tag, ended: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mend()
    capsys.readouterr()
    assert tag("in", "--output", "out", "--resume", "--scores") == 2
    assert capsys.readouterr().err.endswith("ask for the same, or begin again with --overwrite in place of --resume\n")
    assert tag("in", "--output", "out", "--scores", "--overwrite") == 0


def test_with_nothing_to_continue_what_is_there_is_not_advised_to_be_resumed(
    tag: Tag, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.txt").write_text("Ada")
    Path("out").mkdir()
    Path("out/a.jsonl").write_text("precious")
    for options in ([], ["--resume"]):
        assert tag("a.txt", "--output", "out", *options) == 2
        err = capsys.readouterr().err
        assert err.startswith("tag.py: out/a.jsonl: is there already; ")
        assert "--resume" not in err


def test_with_nothing_to_continue_it_begins(tag: Tag) -> None:
    Path("a.txt").write_text("Ada")
    assert tag("a.txt", "--output", "out", "--resume") == 0
    assert json.loads(Path("out/a.jsonl").read_text())["text"] == "Ada"


def test_it_needs_files_on_both_sides(tag: Tag, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.txt").write_text("Ada")
    assert tag("a.txt", "--resume") == 2
    assert "--resume continues with the files in the folder --output" in capsys.readouterr().err
    assert tag("-", "--output", "out", "--quiet", "--resume") == 2
    assert "standard input: cannot be read again, which --resume needs" in capsys.readouterr().err


def test_two_runs_do_not_write_into_one_folder(tag: Tag, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.txt").write_text("Ada")
    with RunState(Path("out")):
        assert tag("a.txt", "--output", "out") == 2
    assert "another process works in it; wait until it has ended" in capsys.readouterr().err
