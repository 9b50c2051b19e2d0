"""`pretrain.py`, and `train.py init_from_lm=…`: from raw text to a tagger that starts from its language model."""

from __future__ import annotations

import json
import random
import shutil
import signal
from pathlib import Path

import pytest
import torch

from tagger.commands import train as train_command
from tagger.commands.main import run_command
from tagger.model_folder.folder import ModelFolder
from tagger.model_folder.language_model import LanguageModelFolder
from tagger.predict import load
from tagger.pretraining.lightning_module import PretrainingModule
from tests.helpers.small_corpus import QUICK, column_files, sentence

pytestmark = pytest.mark.extended

SHAPE = tuple(each for each in QUICK if each.startswith(("encoder.hidden", "embeddings.word", "embeddings.char")))
OF_TAGGER = tuple(each for each in QUICK if each not in SHAPE)
SMALL = [
    *SHAPE, "data.tokenizer=whitespace", "data.language=en", "embeddings.static=null", "optim.batch_tokens=100",
    "optim.negatives=5", "trainer.max_epochs=3", "trainer.enable_progress_bar=false", "optim.optimizer.lr=0.01",
    "data.held_out=0.1", "data.min_count=1",
]  # fmt: skip


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGGER_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def raw_text(folder: Path) -> str:
    """Three hundred sentences, each a document."""
    chance = random.Random(99)
    path = folder / "raw.txt"
    path.write_text("\n\n".join(" ".join(token for token, _ in sentence(chance)) for _ in range(300)) + "\n\nOttawa")
    return f"data.text=[{path}]"


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a language model."""
    folder = tmp_path_factory.mktemp("lm")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TAGGER_CACHE", str(folder / "cache"))
        assert run_command("pretrain", [raw_text(folder), *SMALL, f"run_dir={folder / 'run'}"]) == 0
    return folder / "run"


def test_the_loss_falls_and_the_run_has_logs_and_a_model(pretrained: Path) -> None:
    log = (pretrained / "logs" / "csv" / "metrics.csv").read_text()
    assert {"dev_perplexity", "words_per_second", "lr"} <= set(log.partition("\n")[0].split(","))
    assert (pretrained / "logs" / "tensorboard").is_dir()
    folder = LanguageModelFolder.load(pretrained / "model")
    assert "Ottawa" in folder.predicted.vocabulary
    figures = json.loads((pretrained / "perplexity.json").read_text())["perplexity"]
    by_model = {each["model"]: each["perplexity"] for each in figures}
    assert 1 < by_model["GRU, forward"] < by_model["unigram"]
    assert 1 < by_model["Kneser-Ney 5-gram"] < by_model["unigram"]
    assert "| held out | Kneser-Ney 5-gram |" in (pretrained / "model" / "README.md").read_text()
    assert "; perplexity " in (pretrained / "model" / "README.md").read_text()


def test_a_resumed_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    arguments = [raw_text(tmp_path), *SMALL, "checkpoint_seconds=0"]
    assert run_command("pretrain", [*arguments, "run_dir=whole"]) == 0
    original, taken = PretrainingModule.training_step, 0

    def step(*given: object) -> torch.Tensor:
        nonlocal taken
        taken += 1
        if taken == 25:
            raise RuntimeError("broken off")
        return original(*given)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PretrainingModule, "training_step", step)
        with pytest.raises(RuntimeError, match="broken off"):
            run_command("pretrain", [*arguments, "run_dir=run"])
    assert run_command("pretrain", [*arguments, "run_dir=run", "resume=true"]) == 0
    whole, resumed = (Path(name, "model", "model.safetensors").read_bytes() for name in ("whole", "run"))
    assert whole == resumed
    assert run_command("pretrain", [*arguments, "run_dir=run", "resume=true", "optim.negatives=6"]) == 2


def test_ctrl_c_keeps_the_best_model(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    original, taken = PretrainingModule.training_step, 0

    def step(*given: object) -> torch.Tensor:
        nonlocal taken
        taken += 1
        if taken == 25:
            signal.raise_signal(signal.SIGINT)
        return original(*given)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PretrainingModule, "training_step", step)
        assert run_command("pretrain", [raw_text(tmp_path), *SMALL, "run_dir=run"]) == 130
    assert "resume=true run_dir=" in capfd.readouterr().out
    assert LanguageModelFolder.load(Path("run/model")).language == "en"


def test_a_tagger_starts_from_it_knows_its_words_and_names_it(
    pretrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = f"init_from_lm={pretrained / 'model'}"
    arguments = [*column_files(tmp_path), *OF_TAGGER, start, "latest=null", "optim.warmup=0",
        "optim.optimizer.lr=1e-9", "optim.optimizer.weight_decay=0", "report=true"]  # fmt: skip
    assert train_command.main([*arguments, "run_dir=run"]) == 0
    assert "words known from raw text" in capsys.readouterr().out
    tagger, model = ModelFolder.load(Path("run/model")), LanguageModelFolder.load(pretrained / "model")
    assert "ottawa" in tagger.vocabularies.words
    for name, tensor in model.shared_tensors.items():
        rows = tagger.tensors[name][: len(tensor)]
        torch.testing.assert_close(torch.from_numpy(rows), torch.from_numpy(tensor), rtol=0, atol=1e-6)
    assert model.about in (Path("run") / "model" / "README.md").read_text()
    assert json.loads(Path("run/report/report.json").read_text())["scored"]["pretrained on"] == model.about
    assert tagger.pretrained_on == model.about
    assert load("run/model").tag("They met Ottawa .").sentences[0].tokens == ["They", "met", "Ottawa", "."]


def test_it_learns_from_a_teacher_too_and_resumes_exactly(pretrained: Path, tmp_path: Path) -> None:
    arguments = [*column_files(tmp_path), *OF_TAGGER, f"init_from_lm={pretrained / 'model'}", "latest=null",
        raw_text(tmp_path).replace("data.text", "distill.text"), "distill.tokenizer=whitespace", "distill.teacher=auto",
        "distill.ensemble=1", "distill.epoch_tokens=200"]  # fmt: skip
    assert train_command.main([*arguments, "run_dir=run"]) == 0
    weights = Path("run/model/model.safetensors").read_bytes()
    shutil.copytree("run", "again")
    assert train_command.main([*arguments, "run_dir=again", "resume=true"]) == 0
    assert Path("again/model/model.safetensors").read_bytes() == weights


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("encoder.layers=2", "encoder.layers: 2 layers cannot be pretrained"),
        ("embeddings.transformer.path=x", "a transformer reads the word to predict"),
        ("embeddings.word=null", "pretraining predicts words by their vectors"),
        ("data.text=[]", "data.text: names no file"),
        ("data.text=[missing.txt]", "missing.txt"),
        ("data.held_out=1", "data.held_out: must lie between 0 and 1"),
        ("data.vocabulary=0", "data.vocabulary: must be at least 1"),
        ("data.min_count=999", "data.min_count: no word of the text occurs 999 times"),
        ("optim.negatives=0", "optim.negatives: must be at least 1"),
        ("tags=words", "tags: expected entities or plain"),
        ("dropout=1", "dropout: must lie in [0, 1)"),
        ("data.tokenizer=nothing", "tokenizer 'nothing' is unknown"),
    ],
)
def test_what_cannot_be_pretrained_is_refused_in_one_line(
    override: str, expected: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = [each for each in SMALL if each.partition("=")[0] != override.partition("=")[0]]
    text = [] if override.startswith("data.text") else [raw_text(tmp_path)]
    given = [each for each in given if not (override.startswith("embeddings.word") and "word" in each)]
    assert run_command("pretrain", [*text, *given, "run_dir=run", override]) == 2
    found = capfd.readouterr().err.strip().split("\n")
    assert expected in found[-1]
    assert not Path("run", "config.yaml").exists()


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["init_from_lm=nowhere"], "nowhere: no such model folder"),
        (["init_from_lm=LM", "encoder.hidden_size=17"], "encoder.hidden_size is 16, not 17"),
        (["init_from_lm=LM", "encoder.layers=2"], "encoder.layers is 1, not 2"),
        (["init_from_lm=LM", "init_from=LM"], "a run starts from one model"),
    ],
)
def test_a_start_that_does_not_fit_is_refused_in_one_line(
    overrides: list[str], expected: str, pretrained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = [each.replace("LM", str(pretrained / "model")) for each in overrides]
    assert train_command.main([*column_files(tmp_path), *OF_TAGGER, *given, "run_dir=run", "latest=null"]) == 2
    assert expected in capfd.readouterr().err


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"version": 99}, "language model format 99 is newer"),
        ({"format": "tagger-model"}, "not a language model"),
        ({"about": 7}, "damaged: 'about'"),
        ({"model": {"encoder": {"hidden_size": 17}}}, "expected float32"),
        ({"model": {"encoder": {"layers": 1000000000}}}, "damaged model: 1000000000 layers"),
    ],
)
def test_a_folder_of_another_kind_or_a_damaged_one_is_refused(
    change: dict[str, object], expected: str, pretrained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(pretrained / "model", tmp_path / "lm")
    config = json.loads(Path("lm/config.json").read_text())
    Path("lm/config.json").write_text(json.dumps({**config, **change}))
    given = [*column_files(tmp_path), *OF_TAGGER, "init_from_lm=lm", "run_dir=run", "latest=null"]
    assert train_command.main(given) == 2
    assert expected in capfd.readouterr().err


def test_a_tagger_is_no_language_model(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = [*column_files(tmp_path), *QUICK, "latest=null"]
    assert train_command.main([*arguments, "run_dir=run"]) == 0
    assert train_command.main([*arguments, "run_dir=other", "init_from_lm=run/model"]) == 2
    assert "not a language model (format 'tagger-model')" in capfd.readouterr().err
