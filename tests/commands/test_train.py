"""`train.py` and `evaluate.py` from their arguments to their files, on a corpus learnt in seconds."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import tagger
from tagger.commands import evaluate, train
from tagger.commands.hydra import hydra_entry
from tagger.corpus.sentence import Sentence
from tagger.engines.onnx_export import graph_of
from tagger.evaluation.learning_curve import read_learning_curve
from tagger.model_folder.folder import ModelFolder, put_graph
from tagger.runs import finish
from tagger.runs.record import RunRecord
from tagger.training.callbacks import EpochLines
from tagger.training.lightning_module import TaggingModule
from tagger.training.run_config import OptimConfig
from tagger.training.schedule import learning_rate_factor
from tests.helpers.children import begin
from tests.helpers.small_corpus import QUICK, column_files


def test_training_sentences_far_longer_than_the_rest_are_named_with_their_cost() -> None:
    sentences = [Sentence(["a"] * 10, ["O"] * 10) for _ in range(40)]
    assert train._length_warning(sentences, 100) == ""
    sentences.append(Sentence(["a"] * 5000, ["O"] * 5000, place="train.conll:7"))
    assert train._length_warning(sentences, 100) == (
        "train: far longer than the rest: train.conll:7 (5,000 tokens). They take 5,000 of an epoch's 5,040 time "
        "steps; data.max_length=1000 leaves them out"
    )


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("trained")
    with contextlib.chdir(folder):
        assert train.main([*column_files(folder), *QUICK, "report=true", f"run_dir={folder / 'run'}"]) == 0
    return folder / "run"


def weights(run: Path) -> dict[str, np.ndarray]:
    return load_file(run / "model" / "model.safetensors")


def f1(report: Path) -> float:
    return json.loads((report / "report.json").read_text())["entities"]["micro"]["f1"]


def scores_on_test() -> dict[str, float]:
    """Those of the run in the folder `run`."""
    record = RunRecord.read(Path("run"))
    assert record is not None
    return record.test


def best_dev_f1(run: Path) -> float:
    lines = (run / "logs" / "csv" / "metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("dev_f1")
    return max(float(line.split(",")[column]) for line in lines[1:] if line.split(",")[column])


def test_leaves_model_checkpoints_logs_report_and_the_latest_link(trained: Path) -> None:
    expected = {
        "model/model.safetensors", "model/config.json", "model/vocab.json", "model/README.md",
        "checkpoints/best.ckpt", "checkpoints/last.ckpt", "logs/csv/metrics.csv", "config.yaml", "run.json",
        "report/report.json", "report/report.md", "report/report.html", "report/predictions.conll",
    }  # fmt: skip
    found = {path.relative_to(trained).as_posix() for path in trained.rglob("*") if path.is_file()}
    assert expected <= found
    assert any(name.startswith("logs/tensorboard/events") for name in found)
    assert (trained.parent / "runs" / "latest").resolve() == trained.resolve()


def test_without_a_report_the_scores_are_the_same_and_an_earlier_report_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*column_files(tmp_path), *QUICK, "run_dir=run", "trainer.max_epochs=1"]
    assert train.main([*arguments, "report=true"]) == 0
    scores, table = scores_on_test(), capsys.readouterr().out.split("trained")[0].split("warning")[0]
    assert scores["micro F1"] == pytest.approx(f1(Path("run/report")), abs=1e-6)
    assert train.main([*arguments, "report=false", "resume=true"]) == 0
    assert scores_on_test() == scores
    assert list(Path("run/report").iterdir()) == []
    shown = capsys.readouterr().out
    assert table in shown
    assert "report:" not in shown


def test_learns_the_corpus_and_tags_with_the_model(trained: Path) -> None:
    assert f1(trained / "report") > 0.9
    entities = tagger.load(trained / "model").tag("They met Chidi in New York.").entities
    assert [(entity.text, entity.label) for entity in entities] == [("Chidi", "PER"), ("New York", "LOC")]


def test_every_engine_gives_the_same_tags(trained: Path, tmp_path: Path) -> None:
    model = shutil.copytree(trained / "model", tmp_path / "model")
    put_graph(model, graph_of(ModelFolder.load(model)))
    texts = (
        "We met Ada in New York .",
        "Nobody met Zoë in Paris",
        "They in",
        "met",
        "Bo and Enok met Łukasz in Łódź !",
    )
    sentences = [Sentence(text.split()) for text in texts * 20]
    expected = list(tagger.load(model).tag_sentences(sentences))
    for engine in ("onnx", "torch"):
        assert list(tagger.load(model, engine=engine).tag_sentences(sentences)) == expected


def test_the_model_has_a_temperature_and_gives_scores_by_it(trained: Path) -> None:
    temperature = json.loads((trained / "model" / "config.json").read_text())["temperature"]
    assert 0.1 < temperature < 1  # it makes no mistakes on dev, and may be surer than it was
    assert f"{temperature:.2f}" in (trained / "model" / "README.md").read_text()
    entities = tagger.load(trained / "model").tag("They met Chidi in New York.", scores=True).entities
    assert all(0.5 < (entity.score or 0) <= 1 for entity in entities)


def test_dev_score_in_training_is_what_evaluate_gives(trained: Path) -> None:
    arguments = [f"model={trained / 'model'}", *column_files(trained.parent), "split=dev", "out=report"]
    assert evaluate.main(arguments) == 0
    assert f1(Path("report")) == pytest.approx(best_dev_f1(trained), abs=1e-6)


def test_every_epoch_s_speed_and_learning_rate_are_logged_though_it_has_few_steps(trained: Path) -> None:
    found = read_learning_curve(trained)
    assert found is not None
    assert all(epoch.tokens_per_second for epoch in found.epochs)
    with (trained / "logs" / "csv" / "metrics.csv").open(encoding="utf-8") as stream:
        steps = [int(row["step"]) + 1 for row in csv.DictReader(stream) if row["dev_f1"]]
    assert steps == [steps[0], 2 * steps[0], 3 * steps[0]]
    assert steps[0] < 10, "fewer than from one logged step to the next"
    expected = [0.02 * learning_rate_factor(step, steps[-1], OptimConfig()) for step in steps]
    assert [epoch.learning_rate for epoch in found.epochs] == pytest.approx(expected)


def test_the_record_has_the_scores_and_what_they_are_of(trained: Path) -> None:
    record = RunRecord.read(trained)
    report = json.loads((trained / "report" / "report.json").read_text())
    assert record is not None
    assert record.dev == {"dev_f1": pytest.approx(best_dev_f1(trained), abs=1e-6)}
    assert next(iter(record.test.items())) == ("micro F1", report["headline"]["value"])
    assert (record.seed, record.epochs, record.resumed, record.stopped_by) == (1, 3, False, None)
    assert record.model_bytes == sum(path.stat().st_size for path in (trained / "model").iterdir())


def test_the_configuration_kept_is_the_one_composed(tmp_path: Path) -> None:
    settings = [override for override in QUICK if not override.startswith("trainer.max_epochs")]
    arguments = [*column_files(tmp_path), *settings, "optim.epochs=1", "optim.min_steps=2", "run_dir=run"]
    assert train.main(arguments) == 0
    composed = hydra_entry.compose("train", arguments)
    assert hydra_entry.read_config(Path("run/config.yaml")) == composed | {"run_dir": "run"}
    assert composed["trainer"]["max_epochs"] is None


def test_where_a_step_takes_two_batches_there_are_twice_the_epochs(tmp_path: Path) -> None:
    arguments = [override for override in QUICK if not override.startswith("trainer.max_epochs")]
    data = column_files(tmp_path)
    lines = (tmp_path / "train.conll").read_text(encoding="utf-8").splitlines()
    batches = math.ceil(sum(map(bool, lines)) / 60)  # of QUICK's batch_tokens
    arguments += ["trainer.accumulate_grad_batches=2", "optim.epochs=1", f"optim.min_steps={batches}"]
    assert train.main([*data, *arguments, "run_dir=run"]) == 0
    record = RunRecord.read(Path("run"))
    assert record is not None
    assert record.epochs == 2


def test_same_seed_gives_the_same_weights_and_another_seed_others(trained: Path) -> None:
    for seed in (1, 2):
        assert train.main([*column_files(trained.parent), *QUICK, f"run_dir=again{seed}", f"seed={seed}"]) == 0
    first, same, other = weights(trained), weights(Path("again1")), weights(Path("again2"))
    assert all(np.array_equal(first[name], same[name]) for name in first)
    assert not np.array_equal(first["emissions.weight"], other["emissions.weight"])


def test_a_folder_with_a_run_is_refused_unless_resumed(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = (trained / "config.yaml").read_bytes()
    arguments = [*column_files(trained.parent), *QUICK, f"run_dir={trained}"]
    assert train.main(arguments) == 2
    assert "already holds a run" in capsys.readouterr().err
    assert (trained / "config.yaml").read_bytes() == config


def test_without_a_schedule_the_number_of_epochs_may_be_open(tmp_path: Path) -> None:
    open_end = ["trainer.max_epochs=-1", "optim.warmup=0", "optim.lr_schedule=constant"]
    ends = ["optim.patience=2", "optim.optimizer.lr=0"]  # as no epoch is better than the first
    assert train.main([*column_files(tmp_path), *QUICK, *open_end, *ends, "run_dir=run"]) == 0


def test_resume_goes_on_from_the_last_epoch(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = [*column_files(tmp_path), *QUICK, "run_dir=run"]
    assert train.main([*arguments, "trainer.max_epochs=2"]) == 0
    capsys.readouterr()
    assert train.main([*arguments, "trainer.max_epochs=4", "resume=true"]) == 0
    shown = capsys.readouterr()
    assert [line.split(":")[0] for line in shown.err.splitlines() if line.startswith("epoch")] == ["epoch 3", "epoch 4"]
    assert "trained 4 epochs" in shown.out


def test_resume_with_other_settings_says_what_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*column_files(tmp_path), *QUICK, "run_dir=run", "trainer.max_epochs=1"]
    assert train.main(arguments) == 0
    assert train.main([*arguments, "resume=true", "encoder.hidden_size=20"]) == 2
    told = capsys.readouterr().err
    assert "last.ckpt: does not fit" in told
    assert told.endswith(": encoder.hidden_size was 16, not 20\n")


def test_init_from_keeps_what_was_learnt_and_adds_words_and_labels(trained: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.conll"
    more.write_text("We\tO\nsaw\tO\nZorro\tB-FILM\n.\tO\n\n" * 30, encoding="utf-8")
    files = [f"data.{split}={more}" for split in ("train", "dev", "test")]
    settings = ["data=conll", *files, *QUICK, f"init_from={trained / 'model'}", "run_dir=grown"]
    assert train.main([*settings, "optim.optimizer.lr=0.0", "optim.optimizer.weight_decay=0.0"]) == 0
    before, after = tagger.load(trained / "model"), tagger.load("grown/model")
    assert after.labels == sorted([*before.labels, "FILM"])
    old, new = weights(trained), weights(Path("grown"))
    for name, tensor in old.items():
        assert np.array_equal(tensor, new[name][tuple(slice(0, size) for size in tensor.shape)]), name
    kept = hydra_entry.read_config(Path("grown/config.yaml"))
    own = ModelFolder.load(trained / "model").config.to_mapping()
    assert {group: kept[group] for group in own} == own
    assert new["embeddings.parts.word.table.weight"].shape[0] > old["embeddings.parts.word.table.weight"].shape[0]


def test_a_setting_that_a_model_to_start_from_has_otherwise_is_refused(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*column_files(trained.parent), f"init_from={trained / 'model'}", "run_dir=run"]
    assert train.main([*arguments, "encoder.hidden_size=128"]) == 2  # as the default is
    assert "encoder.hidden_size is 16, not 128; leave these settings out" in capsys.readouterr().err
    assert not Path("run").exists()


def test_plain_tags_are_scored_by_accuracy(tmp_path: Path) -> None:
    path = tmp_path / "pos.txt"
    path.write_text("the DET\ncat NOUN\nsleeps VERB\n\na DET\ndog NOUN\nbarks VERB\n\n" * 20, encoding="utf-8")
    files = [f"data.{split}={path}" for split in ("train", "dev", "test")]
    assert train.main(["data=conll", *files, *QUICK, "run_dir=run"]) == 0
    assert scores_on_test() == {"accuracy": 1, "macro F1": 1}


@pytest.mark.parametrize("order", [1, -1])
def test_a_short_form_leaves_the_entry_s_other_settings(tmp_path: Path, order: int) -> None:
    settings = ["embeddings.static=bundled", "embeddings.static.trainable=true"][::order]
    assert train.main([*column_files(tmp_path), *QUICK, "run_dir=run", "trainer.max_epochs=1", *settings]) == 0
    static = json.loads(Path("run/model/config.json").read_text(encoding="utf-8"))["model"]["embeddings"]["static"]
    assert (static["source"], static["trainable"]) == ("bundled", True)


def test_softmax_and_iob2_learn_too(tmp_path: Path) -> None:
    arguments = [*column_files(tmp_path), *QUICK, "run_dir=run", "decoder=softmax", "decoder.scheme=iob2"]
    assert train.main([*arguments, "encoder.layers=2", "embeddings.affixes=null", "trainer.max_epochs=8"]) == 0
    assert scores_on_test()["micro F1"] > 0.9


@pytest.mark.parametrize(
    ("settings", "carried"),
    [
        (["embeddings.static=bundled"], True),
        (["data.language=en"], True),
        (["data.language=ug"], False),
        (["data.language=en", "embeddings.static=none"], False),
        ([], False),
    ],
)
def test_language_or_setting_decide_on_bundled_vectors(
    settings: list[str], carried: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*column_files(tmp_path), *QUICK, "run_dir=run", "trainer.max_epochs=1", *settings]
    assert train.main(arguments) == 0
    assert Path("run/model/static").is_dir() == carried
    told = "no pretrained vectors, as data.language is not set; data.language=en takes the bundled ones\n"
    assert (told in capsys.readouterr().out) == (not settings)


def test_vectors_from_a_file_are_covered_told_and_carried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["we", "they", "met", "in", "ada", "bo", "oslo", "lima", "oslo"]
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("".join(f"{word} {number}.5 {-number} 1\n" for number, word in enumerate(words)), "utf-8")
    arguments = [*column_files(tmp_path), *QUICK, "run_dir=run", f"embeddings.static={vectors}"]
    assert train.main(arguments) == 0
    shown = capsys.readouterr().out
    assert f"pretrained vectors ({vectors}): " in shown
    assert "1 word is there already ('oslo')" in shown
    vectors.unlink()
    assert evaluate.main(["model=run/model", *column_files(tmp_path), "split=dev", "out=report"]) == 0
    assert f1(Path("report")) == pytest.approx(best_dev_f1(Path("run")), abs=1e-6)


def test_a_run_is_resumed_with_the_same_vectors_wherever_they_lie(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*column_files(tmp_path), *QUICK, "run_dir=run", "trainer.max_epochs=1"]
    first, moved = tmp_path / "vectors.txt", tmp_path / "moved.txt"
    first.write_text("met 1 2\nin 3 4\n")
    assert train.main([*arguments, f"embeddings.static={first}"]) == 0
    first.rename(moved)
    assert train.main([*arguments, f"embeddings.static={moved}", "resume=true"]) == 0
    moved.write_text("met 1 2\nin 3 5\n")
    capsys.readouterr()
    assert train.main([*arguments, f"embeddings.static={moved}", "resume=true"]) == 2
    told = capsys.readouterr().err
    assert "last.ckpt: " in told
    assert "the settings are the same, but the files of data or vectors are not" in told


def test_a_label_never_seen_in_training_is_warned_of_and_counts_as_missed(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = tmp_path / "gold.conll"
    gold.write_text("We\tO\nmet\tO\nAda\tB-PER\nin\tO\nOslo\tB-RIVER\n", encoding="utf-8")
    arguments = [f"model={trained / 'model'}", "data=conll", f"data.train={gold}", f"data.test={gold}", "out=report"]
    assert evaluate.main(arguments) == 0
    assert "RIVER" in capsys.readouterr().err
    assert json.loads(Path("report/report.json").read_text())["entities"]["types"]["RIVER"]["recall"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["encoder.hiden_size=3"], "encoder.hiden_size: no such setting"),
        (["data=wnot17"], "did you mean wnut17"),
        (["encoder.hidden_size=large"], "encoder.hidden_size: expected int"),
        (["data.train=missing.conll", "data=conll"], "missing.conll: no such file"),
        (["data=conll"], "data.train"),
        (["seed=one"], "seed: expected int"),
        (["+speed=9"], "speed: no such setting"),
        (["trainer.max_epochs=many"], "trainer.max_epochs: expected a whole number"),
        (["optim.optimizer.lr=-1"], "optim.optimizer: Invalid learning rate"),
        (["optim.optimizer.lr=fast"], "optim.optimizer.lr: expected a number, got 'fast'"),
        (["optim.optimizer.momentum=0.9"], "optim.optimizer.momentum: no such setting"),
        (["+optim.optimizer.momentum=0.9"], "optim.optimizer: "),
        (["optim.batch_token=9"], "optim.batch_token: no such setting; did you mean optim.batch_tokens?"),
        (["hidden_size=9"], "hidden_size: no such setting; did you mean encoder.hidden_size?"),
        (["data=my/corpus.yaml"], "put the file into FOLDER/data/ and write --config-dir FOLDER data=corpus"),
        (["data=conll", "data.trian=x"], "data.trian: no such setting; did you mean data.train?"),
        (
            ["trainer.accelerator=tpu"],
            "trainer.accelerator=tpu: there is none on this machine; set trainer.accelerator",
        ),
        (["trainer.accelerator=abacus"], "trainer.accelerator=abacus: no such kind; use auto, gpu, "),
        (["data.dir=a=b"], "data.dir=a=b: cannot be read"),
        (["init_from=nowhere"], "nowhere: no such model folder"),
        (["data.tokenizer=scissors"], "tokenizer 'scissors' is unknown"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["run_dir=run", *arguments]) == 2
    shown = capsys.readouterr()
    lines = shown.err.strip().splitlines()
    assert (len(lines), shown.out) == (1, ""), "told before the data are"
    assert lines[0].startswith("train.py: ")
    assert said in lines[0]
    assert not Path("run/model").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to score"),
        (["model=nowhere"], "nowhere: no such model folder"),
        (["model=nowhere", "split=final"], "split=final: use train, dev or test"),
        (["model=nowhere", "input=shouted"], "input=shouted: use tokens or raw"),
        (["predictions=nothing.conll"], "nothing.conll: no such file"),
        (["modell=x"], "modell: no such setting"),
    ],
)
def test_evaluate_tells_a_mistake_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert said in error


def test_a_training_split_without_labels_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "empty.conll"
    path.write_text("nothing\tO\nhere\tO\n\n" * 20, encoding="utf-8")
    files = [f"data.{split}={path}" for split in ("train", "dev", "test")]
    assert train.main(["data=conll", *files, *QUICK]) == 2
    assert "no labels to learn" in capsys.readouterr().err


def test_a_run_to_go_on_with_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    for more in ([], ["-m", "seed=1"]):
        assert train.main(["resume=true", *more]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith("train.py: resume=true: name the folder of the run to continue, as in run_dir=runs/")
    assert not list(Path("runs").rglob("checkpoints"))


def test_ctrl_c_after_an_epoch_s_line_counts_and_keeps_that_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell = EpochLines.on_train_epoch_end

    def interrupted(lines: EpochLines, trainer: Any, module: Any) -> None:
        tell(lines, trainer, module)
        if trainer.current_epoch == 1:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(EpochLines, "on_train_epoch_end", interrupted)
    assert train.main([*column_files(tmp_path), *QUICK, "run_dir=a run"]) == 130
    shown = capsys.readouterr()
    scores = [float(line.split("dev_f1 ")[1].split(",")[0]) for line in shown.err.splitlines() if "dev_f1" in line]
    assert len(scores) == 2
    assert "stopped by Ctrl-C after 2 epochs in " in shown.out
    assert f"; dev_f1 {max(scores):.4f}, " in shown.out
    assert "the same command with resume=true run_dir='" in shown.out


@pytest.mark.parametrize("first", [False, True])
def test_ctrl_c_while_the_report_is_made_tells_how_to_go_on(
    first: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **how: object) -> None:
        raise KeyboardInterrupt

    arguments = [*column_files(tmp_path), *QUICK, "report=true", "run_dir=a run"]
    with monkeypatch.context() as patched:
        patched.setattr(finish, "write_report", interrupted)
        if first:  # one within the second epoch, before that one
            begin = TaggingModule.on_train_epoch_start
            patched.setattr(
                TaggingModule,
                "on_train_epoch_start",
                lambda module: interrupted() if module.current_epoch == 1 else begin(module),
            )
        assert train.main(arguments) == 130
    goes_on = f"the same command with resume=true run_dir='{tmp_path / 'a run'}' continues"
    assert capsys.readouterr().err.endswith(f"\ntrain.py: stopped by Ctrl-C before the run's end; {goes_on}\n")
    assert train.main([*arguments, "resume=true"]) == 0
    assert "trained 3 epochs" in capsys.readouterr().out


@pytest.mark.extended
def test_ctrl_c_keeps_and_reports_the_best_model_so_far(tmp_path: Path) -> None:
    settings = [*QUICK, "report=true", "run_dir=run", "trainer.max_epochs=100000"]
    process = begin("train.py", *column_files(tmp_path), *settings, cwd=tmp_path)
    assert process.stderr is not None
    while not process.stderr.readline().startswith("epoch 2"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 130, error
    assert "stopped by Ctrl-C after" in out
    assert tagger.load(tmp_path / "run" / "model").labels == ["LOC", "PER"]
    assert (tmp_path / "run" / "report" / "report.json").is_file()
