"""`scripts/benchmark.py` from its command line to its JSON, with peers that only echo."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.random_models import random_folder
from tests.helpers.scripts import load_script
from tests.helpers.small_corpus import QUICK, write_column_file

pytestmark = pytest.mark.extended

benchmark = load_script("benchmark.py")
systems = sys.modules["benchmarks.systems"]
rounds, run = sys.modules["benchmarks.rounds"], sys.modules["benchmarks.run"]

TRAINER = """
import pathlib, sys
from tasks import event
from exchange import read_lines
folder, seed = (sys.argv[sys.argv.index(option) + 1] for option in ("--folder", "--seed"))
folder = pathlib.Path(folder)
tokens = sum(len(record["tokens"]) for record in read_lines(folder / "train.jsonl"))
event(tokens=0, dev=0.1)
event(tokens=tokens, dev=0.6 + int(seed) / 10)
event(tokens=2 * tokens, dev=0.5)
(folder / "model").write_text("nothing was learnt")
"""
WORKER = """
from tasks import serve
class Echo:
    def __init__(self, arguments):
        arguments.model.read_text()
    def tag(self, sentences):
        return map(self.tag_one, sentences)
    def tag_one(self, sentence):
        return ["B-PER" if token.istitle() else "O" for token in sentence]
    def records(self, lines):
        RECORDS
serve(Echo, "Echo.", "--blis")
"""
RECORDS = 'yield from ({"text": line, "entities": []} for line in lines)'
FAILING = 'raise ValueError("no records")'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data sets, `wnut17` and another beside it."""
    made = tmp_path_factory.mktemp("benchmark")
    names = ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated")
    for preset, files in {"wnut17": names, "btc": ("btc.train", "btc.dev", "btc.test")}.items():
        (made / preset).mkdir()
        for number, name in enumerate(files):
            write_column_file(made / preset / name, 60, number)
    random_folder().save(made / "model", "")
    return made


@pytest.fixture(scope="module")
def peers(folder: Path) -> Iterator[Path]:
    """Peers that this Python runs: spaCy's and CRFsuite's places are taken by echoes."""
    scripts = folder / "peers"
    scripts.mkdir()
    (scripts / "trainer.py").write_text(f"import sys\nsys.path.append({str(systems.HERE)!r})\n{TRAINER}")
    begin = f"import sys\nsys.path.append({str(systems.HERE)!r})\n"
    (scripts / "worker.py").write_text(begin + WORKER.replace("RECORDS", RECORDS))
    (scripts / "failing.py").write_text(begin + WORKER.replace("RECORDS", FAILING))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(systems, "make_environment", lambda *_: Path(sys.executable))
        for name, worker in {"spacy": "worker.py", "crfsuite": "failing.py"}.items():
            trainer = systems.Trainer(name, str(scripts / "trainer.py"), "model", (), "none")
            patch.setitem(systems.TRAINERS, name, trainer)
            echo = systems.System(name, f"echo {name}", name, str(scripts / worker))
            patch.setitem(systems.PEER_SYSTEMS, name, (echo,))
        yield scripts


def call(folder: Path, *more: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON of a run."""
    path = folder / "found.json"
    path.unlink(missing_ok=True)
    places = ["--data", str(folder / "wnut17"), "--work", str(folder / "work"), "--env", str(folder / "env")]
    places += ["--engines", ""]
    amount = ["--tokens", "1000", "--rounds", "1", "--seeds", "2", "--markdown", str(folder / "found.md")]
    code = benchmark.main([*places, *amount, "--json", str(path), *more])
    return code, json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


@pytest.fixture(scope="module")
def trained(folder: Path, peers: Path) -> tuple[int, dict[str, Any]]:
    """A run that trains this tagger and a peer, each with two seeds."""
    settings = [*QUICK, "embeddings.static=none"]
    return call(folder, "--peers", "spacy", "--override", *settings)


def test_a_run_gives_every_figure_of_every_system(trained: tuple[int, dict[str, Any]]) -> None:
    code, found = trained
    assert code == 0, found
    assert list(found["systems"]) == ["tagger", "spacy"]
    for system in found["systems"].values():
        for name in ("pretokenised_tokens_per_second", "raw_tokens_per_second", "latency_ms", "latency_p95_ms"):
            assert system[name]["median"] > 0, name
        for name in ("start_seconds", "peak_rss_mb", "test_score", "raw_test_score"):
            assert len(system[name]["each"]) == 1, name
        assert system["model_bytes"] > 0
    assert any(line.startswith("numpy==") for line in found["systems"]["tagger"]["versions"])
    assert found["data"]["tokens"] >= 1000
    assert {*found["data"]["sources"]} == {"test split", "wnut17"}
    assert (found["settings"]["threads"], found["settings"]["rounds"]) == (1, 1)
    assert found["machine"]["processor"]
    assert found["floor"]["floor_seconds"] > 0
    assert found["left_out"] == []


def test_training_is_told_by_time_and_dev_score(trained: tuple[int, dict[str, Any]]) -> None:
    ours, theirs = (trained[1]["systems"][name]["training"] for name in ("tagger", "spacy"))
    assert theirs["best_dev"]["each"] == [0.6, 0.7]
    own, shared = theirs["seconds_to_own_best"]["each"], theirs["seconds_to_spacys_best"]["each"]
    assert shared == own[1:]  # 0.65, their median, is reached by the second alone
    for found, points in ((theirs, 3), (ours, 3)):  # what the trainer above tells, and epochs
        assert [len(curve) for curve in found["curves"]] == [points, points]
        for curve, seconds, whole in zip(
            found["curves"], found["seconds_to_own_best"]["each"], found["seconds"]["each"], strict=True
        ):
            best = max(curve, key=lambda point: point["dev"])  # the first of the best
            assert seconds == pytest.approx(best["seconds"], rel=1e-4)
            assert 0 < seconds < whole
    assert not ours["cut_short"]


def test_each_training_has_its_seed(trained: tuple[int, dict[str, Any]], folder: Path) -> None:
    runs = {path.parts[-3]: path for path in (folder / "work" / "models").glob("*/tagger*/run/run.json")}
    seeds = {name: json.loads(path.read_text(encoding="utf-8"))["seed"] for name, path in runs.items()}
    assert seeds == {"tagger": 1, "tagger-2": 2}


def test_ratios_have_their_names(trained: tuple[int, dict[str, Any]]) -> None:
    _, found = trained
    assert [*found["ratios"]] == ["pretokenised_vs_spacy", "raw_vs_spacy", "train_seconds_vs_spacy"]
    ours, theirs = (found["systems"][name] for name in ("tagger", "spacy"))
    speeds = [side["pretokenised_tokens_per_second"]["median"] for side in (ours, theirs)]
    assert found["ratios"]["pretokenised_vs_spacy"] == pytest.approx(speeds[0] / speeds[1], abs=1e-3)


def test_the_echos_score_is_that_of_its_rule(trained: tuple[int, dict[str, Any]], folder: Path) -> None:
    assert trained[1]["systems"]["spacy"]["raw_test_score"]["median"] == 0
    lines = (folder / "wnut17" / "emerging.test.annotated").read_text().splitlines()
    rows = [line.split("\t") for line in lines if line]
    guessed = sum(token.istitle() for token, _ in rows)
    right = sum(token.istitle() and tag == "B-PER" for token, tag in rows)
    single_places = sum(token.istitle() and tag == "B-LOC" and token != "New" for token, tag in rows)
    assert guessed > right + single_places
    gold = sum(tag.startswith("B-") for _, tag in rows)
    f1 = 2 * right / (guessed + gold)
    assert trained[1]["systems"]["spacy"]["test_score"]["median"] == pytest.approx(f1, abs=1e-5)


def test_markdown_has_the_processor_and_a_row_for_each(trained: tuple[int, dict[str, Any]], folder: Path) -> None:
    text = (folder / "found.md").read_text(encoding="utf-8")
    assert text.startswith(trained[1]["machine"]["processor"])
    assert [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")] == [
        *("| system", "| this tagger", "| echo spacy"),
        *("| training", "| this tagger", "| echo spacy"),
    ]


def test_models_are_kept_for_later_runs(
    trained: tuple[int, dict[str, Any]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds.Contest, "round", lambda *_: None)
    monkeypatch.setattr(run, "find_floor", lambda *_: None)
    monkeypatch.setattr(sys.modules["benchmarks.training"], "measure", None)  # nothing is trained
    code, found = call(folder, "--peers", "spacy", "--override", *QUICK, "embeddings.static=none")
    assert code == 0
    for name in ("tagger", "spacy"):
        assert found["systems"][name]["training"] == trained[1]["systems"][name]["training"]


def test_what_fails_is_named_and_the_others_go_on(
    folder: Path, peers: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(systems.TRAINERS, "spacy", systems.Trainer("spacy", str(peers / "broken.py"), "model", (), ""))
    (peers / "broken.py").write_text("raise SystemExit('out of order')")
    code, found = call(folder, "--peers", "spacy", "crfsuite", "--model", str(folder / "model"))
    assert code == 1
    assert [line.partition(" (")[0] for line in found["left_out"]] == [
        "spacy: training: exit code 1: out of order",
        "echo crfsuite: raw: exit code 1: ValueError: no records",
        "echo crfsuite: start: exit code 1: ValueError: no records",
    ]
    assert list(found["systems"]) == ["tagger", "crfsuite"]
    assert found["systems"]["crfsuite"]["latency_ms"]["median"] > 0
    assert found["systems"]["crfsuite"]["raw_tokens_per_second"] is None
    assert found["systems"]["tagger"]["raw_tokens_per_second"]["median"] > 0
    assert found["systems"]["tagger"]["training"] is None
    assert "left out: echo crfsuite: raw" in capsys.readouterr().out


@pytest.fixture
def quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds that measure nothing, each with the same figure; Ctrl-C comes in the third."""

    def pretend(contest: Any, number: int, figures: Any) -> None:
        if number == 2:
            raise KeyboardInterrupt
        for found in figures.values():
            found.raw.append(100.0 + number)

    monkeypatch.setattr(rounds.Contest, "round", pretend)
    monkeypatch.setattr(run, "find_floor", lambda *_: None)


def test_ctrl_c_keeps_what_was_measured(folder: Path, quick_rounds: None, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = call(folder, "--peers", "--model", str(folder / "model"), "--rounds", "5")
    assert code == 130
    assert found["systems"]["tagger"]["raw_tokens_per_second"]["each"] == [100, 101]
    assert (found["settings"]["rounds"], found["settings"]["rounds_asked_for"]) == (2, 5)
    assert capsys.readouterr().err == "benchmark.py: stopped by Ctrl-C; what was measured is kept\n"


def test_no_round_is_begun_for_which_there_is_no_time(
    folder: Path, quick_rounds: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "QUICK_SECONDS", 0)
    code, found = call(folder, "--peers", "--model", str(folder / "model"), "--rounds", "5", "--quick")
    assert code == 0
    assert found["notes"][-1] == "of 5 rounds 1 were done: the time was up"


def test_scaling_alone_measures_this_tagger(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    scaling = sys.modules["benchmarks.scaling"]
    for name, value in {"SMALLEST": 100, "LENGTHS": (5, 50), "TAGS": (2, 20), "_TOKENS": 200}.items():
        monkeypatch.setattr(scaling, name, value)
    more = ["--rounds", "0", "--scaling", str(folder / "plot.svg"), "--scaling-tokens", "1000"]
    code, found = call(folder, "--model", str(folder / "model"), *more)
    assert code == 0
    assert {name: [row[name] for row in rows] for name, rows in found["scaling"].items()} == {
        "tokens": [100, 1000],
        "sentence_length": [5, 50],
        "tags": [2, 20],
    }
    assert all(row["tokens_per_second"] > 0 for rows in found["scaling"].values() for row in rows)
    assert (folder / "plot.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--data", "no/such"], "no/such: no such folder; give one with a data set"),
        (["--data", "."], "no preset is called"),
        (["--data", ".", "--preset", "wnut17"], "wnut17train.conll"),
    ],
)
def test_missing_data_are_a_line(
    in_tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert benchmark.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("benchmark.py: ")
    assert told in line


@pytest.mark.parametrize("arguments", [["--threads", "0"], ["--rounds", "-1"], ["--tokens", "many"]])
def test_numbers_that_are_none_are_told_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        benchmark.main(arguments)
    assert ended.value.code == 2
    assert "expected a whole number from" in capsys.readouterr().err
