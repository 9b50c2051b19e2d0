"""The arithmetic of a benchmark, and commands measured alone."""

from __future__ import annotations

import math
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.config import GATES
from tests.helpers.random_models import random_folder
from tests.helpers.scripts import SCRIPTS, load_script

pytestmark = pytest.mark.extended

load_script("benchmark.py")
measuring, report, rounds, training, floor, systems, scaling = (
    sys.modules[f"benchmarks.{name}"]
    for name in ("measuring", "report", "rounds", "training", "floor", "systems", "scaling")
)

VALUES = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=9)


def python(code: str, log: Path, **how: Any) -> Any:
    return measuring.measure([sys.executable, "-c", code], dict(os.environ), log=log / "log.txt", **how)


@given(values=VALUES)
def test_as_many_rounds_lie_below_the_median_as_above(values: list[float]) -> None:
    found = measuring.over_rounds(values)
    assert found["low"] <= found["median"] <= found["high"]
    assert len(found["each"]) == len(values)
    slack = 1e-5 * found["median"]
    assert sum(value < found["median"] - slack for value in values) <= len(values) / 2
    assert sum(value > found["median"] + slack for value in values) <= len(values) / 2


@given(values=VALUES, share=st.sampled_from([0.5, 0.95, 1.0]))
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(values: list[float], share: float) -> None:
    enough = [value for value in values if sum(other <= value for other in values) >= share * len(values) - 1e-9]
    assert measuring.percentile(values, share) == min(enough)


def test_nothing_has_no_median() -> None:
    with pytest.raises(ValueError, match="no rounds"):
        measuring.over_rounds([])
    with pytest.raises(ValueError, match="no values"):
        measuring.percentile([], 0.5)


def test_memory_is_that_of_the_command_alone(tmp_path: Path) -> None:
    held = bytearray(os.urandom(1 << 20) * 200)
    small = python("pass", tmp_path).peak_bytes
    large = python("held = b'x' * (150 << 20)", tmp_path).peak_bytes
    assert small < len(held) / 2
    assert large - small > 140 << 20


def test_lines_have_the_seconds_until_they_came(tmp_path: Path) -> None:
    found = python('import sys\nprint("{\\"a\\": 1}")\nprint("b", file=sys.stderr)', tmp_path)
    assert sorted(line for _, line in found.lines) == ["b", '{"a": 1}']
    assert all(0 <= seconds <= found.seconds for seconds, _ in found.lines)
    assert [told for _, told in found.events()] == [{"a": 1}]
    assert not found.cut


def test_a_command_whose_time_is_up_is_stopped_as_by_ctrl_c(tmp_path: Path) -> None:
    code = "import time\ntry:\n    time.sleep(600)\nexcept KeyboardInterrupt:\n    print('kept')\n    raise"
    found = python(code, tmp_path, limit=1.0)
    assert found.cut
    assert found.lines[0][1] == "kept"


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(measuring.Failed, match="exit code 1: ValueError: no such thing"):
        python("raise ValueError('no such thing')", tmp_path)


def test_a_command_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(measuring.Failed, match="nowhere: could not be started"):
        measuring.measure([tmp_path / "nowhere"], {}, log=tmp_path / "log.txt")


def figures(speed: float, raw: float | None, seconds: float | None) -> dict[str, Any]:
    return {
        "pretokenised_tokens_per_second": measuring.over_rounds([speed / 2, speed, speed * 3]),
        "raw_tokens_per_second": None if raw is None else measuring.over_rounds([raw]),
        "training": None if seconds is None else {"seconds_to_own_best": measuring.over_rounds([seconds])},
    }


def test_ratios_are_ours_over_theirs() -> None:
    found = report.ratios(
        {
            "tagger": figures(400, 60, 50),
            "spacy": figures(20, 15, 200),
            "spacy_without_blis": figures(40, None, None),
            "crfsuite": {"training": {"seconds_to_own_best": measuring.over_rounds([1, 10, 20])}},
        }
    )
    assert found == {
        "pretokenised_vs_spacy": 20,
        "raw_vs_spacy": 4,
        "train_seconds_vs_spacy": 0.25,
        "pretokenised_vs_spacy_without_blis": 10,
        "train_seconds_vs_crfsuite": 5,
    }


def test_each_engine_of_ours_has_ratios_of_its_own() -> None:
    found = report.ratios(
        {
            "tagger": figures(400, None, 50),
            "tagger_numpy_int16": figures(600, 30, None),
            "spacy": figures(20, 15, 200),
        }
    )
    assert found == {
        "pretokenised_vs_spacy": 20,
        "train_seconds_vs_spacy": 0.25,
        "pretokenised_numpy_int16_vs_spacy": 30,
        "raw_numpy_int16_vs_spacy": 2,
    }


@pytest.mark.parametrize(
    ("asked", "name", "title", "options"),
    [
        ("torch", "tagger_torch", "this tagger, torch", ("--engine", "torch")),
        ("numpy:int16", "tagger_numpy_int16", "this tagger, int16", ("--engine", "numpy", "--precision", "int16")),
    ],
)
def test_an_engine_may_have_a_precision(asked: str, name: str, title: str, options: tuple[str, ...]) -> None:
    default, found = systems.our_systems([asked])
    assert (default.name, default.options) == ("tagger", ())
    assert (found.name, found.title, found.options) == (name, title, options)


def test_without_ours_there_are_no_ratios() -> None:
    assert report.ratios({"spacy": figures(20, 15, 200)}) == {}


def test_systems_take_turns_at_being_first() -> None:
    rows = systems.our_systems(["numpy", "torch"])
    contest = rounds.Contest(rows, {}, None, systems.Workplace(Path(), Path(), 1))
    turns = [list(contest.turns(number)) for number in range(3)]
    assert [{task: row.name for task, row in reversed(turn)}["raw"] for turn in turns] == [row.name for row in rows]
    for turn in turns:
        assert Counter(task for task, _ in turn) == dict.fromkeys(("pretokenised", "raw", "latency", "start"), 3)
        assert len({(task, row.name) for task, row in turn}) == len(turn)


CURVE = [
    training.Point(2.0, 0, None),
    training.Point(5.0, 1000, 0.2),
    training.Point(8.0, 2000, 0.5),
    training.Point(11.0, 3000, 0.5),
    training.Point(14.0, 4000, 0.4),
]


def test_trainings_are_told_by_their_dev_scores() -> None:
    later = [training.Point(2.0, 0, None), training.Point(20.0, 5400, 0.3)]
    runs = [
        training.Trained(Path("m"), CURVE, seconds=16.0, peak_bytes=10**8, cut=False),
        training.Trained(Path("m"), later, seconds=24.0, peak_bytes=10**8, cut=False),
    ]
    found = training.figures(runs, goal=0.4)
    assert found.pop("seconds_to_spacys_best") == {"median": 8.0, "low": 8.0, "high": 8.0, "each": [8.0]}
    assert found.pop("tokens_per_second")["each"] == pytest.approx([4000 / 12, 300], rel=1e-5)
    assert found == {
        "seconds_to_own_best": {"median": 14.0, "low": 8.0, "high": 20.0, "each": [8.0, 20.0]},
        "seconds": {"median": 20.0, "low": 16.0, "high": 24.0, "each": [16.0, 24.0]},
        "best_dev": {"median": 0.4, "low": 0.3, "high": 0.5, "each": [0.5, 0.3]},
        "peak_rss_mb": {"median": 100.0, "low": 100.0, "high": 100.0, "each": [100.0, 100.0]},
        "cut_short": False,
        "curves": [[vars(point) for point in CURVE], [vars(point) for point in later]],
    }
    assert training.figures(runs, goal=0.6)["seconds_to_spacys_best"] is None
    assert training.figures(runs, goal=None)["seconds_to_spacys_best"] is None


@pytest.mark.parametrize(("seconds", "runs", "shown"), [
    ([8], 1, "8"), ([8, 20], 2, "14 (8 to 20)"), ([8, 20], 3, "14 (8 to 20) in 2 of 3"), ([], 3, "not reached"),
])  # fmt: skip
def test_of_fewer_runs_than_all_it_is_told_how_many(seconds: list[float], runs: int, shown: str) -> None:
    assert report._reached(measuring.over_rounds(seconds) if seconds else None, runs) == shown


def test_one_point_has_no_speed() -> None:
    assert training.Trained(Path("m"), CURVE[1:2], 6.0, 1, False).tokens_per_second is None


@pytest.mark.parametrize(("key", "cut", "limit", "taken"), [
    ("same", False, None, True),
    ("same", False, 130, True),  # whole, so better than what is asked for
    ("same", True, 130, True),
    ("same", True, None, False),
    ("same", True, 60, False),
    ("other", False, None, False),
])  # fmt: skip
def test_a_kept_model_is_taken_where_it_is_what_training_would_give(
    tmp_path: Path, key: str, cut: bool, limit: float | None, taken: bool
) -> None:
    content = (
        f'{{"key": "same", "limit": 130, "cut": {str(cut).lower()}, "seconds": 9, "peak_bytes": 1, "model": "m", '
        '"curve": [{"seconds": 1, "tokens": 2, "dev": 0.5}]}'
    )
    (tmp_path / training.RECORD).write_text(content)
    found = training.kept(tmp_path, key, limit)
    assert (found is not None) == taken
    if found is not None:
        assert (found.model, found.best) == (tmp_path / "m", 0.5)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": "same"}'])
def test_a_damaged_record_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / training.RECORD).write_text(content)
    assert training.kept(tmp_path, "same", None) is None


def counted(products: int, tanhs: int) -> dict[str, Any]:
    return {
        "tokens": 1000,
        "operations": {"recurrence": products // 2, "projections": products // 4, "rest": products // 4},
        "tanhs": tanhs,
        "matrix_rates": {"64": 10.0, "128": 20.0},
        "tanh_rates": {"numpy": 2.0, "torch": 5.0},
    }


def test_the_floor_takes_the_fastest_rates() -> None:
    found = floor.floor_of(counted(400, 50), tokens_per_second=25.0)
    assert (found["matrix_seconds"], found["tanh_seconds"], found["floor_seconds"]) == (20, 10, 30)
    assert found["taken_seconds"] == 40
    assert floor.floor_of(counted(400, 50), None)["taken_seconds"] is None


@pytest.fixture(scope="module")
def floor_worker() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS / "peers"))
        return load_script("benchmarks/floor_worker.py")


@pytest.mark.parametrize("layers", [1, 2])
def test_operations_are_counted_as_a_loop_over_the_products_counts_them(floor_worker: Any, layers: int) -> None:
    folder = random_folder(layers=layers, hidden=6)
    tokens, words, characters = 10, 4, 25
    tensors = folder.tensors
    per_token = per_word = 0
    for layer in range(layers):
        for direction in ("", "_reverse"):
            prefix = f"encoder.layers.{layer}."
            step = np.ones(6) @ tensors[f"{prefix}weight_hh_l0{direction}"].T
            per_token += 2 * len(step) * 6
            rows, width = tensors[f"{prefix}weight_ih_l0{direction}"].shape
            if layer:
                per_token += 2 * rows * width
            else:
                per_word += 2 * rows * width
    per_token += 2 * math.prod(tensors["emissions.weight"].shape)
    filters, size, kernel = tensors["embeddings.parts.characters.convolution.weight"].shape
    expected = tokens * per_token + words * per_word + characters * 2 * filters * size * kernel
    assert sum(floor_worker.products(folder, tokens, words, characters).values()) == expected
    cells = {number: (layer.cell, layer.hidden_size) for number, layer in enumerate(folder.config.encoder.stack)}
    assert floor_worker.tanhs(cells, tokens) == tokens * layers * 2 * 3 * 6
    assert {*floor_worker.TANH} == {*GATES}


def test_a_model_of_so_many_tags_is_one_that_loads(tmp_path: Path) -> None:
    folder = load_script("benchmarks/random_model.py").with_tags(random_folder(), 50)
    folder.save(tmp_path / "model", "")
    assert len(type(folder).load(tmp_path / "model").labels) == 50


@pytest.mark.parametrize(
    ("most", "expected"),
    [(10**4, [10**4]), (10**6, [10**4, 10**5, 10**6]), (5 * 10**4, [10**4, 5 * 10**4]), (100, [100])],
)
def test_inputs_grow_by_powers_of_ten(most: int, expected: list[int]) -> None:
    assert scaling.sizes(most) == expected


@given(sentences=st.lists(st.lists(st.text("ab", min_size=1, max_size=2), min_size=1, max_size=4), min_size=1))
def test_input_of_any_length_is_made_of_few_sentences(sentences: list[list[str]]) -> None:
    made = list(scaling.stream(sentences, 100))
    assert 100 <= sum(map(len, made)) < 100 + 2 * max(map(len, sentences))
    pieces = list(scaling.cut(sentences, 7, 100))
    assert [token for piece in pieces for token in piece] == [token for sentence in made for token in sentence]
    assert {*map(len, pieces[:-1])} == {7}


def test_a_plot_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    row = {"tokens_per_second": 1e5, "peak_rss_mb": 90.0}
    found = {name: [{name: value, **row} for value in (10, 100)] for name in ("tokens", "sentence_length", "tags")}
    for name in ("plot.svg", "plot.png"):
        scaling.plot(found, tmp_path / name)
    assert "<svg" in (tmp_path / "plot.svg").read_text(encoding="utf-8")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_the_processor_is_named(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n")
    assert report.processor(tmp_path / "cpuinfo") == "Some CPU @ 2 GHz"
    assert report.processor(tmp_path / "none")
