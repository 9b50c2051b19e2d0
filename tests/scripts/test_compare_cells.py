"""compare_cells.py: what is equal is equal, the recall task is as told, gradients are Jacobians, finished runs stay."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tagger.commands import train as train_command
from tagger.config import EncoderConfig, LayerConfig
from tagger.errors import UserError
from tagger.model.network import TaggerModel
from tests.helpers.random_models import random_folder
from tests.helpers.scripts import load_script
from tests.helpers.small_corpus import QUICK, column_files

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("compare_cells.py")


@pytest.fixture(scope="module")
def contenders(script: ModuleType) -> ModuleType:
    return load_script("cells/contenders.py")


@pytest.fixture(scope="module")
def recall() -> ModuleType:
    return load_script("cells/recall.py")


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "gru_reset_before", "gru_blstm"])
def test_parameters_are_those_of_the_module(contenders: ModuleType, name: str) -> None:
    contender = contenders.CONTENDERS[name]
    layers = tuple(LayerConfig(cell=cell) for cell in contender.cells)
    folder = random_folder(encoder=EncoderConfig(layers=layers, hidden_size=5))
    model = TaggerModel(folder.config, folder.vocabularies, folder.scheme)
    expected = sum(p.numel() for place, p in model.named_parameters() if not place.startswith("embeddings"))
    assert contenders.parameters(random_folder(), contender, 5) == expected


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "gru_reset_before", "gru_blstm"])
def test_equal_parameters_are_the_nearest_there_are(contenders: ModuleType, name: str) -> None:
    folder, contender = random_folder(), contenders.CONTENDERS[name]
    wanted = contenders.parameters(folder, contenders.CONTENDERS["gru"], 20)
    size = contenders.hidden_size(folder, contender, 20, contenders.PARAMETERS)
    off = [abs(contenders.parameters(folder, contender, near) - wanted) for near in (size - 1, size, size + 1)]
    assert off[1] == min(off)
    assert (size == 20) is (name in ("gru", "gru_reset_before"))
    assert contenders.hidden_size(folder, contender, 20, contenders.SIZE) == 20


@pytest.mark.parametrize("distance", [1, 2, 7])
def test_the_symbols_to_be_named_stand_so_far_from_the_middle(recall: ModuleType, distance: int) -> None:
    symbols, wanted, before = recall.sequences(200, distance, torch.Generator().manual_seed(1))
    middle = symbols.shape[1] // 2
    assert symbols.shape == (200, 2 * middle + 1)
    assert set(before.tolist()) == {True, False}
    assert len(set(wanted.flatten().tolist())) == recall.SYMBOLS
    for row, names, is_before in zip(symbols.tolist(), wanted.tolist(), before.tolist(), strict=True):
        places = [at for at, symbol in enumerate(row) if symbol < recall.SYMBOLS]
        nearest = places[-1] - middle if is_before else places[0] - middle
        assert nearest == (-distance if is_before else distance)
        assert places == [*range(places[0], places[0] + recall.COPIED)]
        assert [row[at] for at in places] == names
        assert [at for at, symbol in enumerate(row) if symbol == 2 * recall.SYMBOLS] == [middle]


@pytest.mark.parametrize("cells", [["rnn"], ["lstm"], ["gru"], ["gru_reset_before"], ["gru", "lstm"]], ids="-".join)
def test_forward_only_sees_what_stands_before(recall: ModuleType, cells: list[str]) -> None:
    torch.manual_seed(1)
    symbols, _, _ = recall.sequences(3, 4, torch.Generator().manual_seed(2))
    later, earlier = symbols.clone(), symbols.clone()
    later[:, 8:], earlier[:, 0] = 3, 3
    for both in (False, True):
        reader = recall.Reader(cells, 5, both=both)
        states = reader.states(recall.one_hot(symbols))
        assert states.shape == (3, 10 if both else 5)
        assert torch.equal(states, reader.states(recall.one_hot(later))) is not both
        assert not torch.equal(states, reader.states(recall.one_hot(earlier)))


@pytest.mark.parametrize("both", [False, True])
def test_gradients_are_norms_of_the_jacobian(recall: ModuleType, both: bool) -> None:
    torch.manual_seed(1)
    reader = recall.Reader(["gru"], 3, both=both)
    found = recall.gradients(reader, [1, 3], 400, seed=5)
    generator = torch.Generator().manual_seed(5)
    symbols = torch.randint(recall.SYMBOLS, 2 * recall.SYMBOLS, (60, 7), generator=generator)
    symbols[:, 3] = 2 * recall.SYMBOLS
    exact = reader.double()
    for distance, norm in zip([1, 3], found, strict=True):
        places = [3 - distance, 3 + distance] if both else [3 - distance]
        squares = []
        for row in symbols:
            inputs = recall.one_hot(row[None]).double()
            jacobian = torch.autograd.functional.jacobian(exact.states, inputs)[0, :, 0]  # (H, T, INPUTS)
            squares += [jacobian[:, place].square().sum().item() for place in places]
        assert norm == pytest.approx((sum(squares) / len(squares)) ** 0.5, rel=0.2)


def test_recall_is_the_share_named_right_on_each_side(recall: ModuleType) -> None:
    class Oracle(torch.nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return inputs[:, : recall.COPIED, : recall.SYMBOLS]  # names what stands first, if that is to be named

    before, behind = recall.recall(Oracle(), 4, 4000, seed=1)
    assert before == 1
    assert behind == pytest.approx(1 / recall.SYMBOLS, abs=0.03)


def test_a_reader_learns_to_name_what_is_near(recall: ModuleType) -> None:
    torch.manual_seed(1)
    schedule = recall.Schedule(hidden=24, updates=150, batch=32, longest=2)
    reader = recall.Reader(["gru"], 24, both=True)
    recall.train(reader, schedule, seed=1)
    assert min(recall.recall(reader, 1, 200, seed=2)) > 2 / recall.SYMBOLS


def test_a_network_that_was_examined_is_not_trained_again(
    recall: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = recall.Schedule(hidden=3, updates=2, batch=2, longest=2, distances=(1, 2), asked=16, probes=2)
    asked: dict[str, Any] = {"both": True, "seed": 1, "path": tmp_path / "network.json"}
    first = recall.examined(["lstm"], schedule=schedule, **asked)
    assert {len(first[name]) for name in ("gradient_at_start", "gradient", "recall_before", "recall_behind")} == {2}
    trained: list[int] = []
    monkeypatch.setattr(recall, "train", lambda *_: trained.append(1))
    assert recall.examined(["lstm"], schedule=schedule, **asked) == first
    assert not trained
    recall.examined(["lstm"], schedule=recall.Schedule(**{**vars(schedule), "updates": 3}), **asked)
    assert trained
    asked["path"].write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="remove it to have it made anew"):
        recall.examined(["lstm"], schedule=schedule, **asked)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Runs train in this process; their commands."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> object:
        commands.append(command)
        return subprocess.CompletedProcess(command, train_command.main(command[2:]))

    monkeypatch.setattr(subprocess, "run", run)
    return commands


@pytest.mark.usefixtures("in_tmp_path")
def test_the_grid_is_trained_once_and_told(
    script: ModuleType, tmp_path: Path, in_process: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "conll").mkdir()
    overrides = [*(one for one in column_files(tmp_path) if one != "data=conll"), *QUICK, "trainer.max_epochs=1"]
    command = [
        "--sets",
        "conll",
        "--cells",
        "rnn",
        "gru",
        "--hidden",
        "6",
        "--seeds",
        "1",
        "--data",
        str(tmp_path),
    ]
    command += ["--runs", str(tmp_path / "cells"), "--override", *overrides]
    assert script.main([*command, "--train", "--json", str(tmp_path / "cells.json")]) == 0
    assert len(in_process) == 3  # the GRU of 6 units is one run in both comparisons
    rows = json.loads((tmp_path / "cells.json").read_text(encoding="utf-8"))["rows"]
    told = {(row["equal"], row["cell"]): row for row in rows}
    assert told.keys() == {(equal, cell) for equal in ("size", "parameters") for cell in ("rnn", "gru")}
    assert told["size", "rnn"]["hidden_size"] == 6
    assert told["parameters", "rnn"]["hidden_size"] > 6
    assert all(row["seeds"] == [1] and row["test"]["sd"] is None for row in rows)
    out = capsys.readouterr().out
    assert "conll, equal number of parameters:" in out
    assert script.main([*command, "--train"]) == 0
    assert len(in_process) == 3
    assert not Path("runs").exists(), "a run of the grid is not the user's latest run"


def test_a_run_that_fails_is_told_and_the_others_go_on(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    command = ["--sets", "starter", "--cells", "rnn", "lstm", "--seeds", "1", "--runs", str(tmp_path), "--train"]
    assert script.main([*command, "--equal", "size"]) == 1
    captured = capsys.readouterr()
    assert captured.err.count("failed: ") == 3  # the GRU, whose parameters count, is tried first
    assert "nothing is finished yet" in captured.out


def test_recall_is_drawn_and_told(script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    command = ["--sets", "--cells", "rnn", "gru_blstm", "--recall", "--quick", "--seeds", "1", "--runs", str(tmp_path)]
    assert script.main([*command, "--plot", str(tmp_path / "cells.svg")]) == 0
    assert "<svg" in (tmp_path / "cells.svg").read_text(encoding="utf-8")
    assert "| GRU-BLSTM |" in capsys.readouterr().out


def test_nothing_to_measure_is_told(script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["--sets", "starter", "--runs", str(tmp_path), "--measure"]) == 2
    assert capsys.readouterr().err.startswith("compare_cells.py: starter: no finished run to measure below")
