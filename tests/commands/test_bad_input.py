"""What users get wrong, end to end: one line that says where, what and what to do, and nothing half-written."""

from __future__ import annotations

import errno
import io
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

import tagger
from tagger.commands import evaluate, main, train
from tagger.training.lightning_module import TaggingModule
from tests.helpers.failing_output import FailingOutput
from tests.helpers.small_corpus import QUICK, column_files
from tests.helpers.sweeping import train_all_here

pytestmark = pytest.mark.extended

GOOD = "Ada\tB-PER\nmet\tO\n\n" * 5


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three column files and a run of three epochs; to be copied before it is changed."""
    folder = tmp_path_factory.mktemp("finished")
    assert (
        train.main([*column_files(folder), *QUICK, f"run_dir={folder / 'run'}", "trainer.max_epochs=3", "latest=null"])
        == 0
    )
    return folder


@pytest.fixture
def run(finished: Path) -> Path:
    """A copy of that run, in the working folder."""
    return Path(shutil.copytree(finished / "run", "run"))


Tell = Callable[..., str]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Calls a command that is to fail; gives the one line it says."""

    def call(command: Callable[[list[str]], int], *arguments: str, code: int = 2) -> str:
        capsys.readouterr()
        assert command(list(arguments)) == code
        lines = capsys.readouterr().err.splitlines()
        lines = [line for line in lines if not line.startswith("epoch ")]
        assert len(lines) == 1, lines
        program = "train.py: " if command is train.main else "evaluate.py: "
        assert lines[0].startswith(program)
        return lines[0].removeprefix(program)

    return call


def files(folder: str = ".") -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))


BAD_FILES = [
    (None, "bad.conll: no such file; check the path"),
    (b"", "bad.conll: no sentences; is this the right file?"),
    (b"\n \n\n", "bad.conll: no sentences"),
    (b"a\tO\nb\n", "bad.conll:2: 1 column where the first line has 2; correct the line"),
    (b"a\tB-X\nb\tNOUN\n", "bad.conll: tags of mixed schemes: 'NOUN' is not written as prefix and label"),
    (b"a\tS-X\nb\tL-X\n", "bad.conll: tags of mixed schemes: BIOES and BILOU"),
    (b"a\tO\n\xe9\tO\n", "bad.conll:2: invalid UTF-8 (byte 0xe9 at column 1); save the file as UTF-8"),
    (b"a\tO\nb\0\tO\n", "bad.conll:2: a NUL character; is this a text file?"),
    (b"a\tO\rb\tO\r", "bad.conll:1: a carriage return inside the first line; save the file with LF or CRLF"),
]


@pytest.mark.parametrize("split", ["train", "dev"])
@pytest.mark.parametrize(("content", "problem"), BAD_FILES)
def test_a_bad_file_stops_training_before_anything_is_written(
    content: bytes | None, problem: str, split: str, told: Tell
) -> None:
    Path("good.conll").write_text(GOOD)
    if content is not None:
        Path("bad.conll").write_bytes(content)
    before = files()
    names = {"train": "good.conll", "dev": "good.conll", "test": "good.conll", split: "bad.conll"}
    assert problem in told(train.main, "data=conll", *(f"data.{s}={n}" for s, n in names.items()), "run_dir=run")
    assert files() == before


@pytest.mark.parametrize(("content", "problem"), BAD_FILES)
def test_a_bad_file_stops_evaluation_before_anything_is_written(
    content: bytes | None, problem: str, finished: Path, told: Tell
) -> None:
    if content is not None:
        Path("bad.conll").write_bytes(content)
    before = files()
    arguments = [f"model={finished / 'run' / 'model'}", "data=conll", "data.test=bad.conll", "out=report"]
    assert problem in told(evaluate.main, *arguments)
    assert files() == before


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["data=conll", "data.train=folder"], "folder: a folder; check the path, a file is needed"),
        (
            ["data=conll", "data.train=2024"],
            "data.train: expected str or a list, got 2024; quote it: 'data.train=\"2024\"'",
        ),
        (["data=huggingface", "data.path=owner/name"], "owner/name: cannot reach the Hugging Face Hub"),
        (["data=conll", "data.train=${nowhere}"], "Interpolation key 'nowhere' not found"),
        (["encoder=null"], "Config group override must be a string or a list"),
        (["seed"], "seed: cannot be read; expected KEY=VALUE"),
        (["trainer.precision=bf16-true"], "trainer.precision=bf16-true: use 32-true, bf16-mixed or 16-mixed"),
        (["trainer.gradient_clip_val=-1"], "trainer.gradient_clip_val: must not be negative (-1); null clips nothing"),
        (["trainer.accumulate_grad_batches=0"], "trainer.accumulate_grad_batches: must be at least 1, not 0"),
        (
            ["optim.optimizer=adam"],
            "optim.optimizer: expected settings with a class, got 'adam'; set optim.",
        ),
        (["optim.optimizer=null"], "optim.optimizer: expected settings with a class, got None"),
        (["optim.ema=1"], "optim.ema: must lie in [0, 1), or be null; not 1"),
        (["data=wikigold", "data.dev=file"], "data.documents takes dev and test from data.train, and data.dev or data"),
        (["run_dir="], "run_dir: empty"),
        (["data=starter", "data.domain=music"], "data.domain=music: data=starter has no domains; leave data.domain"),
        (["data.language=english"], "data.language=english: expected an ISO 639-1 code, such as en"),
        (["run_dir=file"], "file: cannot write: File exists; set run_dir to a folder that can be written"),
        (["run_dir=file/below"], "below: cannot write: Not a directory; set run_dir"),
        (["run_dir=has_logs"], "has_logs: already holds a run; set resume=true"),
    ],
)
def test_a_wrong_setting_is_told_and_leaves_nothing(arguments: list[str], problem: str, told: Tell) -> None:
    Path("file").write_text("precious")
    Path("folder").mkdir()
    Path("has_logs/logs").mkdir(parents=True)
    before = files()
    assert problem in told(train.main, *([] if "run_dir" in arguments[0] else ["run_dir=run"]), *arguments)
    assert files() == before


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["optim.optimizer.lr=1e30"], "the loss of epoch 1 is nan; lower optim.optimizer.lr"),
        (["encoder.hidden_size=10000000"], "out of memory; lower optim.batch_tokens"),
        (["trainer.max_epochs=0"], "no epoch was trained to its end and scored; check trainer.max_epochs"),
        (["trainer.max_epochs=-1", "trainer.max_time=01:00:00:00"], "set trainer.max_epochs, or optim.warmup=0"),
        (["trainer.max_epochs=-1", "optim.lr_schedule=constant"], "set trainer.max_epochs, or optim.warmup=0"),
        (["trainer.precision=loud"], "trainer: Precision 'loud' is invalid"),
        (["data.train=outside.conll"], "no labels to learn"),
    ],
)
def test_a_run_that_comes_to_nothing_leaves_nothing(
    arguments: list[str], problem: str, tmp_path: Path, told: Tell
) -> None:
    data = column_files(tmp_path)
    Path("outside.conll").write_text("Ada\tO\n\nmet\tO\n")
    before = files()
    assert problem in told(train.main, *data, *QUICK, "run_dir=run", *arguments)
    assert [name for name in files() if name != "runs"] == before


@pytest.mark.parametrize("value", ["a=b", "a,b", "(a", "a{b", "it's", 'say "a"', "日本"])
def test_the_quotes_that_are_advised_work(value: str, told: Tell) -> None:
    advice = told(train.main, "run_dir=run", f"data.dir={value}").rpartition(": ")[2]
    (quoted,) = shlex.split(advice)
    assert told(train.main, "run_dir=run", quoted).startswith(f"data.dir={value}: no such folder")


def test_the_sweep_flag_may_stand_among_overrides(tmp_path: Path) -> None:
    arguments = [*column_files(tmp_path), *QUICK, "trainer.max_epochs=1", "run_dir=sweep"]
    assert train_all_here([*arguments, "-m", "seed=1,2"]) == [0, 0]
    assert len(list(Path("sweep").glob("*/model"))) == 2


def test_a_full_disk_leaves_no_half_of_a_checkpoint(
    tmp_path: Path, told: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    fdopen = os.fdopen

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def opened(descriptor: int, *arguments: Any, **how: Any) -> Any:
        if (arguments or [how.get("mode")])[0] != "wb":
            return fdopen(descriptor, *arguments, **how)
        os.close(descriptor)
        return Full()

    data = column_files(tmp_path)
    before = files()
    monkeypatch.setattr(os, "fdopen", opened)
    message = told(train.main, *data, *QUICK, "run_dir=run")
    assert message.endswith("best.ckpt: cannot write: No space left on device")
    assert files() == before


def resumed(finished: Path, **changes: str) -> list[str]:
    data = {split: finished / f"{split}.conll" for split in ("train", "dev", "test")} | changes
    return ["data=conll", *(f"data.{split}={path}" for split, path in data.items()), *QUICK, "run_dir=run",
            "resume=true", "trainer.max_epochs=4"]  # fmt: skip


@pytest.mark.parametrize("name", ["last.ckpt", "best.ckpt"])
@pytest.mark.parametrize("content", [b"", 100, 5000, b"\x80garbage" * 1000])
def test_a_damaged_checkpoint_is_told(finished: Path, run: Path, told: Tell, name: str, content: bytes | int) -> None:
    checkpoint = run / "checkpoints" / name
    (run / "checkpoints" / "previous.ckpt").unlink()
    checkpoint.write_bytes(checkpoint.read_bytes()[:content] if isinstance(content, int) else content)
    assert f"checkpoints/{name}: damaged checkpoint" in told(train.main, *resumed(finished))


def test_a_foreign_checkpoint_is_told(finished: Path, run: Path, told: Tell) -> None:
    for name in ("last.ckpt", "previous.ckpt"):
        torch.save({"weights": 1}, run / "checkpoints" / name)
    assert "last.ckpt: not a checkpoint of a run" in told(train.main, *resumed(finished))


def test_a_run_is_not_resumed_with_other_words_though_they_are_as_many(finished: Path, run: Path, told: Tell) -> None:
    config = (run / "config.yaml").read_bytes()
    text = (finished / "train.conll").read_text(encoding="utf-8")
    Path("other.conll").write_text(text.replace("Ada", "Eva"), encoding="utf-8")
    message = told(train.main, *resumed(finished, train="other.conll"))
    assert "last.ckpt: does not fit these settings and data; resume with those of its run" in message
    assert (run / "config.yaml").read_bytes() == config


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["trainer.max_epochs=1"], "last.ckpt: You restored a checkpoint with current_epoch=3"),
        (["optim.optimizer._target_=torch.optim.SGD", "~optim.optimizer.fused"], "last.ckpt: does not fit"),
        (["optim.optimizer._target_=torch.optim.Adam"], "last.ckpt: does not fit"),
        (["optim.optimizer.lr=0.5"], "resume with those of its run: optim.optimizer.lr was 0.02, not 0.5"),
        (["optim.patience=3"], "resume with those of its run: optim.patience was null, not 3"),
        (["encoder=gru_reset_before"], "resume with those of its run: encoder.cell was gru, not gru_reset_before"),
    ],
)
def test_a_run_is_not_resumed_with_settings_that_do_not_fit(
    finished: Path, run: Path, told: Tell, arguments: list[str], problem: str
) -> None:
    assert problem in told(train.main, *resumed(finished), *arguments)


def test_a_run_without_checkpoint_begins_anew_and_says_so(
    finished: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("last.ckpt", "previous.ckpt"):
        (run / "checkpoints" / name).unlink()
    assert train.main([*resumed(finished), "trainer.max_epochs=1"]) == 0
    assert "run: no checkpoint to resume from; training from the beginning" in capsys.readouterr().out


def test_a_run_to_be_resumed_that_is_not_there_begins_anew_and_says_so(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for begins in (True, False):
        assert train.main([*resumed(finished), "trainer.max_epochs=1"]) == 0
        shown = capsys.readouterr()
        assert (f"{tmp_path / 'run'}: no run there yet; beginning a new one\n" in shown.err) == begins
        assert "no checkpoint to resume from" not in shown.out


@pytest.mark.parametrize("place", ["run", "run/model"])
def test_jobs_do_not_go_into_the_folder_of_a_run_or_model(finished: Path, run: Path, told: Tell, place: str) -> None:
    before = files()
    message = told(train.main, *resumed(finished), "resume=false", f"run_dir={place}/0_seed-1")
    assert f"{place}/0_seed-1: lies within another run or a model; set another run_dir" in message
    assert files() == before


@pytest.mark.parametrize("content", ["{}", "[1]"])
def test_another_file_called_run_json_is_in_nobodys_way(finished: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content, encoding="utf-8")
    assert train.main([*resumed(finished), "resume=false", "trainer.max_epochs=1"]) == 0


@pytest.mark.parametrize("resume", ["true", "false"])
def test_a_model_is_no_folder_for_a_run(finished: Path, run: Path, told: Tell, resume: str) -> None:
    before = files()
    message = told(train.main, *resumed(finished), f"resume={resume}", "run_dir=run/model")
    assert "run/model: a model, not the folder of a run; set another run_dir" in message
    assert files() == before


def test_ctrl_c_before_the_first_epoch_ends_leaves_nothing(
    tmp_path: Path, told: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TaggingModule, "training_step", interrupted)
    data = column_files(tmp_path)
    before = files()
    message = told(train.main, *data, *QUICK, "run_dir=run", code=130)
    assert message == "stopped by Ctrl-C before the first epoch's end; there is no model to keep"
    assert files() == before


def test_sigterm_keeps_the_best_model_so_far(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = TaggingModule.on_train_epoch_start

    def terminated_in_the_second_epoch(module: TaggingModule) -> None:
        begin(module)
        if module.current_epoch == 1:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(TaggingModule, "on_train_epoch_start", terminated_in_the_second_epoch)
    with pytest.raises(SystemExit) as ended:
        train.main([*column_files(tmp_path), *QUICK, "run_dir=run"])
    assert ended.value.code == 128 + signal.SIGTERM
    assert "stopped by SIGTERM after 1 epoch in" in capsys.readouterr().out
    assert tagger.load("run/model").labels == ["LOC", "PER"]


def test_ctrl_c_during_the_imports_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "import_module", interrupted)
    assert main.run_command("train") == 130
    assert capsys.readouterr().err == "train.py: stopped by Ctrl-C\n"


@pytest.mark.parametrize("name", ["train", "evaluate", "tag"])
def test_the_scripts_run_the_commands(name: str) -> None:
    assert f'run_command("{name}")' in (Path(train.__file__).parents[2] / f"{name}.py").read_text(encoding="utf-8")


def test_labels_of_dev_and_test_that_train_lacks_are_told_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = column_files(tmp_path)
    for split, label in (("dev", "RIVER"), ("test", "HILL")):
        path = tmp_path / f"{split}.conll"
        path.write_text(path.read_text(encoding="utf-8").replace("-LOC", f"-{label}"), encoding="utf-8")
    assert train.main([*data, *QUICK, "report=true", "run_dir=run", "trainer.max_epochs=1"]) == 0
    shown = capsys.readouterr().out
    assert "warning: label RIVER: in the dev split 20 times, unknown to the model: counted as missed" in shown
    assert "warning: label HILL: in the test split 23 times, unknown to the model: counted as missed" in shown
    report = json.loads(Path("run/report/report.json").read_text(encoding="utf-8"))
    assert report["entities"]["types"]["HILL"]["recall"] == 0
    assert any("HILL" in warning for warning in report["warnings"])


def test_data_of_which_the_model_knows_no_label_are_refused(finished: Path, told: Tell) -> None:
    Path("other.conll").write_text("Rhine\tB-RIVER\nflows\tO\n")
    arguments = [f"model={finished / 'run' / 'model'}", "data=conll", "data.test=other.conll", "out=report"]
    message = told(evaluate.main, *arguments)
    assert message.startswith("other.conll: the model knows none of its labels (RIVER); the model has LOC, PER")
    assert files() == ["other.conll"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["gold=gold.conll"], "gold=gold.conll: set predictions=FILE too"),
        (["model=m", "predictions=gold.conll"], "model and predictions are both set"),
        (["model=2024"], "model: expected Path, got 2024; quote it: 'model=\"2024\"'"),
        (["gold=gold.conll", "predictions=short.conll"], "short.conll:1: the file ends here, but gold.conll:2"),
        (["gold=gold.conll", "predictions=empty.conll"], "empty.conll: no words"),
        (["gold=gold.conll", "predictions=plain.conll"], "plain.conll"),
        (["gold=gold.conll", "predictions=."], ".: a folder; check the path, a file is needed"),
        (["predictions=gold.conll"], "gold.conll:1: 2 of 3 columns"),
    ],
)
def test_what_cannot_be_scored_is_told(arguments: list[str], problem: str, told: Tell) -> None:
    content = {"gold": "Ada\tB-PER\nmet\tO\n", "short": "Ada\tB-PER\n", "plain": "Ada\tNOUN\nmet\tVERB\n", "empty": ""}
    for name, text in content.items():
        Path(f"{name}.conll").write_text(text)
    before = files()
    assert problem in told(evaluate.main, *arguments, "out=report")
    assert files() == before


def test_scores_are_shown_though_the_report_cannot_be_written(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").write_text("precious")
    data = ["data=conll", f"data.test={finished / 'test.conll'}"]
    assert evaluate.main([f"model={finished / 'run' / 'model'}", *data, "out=file"]) == 2
    shown = capsys.readouterr()
    assert "micro avg" in shown.out
    assert "\nevaluate.py: file/predictions.conll: cannot write: " in f"\n{shown.err}"
    assert shown.err.endswith("set out to a folder that can be written\n")
    assert Path("file").read_text() == "precious"


@pytest.mark.parametrize(
    ("number", "code", "told"),
    [(errno.EPIPE, 141, ""), (errno.ENOSPC, 1, "evaluate.py: standard output: No space left on device\n")],
)
def test_standard_output_that_fails(
    number: int, code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("both.conll").write_text("Ada\tB-PER\tB-PER\n")
    output = io.TextIOWrapper(io.BufferedWriter(FailingOutput(number)))
    monkeypatch.setattr(sys, "stdout", output)
    assert evaluate.main(["predictions=both.conll"]) == code
    assert capsys.readouterr().err == told
    with pytest.raises(OSError, match=os.strerror(number)):
        output.close()


def test_labels_are_shown_on_a_terminal_that_has_not_their_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("both.conll").write_text("Ada\tB-人\tB-人\n", encoding="utf-8")
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="latin-1"))
    assert evaluate.main(["predictions=both.conll"]) == 0
    assert rb"\u4eba" in shown.getvalue()


def test_an_environment_without_the_packages_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'numpy.core'", name="numpy.core")

    monkeypatch.setattr(main, "import_module", missing)
    assert main.run_command("tag", []) == 2
    told = capsys.readouterr().err
    assert told.startswith("tag.py: numpy.core is not installed in this environment")
    assert told.count("\n") == 1


def test_a_module_of_this_package_that_is_missing_is_no_mistake_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(main.COMMANDS, "nosuch", main.Command("tagger.commands.nosuch", ""))
    with pytest.raises(ModuleNotFoundError, match="nosuch"):
        main.run_command("nosuch", [])


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []])
def test_help_lists_each_command_with_a_line(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tagger", *arguments])
    assert main.main() == (0 if arguments else 2)
    shown = "".join(capsys.readouterr()).splitlines()
    for name, command in main.COMMANDS.items():
        assert [line.split() for line in shown].count([name, *command.summary.split()]) == 1


def test_an_unknown_command_is_told_with_the_closest_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tagger", "sumarise"])
    assert main.main() == 2
    told = capsys.readouterr().err
    assert told.startswith(
        "tagger: no command sumarise; did you mean summarise? there are train, pretrain, evaluate, tag"
    )
    assert told.count("\n") == 1


@pytest.mark.parametrize("name", sorted(main.COMMANDS))
def test_each_command_of_the_table_has_a_module_with_a_main(name: str) -> None:
    assert callable(import_module(main.COMMANDS[name].module).main)
