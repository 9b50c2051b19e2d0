"""Settings are checked by name, type and range, and survive the way through JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.config import (
    AffixEmbedding,
    CharacterEmbedding,
    DecoderConfig,
    EmbeddingsConfig,
    EncoderConfig,
    Layer,
    LayerConfig,
    ModelConfig,
    WordEmbedding,
)
from tagger.config_parsing import from_mapping
from tagger.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Example:
    """Every kind of field that settings use."""

    required: str
    number: int = 1
    share: float = 0.5
    switch: bool = False
    names: tuple[str, ...] = ()
    maybe: int | None = None


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(),
        ModelConfig(embeddings=EmbeddingsConfig(word=None, shape=None)),
        ModelConfig(embeddings=EmbeddingsConfig(characters=None, affixes=AffixEmbedding(lengths=(4, 1)))),
        ModelConfig(encoder=EncoderConfig(layers=(LayerConfig(cell="rnn"), LayerConfig(hidden_size=3, dropout=0.0)))),
        ModelConfig(encoder=EncoderConfig(cell="lstm", merge="mean", feed_forward=4, layer_norm=True, skip=True)),
        ModelConfig(encoder=EncoderConfig(layers=3), decoder=DecoderConfig(kind="softmax", scheme="iob2")),
    ],
)
def test_a_config_survives_json(config: ModelConfig) -> None:
    assert from_mapping(ModelConfig, json.loads(json.dumps(config.to_mapping()))) == config


def test_what_is_left_out_takes_its_default() -> None:
    config = from_mapping(ModelConfig, {"encoder": {"hidden_size": 7}})
    assert config == ModelConfig(encoder=EncoderConfig(hidden_size=7))


def test_what_a_layer_leaves_out_comes_from_the_encoder() -> None:
    layers = ["lstm", {"hidden_size": 3}, {"cell": "rnn", "dropout": 0}, {}]
    encoder = from_mapping(EncoderConfig, {"cell": "gru", "hidden_size": 7, "dropout": 0.25, "layers": layers})
    expected = [Layer("lstm", 7, 0.25), Layer("gru", 3, 0.25), Layer("rnn", 7, 0.0), Layer("gru", 7, 0.25)]
    assert encoder.stack == expected
    assert encoder.depth == 4


@pytest.mark.parametrize("number", [1, 3])
def test_a_number_of_layers_stands_for_so_many_alike(number: int) -> None:
    encoder = from_mapping(EncoderConfig, {"cell": "lstm", "hidden_size": 7, "layers": number})
    assert encoder.stack == [Layer("lstm", 7, 0.5)] * number
    assert encoder.depth == number


def test_null_leaves_an_embedding_out() -> None:
    assert from_mapping(ModelConfig, {"embeddings": {"word": None}}).embeddings.word is None


def test_whole_numbers_are_taken_for_shares_and_lists_for_tuples() -> None:
    example = from_mapping(Example, {"required": "x", "share": 1, "names": ["a", "b"]})
    assert (example.share, type(example.share), example.names) == (1.0, float, ("a", "b"))


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ({"encoder": {"hiden_size": 3}}, "encoder.hiden_size: no such setting; did you mean hidden_size?"),
        ({"encoder": {"zzz": 3}}, "encoder.zzz: no such setting; known are cell, hidden_size, layers, dropout, merge"),
        ({"embeddings": {"word": {"siez": 3}}}, "embeddings.word.siez: no such setting; did you mean size?"),
        (
            {"encoder": {"layers": [{"sise": 3}]}},
            "encoder.layers[0].sise: no such setting; known are cell, hidden_size, dropout",
        ),
        ({"encoder": {"layers": ["gru", {"dropuot": 0}]}}, "encoder.layers[1].dropuot: no such setting; did you mean"),
        ({"encoder": {"layers": ["gru", "gro"]}}, "encoder.layers[1].cell: 'gro' is not one of rnn, gru, lstm"),
        ({"encoder": {"layers": [3]}}, "encoder.layers[0]: expected a mapping, got 3"),
        ({"encoder": {"layers": "gru"}}, "encoder.layers: expected int or a list, got 'gru'"),
        ({"encoder": {"layers": 1.5}}, "encoder.layers: expected int or a list, got 1.5"),
        ({"encoder": {"layers": True}}, "encoder.layers: expected int or a list, got True"),
        ({"encoder": {"cell": "gro"}}, "encoder.cell: 'gro' is not one of rnn, gru, lstm, gru_reset_before"),
        ({"encoder": {"merge": "max"}}, "encoder.merge: 'max' is not one of concat, sum, mean"),
        ({"encoder": {"hidden_size": "wide"}}, "encoder.hidden_size: expected int, got 'wide'"),
        ({"encoder": {"hidden_size": 2.5}}, "encoder.hidden_size: expected int, got 2.5"),
        ({"encoder": {"hidden_size": True}}, "encoder.hidden_size: expected int, got True"),
        ({"encoder": {"dropout": None}}, "encoder.dropout: expected float, got None"),
        ({"encoder": {"dropout": False}}, "encoder.dropout: expected float, got False"),
        ({"encoder": {"dropout": 10**400}}, "encoder.dropout: 1000"),
        ({"encoder": 3}, "encoder: expected a mapping, got 3"),
        ({"encoder": None}, "encoder: expected a mapping, got None"),
        ({"decoder": {"kind": "hmm"}}, "decoder.kind: 'hmm' is not one of crf, softmax"),
        ({"decoder": {"kind": ["crf"]}}, "decoder.kind: ['crf'] is not one of crf, softmax"),
        ({"embeddings": {"affixes": {"lengths": 2}}}, "embeddings.affixes.lengths: expected a list, got 2"),
        ({"embeddings": {"affixes": {"lengths": [2, "3"]}}}, "embeddings.affixes.lengths[1]: expected int, got '3'"),
        ({"embeddings": {"word": "yes"}}, "embeddings.word: expected a mapping, got 'yes'"),
    ],
)
def test_a_wrong_setting_is_told_by_its_dotted_name(mapping: dict[str, object], told: str) -> None:
    with pytest.raises(UserError) as caught:
        from_mapping(ModelConfig, mapping)
    assert str(caught.value).startswith(told)


def test_a_mapping_inside_another_is_named_whole() -> None:
    with pytest.raises(UserError, match=r"^model\.encoder\.layers: expected int or a list, got 'two'$"):
        from_mapping(ModelConfig, {"encoder": {"layers": "two"}}, "model")


def test_a_setting_without_default_must_be_given() -> None:
    with pytest.raises(UserError, match=r"^data\.required: missing"):
        from_mapping(Example, {"number": 2}, "data")


@pytest.mark.parametrize(
    ("mapping", "name"),
    [
        ({"encoder": {"hidden_size": 0}}, "encoder.hidden_size"),
        ({"encoder": {"layers": -1}}, "encoder.layers"),
        ({"encoder": {"layers": []}}, "encoder.layers"),
        ({"encoder": {"layers": ["gru", {"hidden_size": 0}]}}, "encoder.layers[1].hidden_size"),
        ({"encoder": {"layers": [{"dropout": 1}]}}, "encoder.layers[0].dropout"),
        ({"encoder": {"feed_forward": 0}}, "encoder.feed_forward"),
        ({"encoder": {"dropout": 1.0}}, "encoder.dropout"),
        ({"encoder": {"dropout": -0.1}}, "encoder.dropout"),
        ({"encoder": {"dropout": float("nan")}}, "encoder.dropout"),
        ({"embeddings": {"word_dropout": 1}}, "embeddings.word_dropout"),
        ({"embeddings": {"word": {"unk_probability": 1.1}}}, "embeddings.word.unk_probability"),
        ({"embeddings": {"characters": {"max_length": 0}}}, "embeddings.characters.max_length"),
        ({"embeddings": {"affixes": {"lengths": []}}}, "embeddings.affixes.lengths"),
        ({"embeddings": {"affixes": {"lengths": [2, 0]}}}, "embeddings.affixes.lengths"),
        ({"embeddings": {"affixes": {"lengths": [2, 3, 2]}}}, "embeddings.affixes.lengths"),
        ({"embeddings": {"characters": {"kernel": 4}}}, "embeddings.characters.kernel"),
    ],
)
def test_a_value_out_of_range_is_told_by_its_dotted_name(mapping: dict[str, object], name: str) -> None:
    with pytest.raises(UserError) as caught:
        from_mapping(ModelConfig, mapping)
    assert str(caught.value).startswith(f"{name}: ")


def test_the_ends_of_the_ranges_are_allowed() -> None:
    ModelConfig(
        embeddings=EmbeddingsConfig(
            word=WordEmbedding(unk_probability=1.0, dropout=0.0),
            characters=CharacterEmbedding(kernel=1, max_length=1),
        ),
        encoder=EncoderConfig(hidden_size=1, dropout=0.999),
    )


def test_a_model_needs_an_embedding() -> None:
    with pytest.raises(UserError, match="every entry is null"):
        ModelConfig(embeddings=EmbeddingsConfig(word=None, characters=None, shape=None, affixes=None))


_NAMES = [
    "embeddings",
    "encoder",
    "transformer",
    "trainable",
    "decoder",
    "word",
    "affixes",
    "lengths",
    "size",
    "hidden_size",
    "layers",
    "cell",
    "dropout",
    "kind",
    "x",
]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["crf", "", "bioes", "gru"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(_JSON)
def test_anything_json_holds_is_a_config_or_refused_as_such(value: object) -> None:
    try:
        config = from_mapping(ModelConfig, value)  # type: ignore[arg-type]
    except UserError:
        return
    assert from_mapping(ModelConfig, config.to_mapping()) == config
