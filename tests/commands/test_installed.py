"""The `tagger` command as people get it: from the wheel and from an editable install, away from the checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from tagger.version import __version__
from tests.helpers.installation import Environment, build
from tests.helpers.random_models import random_folder
from tests.helpers.repository import REPOSITORY

pytestmark = pytest.mark.extended

TEXT = "Anna Smith lives in New York.\nΟ Γιώργος μένει στην Αθήνα.\n\nx\n"
QUICK = ("trainer=debug", "trainer.max_epochs=1", "encoder.hidden_size=8", "run_dir=run")
READY = REPOSITORY / "data" / "models" / "en-ner"
NO_DATA = ("seed=1", "--cfg", "job")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel and what it requires, no extras."""
    return Environment(tmp_path_factory.mktemp("base") / "venv", wheel)


@pytest.fixture(scope="session")
def training(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel with the extra `train`."""
    return Environment(tmp_path_factory.mktemp("training") / "venv", wheel, ("train",))


@pytest.fixture(scope="session")
def editable(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An editable install with the extra `train`."""
    folder = tmp_path_factory.mktemp("editable")
    return Environment(folder / "venv", build("editable", folder / "dist"), ("train",))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    random_folder().save(tmp_path / "model", "")
    return tmp_path / "model"


def in_repository(*parts: str) -> set[str]:
    listed = subprocess.run(["git", "ls-files", "-z", *parts], cwd=REPOSITORY, check=True, capture_output=True)
    return {name for name in listed.stdout.decode().split("\0") if name}


def test_the_wheel_holds_the_package_its_settings_and_its_data_and_nothing_else(wheel: Path) -> None:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a clone: what belongs to the project is not known")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    ignored = {name for name in names if "__pycache__" in name}
    expected = in_repository("tagger") | {f"tagger/{name}" for name in in_repository("conf", "data")}
    assert names - ignored == expected
    assert not ignored


def test_the_wheel_s_metadata_name_the_distribution_its_extras_and_its_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(path))
        assert "tagger/py.typed" in archive.namelist()
    assert (metadata["Name"], metadata["Version"]) == ("gru-tagger", __version__)
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert {"train", "serve", "fast"} <= set(metadata.get_all("Provides-Extra", []))
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    own = {line.partition(";")[0] for line in metadata.get_all("Requires-Dist", []) if "tagger" in line}
    assert all(line.startswith("gru-tagger[") for line in own)


def test_the_base_install_tags_without_pytorch_as_the_script_does(
    base: Environment, model: Path, tmp_path: Path
) -> None:
    absent = base.run("python", "-c", "import torch", cwd=tmp_path)
    assert "ModuleNotFoundError" in absent.stderr
    found = base.run("tagger", "tag", "--model", str(model), "--tokens", cwd=tmp_path, text=TEXT)
    script = [sys.executable, str(REPOSITORY / "tag.py"), "--model", str(model), "--tokens"]
    expected = subprocess.run(script, cwd=tmp_path, input=TEXT, capture_output=True, text=True, check=True)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == expected.stdout != ""


@pytest.mark.skipif(not READY.is_dir(), reason="no data/models/en-ner; scripts/ready_models.py makes it")
def test_the_base_install_tags_with_the_model_that_comes_along(base: Environment, tmp_path: Path) -> None:
    found = base.run("tagger", "tag", cwd=tmp_path, text="Ada Lovelace met Charles Babbage in London.\n")
    assert (found.returncode, found.stderr) == (0, "")
    (record,) = map(json.loads, found.stdout.splitlines())
    assert ("London", "LOC") in {(entity["text"], entity["label"]) for entity in record["entities"]}


def test_workers_of_the_installed_command_give_the_same(base: Environment, model: Path, tmp_path: Path) -> None:
    alone, shared = (
        base.run("tagger", "tag", "--model", str(model), "--workers", workers, cwd=tmp_path, text=TEXT * 100)
        for workers in ("1", "2")
    )
    assert (shared.returncode, shared.stderr) == (0, "")
    assert shared.stdout == alone.stdout != ""


@pytest.mark.parametrize(("engine", "extra"), [("torch", "train"), ("onnx", "onnx")])
def test_the_base_install_names_the_extra_that_an_engine_needs(
    base: Environment, model: Path, tmp_path: Path, engine: str, extra: str
) -> None:
    told = base.run("tagger", "tag", "--model", str(model), "--engine", engine, cwd=tmp_path, text=TEXT)
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
    assert f"pip install 'gru-tagger[{extra}]'" in told.stderr


def test_the_package_that_runs_is_the_installed_one(base: Environment, tmp_path: Path) -> None:
    where = base.run("python", "-c", "import tagger; print(tagger.__file__)", cwd=tmp_path)
    assert str(base.bin.parent) in where.stdout


def test_an_editable_install_reads_the_checkout_s_settings_and_data(editable: Environment, tmp_path: Path) -> None:
    call = "from tagger.files import shipped_folder; print(shipped_folder('conf'), shipped_folder('data'))"
    found = editable.run("python", "-c", call, cwd=tmp_path).stdout.split()
    assert found == [str(REPOSITORY / "conf"), str(REPOSITORY / "data")]


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_the_base_install_names_the_extra_that_a_command_needs(base: Environment, tmp_path: Path, command: str) -> None:
    told = base.run("tagger", command, cwd=tmp_path)
    assert told.returncode == 2
    assert told.stderr.count("\n") == 1
    assert "pip install 'gru-tagger[train]'" in told.stderr


@pytest.mark.parametrize(
    ("program", "extra"),
    [
        ("tagger summarise", "train"),
        ("tagger tune", "tune"),
        ("compare.py", "train"),
        ("compare_cells.py", "train"),
        ("benchmark.py", "train"),
    ],
)
def test_the_base_install_names_the_extra_that_a_program_needs(
    base: Environment, tmp_path: Path, program: str, extra: str
) -> None:
    command = ["python", str(REPOSITORY / "scripts" / program)] if program.endswith(".py") else program.split()
    told = base.run(*command, cwd=tmp_path)
    line = f"{program}: needs the extra `{extra}`; install it: pip install 'gru-tagger[{extra}]'\n"
    assert (told.returncode, told.stdout, told.stderr) == (2, "", line)


def test_the_bundled_vectors_are_found_without_pytorch(base: Environment, tmp_path: Path) -> None:
    call = "from tagger.features.vectors.open import open_static; print(open_static('bundled').width)"
    assert base.run("python", "-c", call, cwd=tmp_path).stdout == "128\n"


@pytest.mark.parametrize("kind", ["training", "editable"])
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_the_settings_are_those_of_the_script(
    kind: str, command: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    environment: Environment = request.getfixturevalue(kind)
    found = environment.run("tagger", command, *NO_DATA, cwd=tmp_path)
    script = [sys.executable, str(REPOSITORY / f"{command}.py"), *NO_DATA]
    expected = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=False)
    without_time = [text.split("run_dir:")[0] for text in (found.stdout, expected.stdout)]
    assert (found.returncode, without_time[0]) == (expected.returncode, without_time[1])
    assert found.stdout or found.stderr


@pytest.mark.parametrize("kind", ["training", "editable"])
def test_it_trains_on_the_bundled_corpus_scores_and_tags(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    environment: Environment = request.getfixturevalue(kind)
    trained = environment.run("tagger", "train", *QUICK, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / "run" / "model" / "config.json").exists()
    scored = environment.run("tagger", "evaluate", "model=run/model", "split=dev", "out=dev", cwd=tmp_path)
    assert scored.returncode == 0, scored.stderr
    assert "micro avg" in scored.stdout
    tagged = environment.run("tagger", "tag", "--model", "run/model", "--quiet", cwd=tmp_path, text=TEXT)
    assert (tagged.returncode, tagged.stdout.count("\n")) == (0, TEXT.count("\n"))


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), (), ("no-such-command",)])
def test_help_and_wrong_use_name_the_commands(base: Environment, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    told = base.run("tagger", *arguments, cwd=tmp_path)
    assert "summarise" in told.stdout + told.stderr
    assert told.returncode == (0 if arguments and arguments[0].startswith("-") else 2)
