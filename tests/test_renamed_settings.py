"""Old names of settings are read, wherever they are written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tagger.renamed_settings import RENAMED, new_argument, old_names, warnings_of, with_new_names, with_old_names

OLD: dict[str, Any] = {
    "seed": 1,
    "embeddings": {
        "static": {"source": "bundled", "trained": True, "width": 4},
        "encoder": {"path": "x", "tune": True, "dropout": 0.1},
        "dropout": 0.5,
    },
    "encoder": {"cell": "gru"},
    "optim": {"warmup": 0.1, "decay": "cosine", "ema": None},
}
NEW: dict[str, Any] = {
    "seed": 1,
    "embeddings": {
        "static": {"source": "bundled", "trainable": True, "width": 4},
        "transformer": {"path": "x", "trainable": True, "dropout": 0.1},
        "dropout": 0.5,
    },
    "encoder": {"cell": "gru"},
    "optim": {"warmup": 0.1, "lr_schedule": "cosine", "ema": None},
}


def test_old_names_become_new_ones_in_the_same_order_and_back() -> None:
    assert json.dumps(with_new_names(OLD)) == json.dumps(NEW)
    assert json.dumps(with_old_names(NEW)) == json.dumps(OLD)
    assert json.dumps(with_new_names(NEW)) == json.dumps(NEW)


def test_old_names_are_found() -> None:
    assert old_names(OLD) == list(RENAMED)
    assert old_names(NEW) == []


@pytest.mark.parametrize("settings", [{}, {"embeddings": None}, {"embeddings": {"static": "none", "encoder": "x"}}])
def test_entries_that_are_left_out_or_short_are_no_trouble(settings: dict[str, Any]) -> None:
    embeddings = with_new_names(settings).get("embeddings")
    assert embeddings in (None, {"static": "none", "transformer": "x"})


def test_the_value_of_an_old_name_replaces_the_default_of_the_new_one() -> None:
    defaults = {"transformer": {"path": None, "layers": 4, "trainable": False}, "dropout": 0.5}
    both = {"embeddings": {**defaults, "encoder": {"path": "x", "tune": True}}}
    assert with_new_names(both)["embeddings"] == {
        "transformer": {"path": "x", "layers": 4, "trainable": True},
        "dropout": 0.5,
    }


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("optim.decay=cosine", "optim.lr_schedule=cosine"),
        ("++optim.decay=cosine", "++optim.lr_schedule=cosine"),
        ("~embeddings.encoder", "~embeddings.transformer"),
        ("embeddings.encoder=/a/embeddings.encoder", "embeddings.transformer=/a/embeddings.encoder"),
        ("embeddings.encoder.tune=true", "embeddings.transformer.trainable=true"),
        ("embeddings.encoder.layers=2", "embeddings.transformer.layers=2"),
        ("embeddings.static.trained=true", "embeddings.static.trainable=true"),
        ("embeddings.encoders=2", "embeddings.encoders=2"),
        ("encoder=bilstm", "encoder=bilstm"),
        ("optim.decay", "optim.lr_schedule"),
        ("--config-dir=embeddings.encoder", "--config-dir=embeddings.encoder"),
        ("-m", "-m"),
    ],
)
def test_overrides_are_renamed(argument: str, expected: str) -> None:
    assert new_argument(argument) == expected


def test_a_warning_names_the_new_name_once() -> None:
    assert warnings_of(["optim.decay", "seed", "optim.decay"]) == [
        "warning: optim.decay is now optim.lr_schedule; the old name still works"
    ]
