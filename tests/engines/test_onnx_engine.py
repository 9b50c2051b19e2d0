"""The ONNX graph gives what the NumPy engine gives, for every kind of model; nothing but it is run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import tagger
from tagger.config import EncoderConfig
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.engines import batch_encoder
from tagger.engines.numpy_engine import NumpyEngine
from tagger.engines.onnx_engine import OnnxEngine
from tagger.engines.onnx_export import graph_of
from tagger.errors import UserError
from tagger.model_folder.contents import GRAPH
from tagger.model_folder.folder import ModelFolder, put_graph
from tests.helpers.random_models import PARTS, embeddings_config, emissions_by_sentence, random_folder, random_words

SENTENCES = random_words([3, 11, 1, 6, 6, 40, 2])


def compare(folder: ModelFolder, sentences: Sequence[Sequence[str]] = SENTENCES) -> None:
    engine = OnnxEngine(folder)
    for _ in range(2):  # features are new, then known
        found, expected = (emissions_by_sentence(one, sentences) for one in (engine, NumpyEngine(folder)))
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == np.float32
            np.testing.assert_allclose(one, other, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "gru_reset_before"])
@pytest.mark.parametrize("merge", ["concat", "sum", "mean"])
@pytest.mark.parametrize("around", [{}, {"feed_forward": 5}, {"layer_norm": True, "skip": True}])
def test_every_cell_and_what_stands_around_it(cell: Any, merge: Any, around: dict[str, Any]) -> None:
    compare(random_folder(encoder=EncoderConfig(cell=cell, hidden_size=6, layers=2, merge=merge, **around)))


def test_a_skip_connection_between_equal_widths() -> None:
    compare(random_folder(encoder=EncoderConfig(hidden_size=9, layers=2, skip=True, feed_forward=18)))


@pytest.mark.parametrize("spelling", ["cnn", "bigru"])
@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("left_out", [None, *PARTS, "static"])
def test_every_embedding(spelling: Any, trained: bool, left_out: str | None) -> None:
    parts = [part for part in (*PARTS, "static") if part != left_out]
    compare(random_folder(embeddings=embeddings_config(parts, spelling=spelling, trained=trained)))


@pytest.mark.parametrize("scheme", [Scheme.IOB2, Scheme.BIOES, Scheme.PLAIN])
@pytest.mark.parametrize("seed", range(3))
def test_the_same_tags_as_the_numpy_engine(scheme: Scheme, seed: int, tmp_path: Path) -> None:
    folder = random_folder(scheme=scheme, seed=seed)
    folder.save(tmp_path / "model", "")
    sentences = [Sentence(words) for words in random_words([5, 0, 30, 1, 17] * 20, seed)]
    found, expected = (
        list(tagger.load(tmp_path / "model", engine=engine).tag_sentences(sentences)) for engine in ("onnx", "numpy")
    )
    assert found == expected


@pytest.mark.parametrize("most", [1, 3, 12, 40])
def test_forgetting_words_changes_nothing(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_encoder, "_CACHE_BYTES", 600 * most)
    folder = random_folder(embeddings=embeddings_config((*PARTS, "static")))
    engine, expected = OnnxEngine(folder), NumpyEngine(folder)
    for seed in range(6):
        sentences = random_words([4, 1], seed)
        for one, other in zip(*(emissions_by_sentence(each, sentences) for each in (engine, expected)), strict=True):
            np.testing.assert_allclose(one, other, atol=2e-5, rtol=2e-5)


def test_a_word_without_characters_and_strange_ones() -> None:
    for spelling in ("cnn", "bigru"):
        folder = random_folder(embeddings=embeddings_config(spelling=spelling))  # type: ignore[arg-type]
        compare(folder, [[""], ["a" * 500, "", "\u200b"]])


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """A model folder with its graph."""
    folder = random_folder()
    folder.save(tmp_path / "model", "")
    put_graph(tmp_path / "model", graph_of(folder))
    return tmp_path / "model"


def outside(graph: Any) -> None:
    onnx.external_data_helper.set_external_data(graph.graph.initializer[0], "/etc/passwd")
    graph.graph.initializer[0].ClearField("raw_data")


def custom(graph: Any) -> None:
    graph.graph.node[0].domain = "evil"
    graph.opset_import.append(onnx.helper.make_opsetid("evil", 1))


def other_weights(graph: Any) -> None:
    graph.ParseFromString(graph_of(random_folder(seed=1)))


@pytest.mark.parametrize("change", [outside, custom, other_weights])
def test_another_graph_in_the_folder_is_not_run(exported: Path, change: Any) -> None:
    graph = onnx.load(exported / GRAPH)
    change(graph)
    put_graph(exported, graph.SerializeToString())
    sentences = [Sentence(words) for words in random_words([5, 30, 17])]
    found, expected = (
        list(tagger.load(exported, engine=engine).tag_sentences(sentences)) for engine in ("onnx", "numpy")
    )
    assert found == expected


def test_a_damaged_graph_is_reported_by_every_engine(exported: Path) -> None:
    (exported / GRAPH).write_bytes(b"x")
    for engine in ("numpy", "onnx"):
        with pytest.raises(UserError, match=r"model\.onnx: damaged: its checksum"):
            tagger.load(exported, engine=engine)


@pytest.mark.parametrize(("package", "module"), [("onnx", "onnx_export"), ("onnxruntime", "onnx_engine")])
def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, package: str, module: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"tagger.engines.{module}")
    with pytest.raises(UserError, match=r"install the extra: pip install 'gru-tagger\[onnx\]'"):
        import_module(f"tagger.engines.{module}")


def test_graphs_have_no_operators_but_onnx_s_own() -> None:
    graph = onnx.load_from_string(graph_of(random_folder(embeddings=embeddings_config(spelling="bigru"))))
    assert {node.domain for node in graph.graph.node} == {""}
    assert not graph.functions
