"""The tensors of a model: their names and shapes.

This is the one description of the network's structure. The PyTorch modules in `model/` create tensors of these names
and shapes, and a test compares both. The model folder checks a file of weights against them. The NumPy engine, the
ONNX export, the decoder and the page of gates read weights by these names.

To add a tensor: name it here, give its shape in `expected_shapes`, create it in `model/`, use it in the engines. Names
of existing tensors must not change, since models on disk hold them.

V entries of a vocabulary, F filters, E values per token that a layer reads, W values that it gives, H hidden units per
direction, G gates of a cell, K tags.
"""

from __future__ import annotations

from typing import NamedTuple

from tagger.config import GATES, Cell, EmbeddingsConfig, EncoderConfig, ModelConfig
from tagger.features.vocabulary import Vocabularies

Shapes = dict[str, tuple[int, ...]]


class Affine(NamedTuple):
    """Names of a weight and the bias that is added."""

    weight: str
    bias: str

    @classmethod
    def of(cls, module: str) -> Affine:
        return cls(f"{module}.weight", f"{module}.bias")


class CellTensors(NamedTuple):
    """Names of the tensors of one direction of a recurrent layer, in the order of `reference_cells.CellWeights`."""

    input: str  # (GH, E)
    hidden: str  # (GH, H)
    input_bias: str  # (GH,)
    hidden_bias: str  # (GH,)


class CRFTensors(NamedTuple):
    """Names of the tensors of a linear-chain CRF."""

    transitions: str  # (K, K) from row to column
    start: str  # (K,)
    end: str  # (K,)


WORDS = "embeddings.parts.word.table.weight"  # (V, size)
CHARACTERS = "embeddings.parts.characters.table.weight"  # (V, size)
CHARACTER_FILTERS = Affine.of("embeddings.parts.characters.convolution")  # (F, size, kernel), (F,)
CHARACTER_GRU = "embeddings.parts.characters.recurrence."  # a prefix for `cell_tensors`
WORD_SHAPES = "embeddings.parts.shape.table.weight"  # (V, size)
STATIC_CORRECTIONS = "embeddings.parts.static.corrections.weight"  # (V, width): a row per known word
TRANSFORMER = "embeddings.parts.encoder."  # a prefix; a fine-tuned transformer has files of its own
FEED_FORWARD = Affine.of("encoder.feed_forward.inner"), Affine.of("encoder.feed_forward.outer")  # (W, E), then (W, W)
EMISSIONS = Affine.of("emissions")  # (K, W), (K,)
CRF = CRFTensors("crf.transitions", "crf.start", "crf.end")


def affix_table(number: int) -> str:
    """Name the table (V, size) of one affix length: those of the prefixes come first, then those of the suffixes."""
    return f"embeddings.parts.affixes.tables.{number}.weight"


def layer_prefix(number: int) -> str:
    """Return the prefix, for `cell_tensors`, of a recurrent layer. Layers are counted from 0."""
    return f"encoder.layers.{number}."


def norm_tensors(number: int) -> Affine:
    """Name scale and shift, (W,) each, that normalise a layer's output."""
    return Affine.of(f"encoder.norms.{number}")


def skip_tensor(number: int) -> str:
    """Name the map (W, E) that a layer's skip connection has where E and W differ."""
    return f"encoder.skips.{number}.weight"


def cell_tensors(prefix: str) -> tuple[CellTensors, CellTensors]:
    """Name the tensors of a bidirectional layer: the forward and the backward direction's."""
    kinds = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")  # as PyTorch's layers name them
    forward, backward = (CellTensors(*(f"{prefix}{kind}{way}" for kind in kinds)) for way in ("", "_reverse"))
    return forward, backward


def expected_shapes(config: ModelConfig, vocabularies: Vocabularies) -> Shapes:
    """Return the shape of every tensor of a model with this configuration and these vocabularies, by name."""
    tags = len(vocabularies.tags)
    of_embeddings, width = _embedding_shapes(config.embeddings, vocabularies)
    of_encoder, width = _encoder_shapes(config.encoder, width)
    shapes = {**of_embeddings, **of_encoder, EMISSIONS.weight: (tags, width), EMISSIONS.bias: (tags,)}
    if config.decoder.kind == "crf":
        shapes |= {CRF.transitions: (tags, tags), CRF.start: (tags,), CRF.end: (tags,)}
    return shapes


def layer_shapes(prefix: str, cell: Cell, width: int, hidden: int) -> Shapes:
    """Return the shapes of a bidirectional layer that reads `width` values per token."""
    stacked = GATES[cell] * hidden
    shapes: Shapes = {}
    for names in cell_tensors(prefix):
        shapes |= {names.input: (stacked, width), names.hidden: (stacked, hidden)}
        shapes |= {names.input_bias: (stacked,), names.hidden_bias: (stacked,)}
    return shapes


def _embedding_shapes(embeddings: EmbeddingsConfig, vocabularies: Vocabularies) -> tuple[Shapes, int]:
    """Return the shapes of the embeddings, and how many values per token they give."""
    shapes: Shapes = {}
    width = 0
    if word := embeddings.word:
        shapes[WORDS] = (len(vocabularies.words), word.size)
        width += word.size
    if characters := embeddings.characters:
        shapes[CHARACTERS] = (len(vocabularies.characters), characters.size)
        if characters.kind == "cnn":
            shapes[CHARACTER_FILTERS.weight] = (characters.filters, characters.size, characters.kernel)
            shapes[CHARACTER_FILTERS.bias] = (characters.filters,)
        else:
            shapes |= layer_shapes(CHARACTER_GRU, "gru", characters.size, characters.hidden_size)
        width += characters.width
    if shape := embeddings.shape:
        shapes[WORD_SHAPES] = (len(vocabularies.shapes), shape.size)
        width += shape.size
    if affix := embeddings.affixes:
        by_length = (vocabularies.prefixes, vocabularies.suffixes)
        tables = [known[length] for known in by_length for length in affix.lengths]
        shapes |= {affix_table(number): (len(table), affix.size) for number, table in enumerate(tables)}
        width += affix.size * len(tables)
    if static := embeddings.static:
        if static.trainable:
            shapes[STATIC_CORRECTIONS] = (len(vocabularies.words), static.width or 0)
        width += static.width or 0
    if embeddings.transformer:
        width += embeddings.transformer.width or 0
    return shapes, width


def _encoder_shapes(encoder: EncoderConfig, width: int) -> tuple[Shapes, int]:
    """Return the shapes of an encoder that reads `width` values per token, and how many it gives."""
    shapes: Shapes = {}
    if inner := encoder.feed_forward:
        first, second = FEED_FORWARD
        shapes |= {first.weight: (inner, width), first.bias: (inner,)}
        shapes |= {second.weight: (inner, inner), second.bias: (inner,)}
        width = inner
    for number, settings in enumerate(encoder.stack):
        after = encoder.width(settings)
        shapes |= layer_shapes(layer_prefix(number), settings.cell, width, settings.hidden_size)
        if encoder.layer_norm:
            shapes |= dict.fromkeys(norm_tensors(number), (after,))
        if encoder.skip and width != after:
            shapes[skip_tensor(number)] = (after, width)
        width = after
    return shapes, width
