"""`train.py distill.teacher=…`: a student learns from raw text; refusals in one line."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path

import pytest

from tagger.commands import train as train_command
from tagger.predict import load
from tests.helpers.small_corpus import QUICK, column_files, sentence

pytestmark = pytest.mark.extended


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, beside compiled loops."""
    monkeypatch.setenv("TAGGER_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a teacher."""
    folder = tmp_path_factory.mktemp("teacher")
    assert train_command.main([*column_files(folder), *QUICK, f"run_dir={folder / 'run'}", "latest=null"]) == 0
    return folder / "run"


@pytest.fixture
def raw(tmp_path: Path) -> str:
    """Three hundred sentences without labels, of which some are not those of the labelled files."""
    chance = random.Random(99)
    path = tmp_path / "raw.txt"
    path.write_text("\n".join(" ".join(token for token, _ in sentence(chance)) for _ in range(300)))
    return str(path)


def arguments(tmp_path: Path, raw: str, *more: str, run: str = "student") -> list[str]:
    return [
        *column_files(tmp_path), *QUICK, f"run_dir={run}", "latest=null", f"distill.text=[{raw}]",
        "distill.tokenizer=whitespace", "distill.epoch_tokens=400", *more,
    ]  # fmt: skip


def test_a_student_learns_from_a_teacher_and_says_so(
    teacher: Path, tmp_path: Path, raw: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = arguments(tmp_path, raw, f"distill.teacher={teacher / 'model'}", "report=true")
    assert train_command.main(command) == 0
    printed = capsys.readouterr().out
    assert "distillation: " in printed
    assert "of the labelled data" in printed
    card = (tmp_path / "student" / "model" / "README.md").read_text()
    assert f"tokens of {raw}, tagged by {teacher / 'model'}" in card
    report = json.loads((tmp_path / "student" / "report" / "report.json").read_text())
    assert raw in report["scored"]["distilled from"]
    entities = load("student/model").tag("They met Bo in New York .").entities
    assert [(entity.text, entity.label) for entity in entities] == [("Bo", "PER"), ("New York", "LOC")]


def test_a_student_that_starts_from_a_model_with_tags_in_another_order_learns_the_right_ones(
    teacher: Path, tmp_path: Path, raw: str
) -> None:
    (tmp_path / "people").mkdir()
    people = column_files(tmp_path / "people")
    for path in (tmp_path / "people").iterdir():
        path.write_text(re.sub("[BI]-LOC", "O", path.read_text()))
    assert train_command.main([*people, *QUICK, "run_dir=start", "latest=null"]) == 0
    more = [f"distill.teacher={teacher / 'model'}", "init_from=start/model", "distill.weight=5"]
    shape = tuple(name.partition("=")[0] for name in QUICK if name.startswith(("encoder", "embeddings")))
    given = [one for one in arguments(tmp_path, raw, *more) if not one.startswith(shape)]
    assert train_command.main(given) == 0
    model = load("student/model")
    assert [tag[2:] for tag in model.folder.vocabularies.tags] == ["", *["PER"] * 4, *["LOC"] * 4]
    assert load(teacher / "model").folder.vocabularies.tags[1] == "B-LOC"
    entities = model.tag("They met Bo in New York .").entities
    assert [(entity.text, entity.label) for entity in entities] == [("Bo", "PER"), ("New York", "LOC")]


def test_a_resumed_student_ends_with_the_same_weights(teacher: Path, tmp_path: Path, raw: str) -> None:
    steady = ["optim.lr_schedule=constant", "optim.warmup=0", f"distill.teacher={teacher / 'model'}"]
    for run, epochs, resume in (("one", 3, False), ("two", 1, False), ("two", 3, True)):
        given = [one for one in arguments(tmp_path, raw, *steady, run=run) if not one.startswith("trainer.max_epochs")]
        assert train_command.main([*given, f"trainer.max_epochs={epochs}", f"resume={str(resume).lower()}"]) == 0
    one, two = ((tmp_path / run / "model" / "model.safetensors").read_bytes() for run in ("one", "two"))
    assert one == two


def test_the_teacher_is_trained_first_where_asked(tmp_path: Path, raw: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert train_command.main(arguments(tmp_path, raw, "distill.teacher=auto", "distill.ensemble=2")) == 0
    printed = capsys.readouterr().out
    assert "training teacher 1 of 2" in printed
    assert "training teacher 2 of 2" in printed
    models = [(tmp_path / "student" / "teachers" / n / "model" / "model.safetensors").read_bytes() for n in "12"]
    assert models[0] != models[1]
    assert (tmp_path / "student" / "model" / "model.safetensors").is_file()


@pytest.mark.parametrize("changed", [False, True])
def test_a_resumed_run_keeps_its_teacher_unless_the_data_have_changed(
    changed: bool, tmp_path: Path, raw: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = arguments(tmp_path, raw, "distill.teacher=auto", "distill.ensemble=1")
    assert train_command.main(command) == 0
    model = tmp_path / "student" / "teachers" / "1" / "model" / "model.safetensors"
    before = model.read_bytes()
    shutil.rmtree(tmp_path / "student" / "checkpoints")  # as if the run had ended before the student's first one
    (tmp_path / "student" / "run.json").unlink()
    if changed:
        (tmp_path / "train.conll").write_text("Zoe\tB-PER\nleft\tO\nRome\tB-LOC\n\n" * 80)
    capsys.readouterr()
    assert train_command.main([*command, "resume=true"]) == (2 if changed else 0)
    assert model.read_bytes() == before
    assert ("teachers/1/checkpoints/last.ckpt: does not fit" in capsys.readouterr().err) is changed


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["distill.teacher=nowhere"], "nowhere"),
        (["distill.teacher=[]"], "distill.teacher=[]: an empty list"),
        (["distill.teacher=[auto,x]"], "auto stands alone"),
        (["distill.teacher=auto", "distill.text=[]"], "distill.text: names no file"),
        (["distill.teacher=auto", "distill.weight=0"], "distill.weight: must be positive"),
        (["distill.teacher=auto", "distill.sentences=0"], "distill.sentences: must be at least 1"),
        (["distill.teacher=auto", "distill.entity_share=2"], "distill.entity_share: must lie in [0, 1]"),
        (["distill.teacher=auto", "embeddings.transformer=x"], "the student has a transformer"),
        (["distill.teacher=auto", "distill.teh=1"], "distill.teh"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_one_line(
    more: list[str], message: str, tmp_path: Path, raw: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_command.main(arguments(tmp_path, raw, *more)) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1
