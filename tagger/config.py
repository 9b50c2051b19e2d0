"""What shapes a model: dataclasses with checked fields, the same in Hydra's configuration and in a model folder."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from tagger.errors import UserError

T = TypeVar("T")
Cell = Literal["rnn", "gru", "lstm", "gru_reset_before"]  # `engines.reference_cells` has their equations
GATES: dict[Cell, int] = {"rnn": 1, "gru": 3, "lstm": 4, "gru_reset_before": 3}  # matrices of H rows in each of W, U
EMBEDDINGS = ("word", "characters", "shape", "affixes", "static", "encoder")  # in the order they are concatenated


@dataclass(frozen=True, kw_only=True)
class WordEmbedding:
    """A trained vector per word of the training split.

    Attributes:
        size: width of the vector.
        min_count: words rarer than this in the training split have no vector of their own (they share UNK's).
        lowercase: look words up in lower case.
        unk_probability: in training, a word seen once becomes UNK with this probability, one seen n times with
            probability p/n, so that UNK's vector learns what rare words are like.
        dropout: share of the vector's elements zeroed in training.
    """

    size: int = 100
    min_count: int = 1
    lowercase: bool = True
    unk_probability: float = 0.5
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class CharacterEmbedding:
    """A vector made of a word's characters.

    Attributes:
        kind: `cnn`, a convolution, rectified and max-pooled over positions (after Ma & Hovy 2016), or `bigru`, the last
            states of a GRU in each direction (Lample et al. 2016, with a GRU for their LSTM).
        size: width of a character's vector.
        filters: of `cnn`, number of convolution filters, the width of the result.
        kernel: of `cnn`, characters that a filter sees at once; odd.
        hidden_size: of `bigru`, hidden units per direction; the result is twice as wide.
        max_length: of a longer word the first and last characters are kept, this many in all.
        dropout: share of a character vector's elements zeroed in training.
    """

    kind: Literal["cnn", "bigru"] = "cnn"
    size: int = 30
    filters: int = 50
    kernel: int = 3
    hidden_size: int = 25
    max_length: int = 40
    dropout: float = 0.0

    @property
    def width(self) -> int:
        """Numbers in a word's vector."""
        return self.filters if self.kind == "cnn" else 2 * self.hidden_size


@dataclass(frozen=True, kw_only=True)
class ShapeEmbedding:
    """A trained vector per word shape (`Xxxx`, `dd`, `XX-d`), runs of one class cut to two."""

    size: int = 16
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class AffixEmbedding:
    """A trained vector per prefix and per suffix of each length, concatenated.

    Attributes:
        size: width of one affix's vector.
        lengths: lengths in characters, each once; a word shorter than a length is its own affix.
        min_count: affixes rarer than this among the training split's words share UNK's vector.
        dropout: share of the vectors' elements zeroed in training.
    """

    size: int = 16
    lengths: tuple[int, ...] = (2, 3)
    min_count: int = 2
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class StaticEmbedding:
    """Pretrained vectors; in a configuration, `static: SOURCE` is short for its `source`.

    Attributes:
        source: `bundled` (the vectors of this package), a file or folder of vectors, `auto` (bundled for English data,
            none for other languages), or `none`.
        trained: learn a correction for each word of the training split, added to its vector, which is the same as
            fine-tuning the vectors of these words; a word not met there keeps its vector as it is. Words of one
            normal form (see `WordEmbedding.lowercase`) share a correction, and those below `min_count` have none.
        width: of a vector; None until the vectors are opened.
        dropout: share of the vector's elements zeroed in training.
    """

    source: str = "auto"
    trained: bool = False
    width: int | None = None
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class EncoderEmbedding:
    """Contextual vectors of a Hugging Face encoder; in a configuration, `encoder: PATH` is short for its `path`.

    Attributes:
        path: its folder, or its id on the Hub; None for no encoder.
        revision: branch, tag or commit on the Hub; in a model folder, the commit.
        layers: how many of the last layers' states are averaged.
        pooling: a word's vector is the `mean` over its pieces, or that of the `first`.
        window: pieces that the encoder reads at once, longer sentences in overlapping windows; None for all it can.
        tune: train the encoder along; its weights then go into the model folder.
        width: of a vector; None until the encoder is opened.
        digest: SHA-256 of its files; None until the encoder is opened.
        dropout: share of the vector's elements zeroed in training.
    """

    path: str | None = None
    revision: str | None = None
    layers: int = 4
    pooling: Literal["mean", "first"] = "mean"
    window: int | None = None
    tune: bool = False
    width: int | None = None
    digest: str | None = None
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class EmbeddingsConfig:
    """The stack of embeddings, concatenated in this order; None leaves an entry out.

    Attributes:
        dropout: share of the concatenated vector's elements zeroed in training.
        word_dropout: share of tokens whose whole vector is zeroed in training.
    """

    word: WordEmbedding | None = field(default_factory=WordEmbedding)
    characters: CharacterEmbedding | None = field(default_factory=CharacterEmbedding)
    shape: ShapeEmbedding | None = field(default_factory=ShapeEmbedding)
    affixes: AffixEmbedding | None = field(default_factory=AffixEmbedding)
    static: StaticEmbedding | None = None
    encoder: EncoderEmbedding | None = None
    dropout: float = 0.5
    word_dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class LayerConfig:
    """One recurrent layer as a configuration says it; in a configuration, a cell's name is short for its `cell`.

    Attributes:
        cell, hidden_size, dropout: as in `EncoderConfig`, whose value is taken for None.
    """

    cell: Cell | None = None
    hidden_size: int | None = None
    dropout: float | None = None


@dataclass(frozen=True)
class Layer:
    """One recurrent layer with everything settled; see `EncoderConfig`."""

    cell: Cell
    hidden_size: int
    dropout: float


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Packed bidirectional recurrent layers, one upon the other.

    A layer gives merge(forward states, backward states), normalised if `layer_norm`, plus its own input if `skip`;
    dropout comes last.

    Attributes:
        cell: `rnn` (Elman's, with tanh), `gru`, `lstm`, or `gru_reset_before` (Cho et al. 2014), of layers that do not
            say their own.
        hidden_size: hidden units H per direction, likewise.
        layers: a list of layers, or how many there are, all alike.
        dropout: share of elements zeroed in training after a layer, likewise.
        merge: the two directions side by side (`concat`, 2H values per token), their `sum` or their `mean` (H values).
        feed_forward: width F of Linear(E → F), GELU, Linear(F → F) in front of the first layer, which then reads F
            values per token; None for nothing there.
        layer_norm: normalise each layer's merged states over their width (Ba et al. 2016), before anything is added.
        skip: add each layer's input to its output (He et al. 2016); where their widths differ, through a learned linear
            map without bias.
    """

    cell: Cell = "gru"
    hidden_size: int = 128
    layers: int | tuple[LayerConfig, ...] = 1
    dropout: float = 0.5
    merge: Literal["concat", "sum", "mean"] = "concat"
    feed_forward: int | None = None
    layer_norm: bool = False
    skip: bool = False

    @property
    def depth(self) -> int:
        """How many layers there are."""
        return self.layers if isinstance(self.layers, int) else len(self.layers)

    @property
    def stack(self) -> list[Layer]:
        """The layers from the first to the last, what each leaves out filled in."""
        layers = [LayerConfig()] * self.layers if isinstance(self.layers, int) else self.layers
        return [
            Layer(
                cell=layer.cell or self.cell,
                hidden_size=layer.hidden_size or self.hidden_size,
                dropout=self.dropout if layer.dropout is None else layer.dropout,
            )
            for layer in layers
        ]

    def width(self, layer: Layer) -> int:
        """Values per token that a layer gives."""
        return layer.hidden_size * (2 if self.merge == "concat" else 1)


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """From emissions to tags.

    Attributes:
        kind: `crf` (linear chain, with transitions) or `softmax` (each token for itself; decoding is still legal).
        scheme: tag scheme the model works in; scores and output are the same sentences' spans either way.
    """

    kind: Literal["crf", "softmax"] = "crf"
    scheme: Literal["iob2", "bioes"] = "bioes"


SHORT = {StaticEmbedding: "source", EncoderEmbedding: "path", LayerConfig: "cell"}  # what a text stands for


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The whole model: embeddings, encoder, decoder."""

    embeddings: EmbeddingsConfig = field(default_factory=EmbeddingsConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)

    def __post_init__(self) -> None:
        embeddings = self.embeddings
        if not any(getattr(embeddings, name) for name in EMBEDDINGS):
            raise UserError(f"embeddings: every entry is null; keep at least one of {', '.join(EMBEDDINGS)}")
        if embeddings.characters and embeddings.characters.kernel % 2 == 0:
            raise UserError(f"embeddings.characters.kernel: must be odd, not {embeddings.characters.kernel}")
        lengths = embeddings.affixes.lengths if embeddings.affixes else ()
        if len(set(lengths)) < len(lengths):
            raise UserError(f"embeddings.affixes.lengths: the same length twice in {list(lengths)}; leave one out")
        _check_ranges(self, "")

    def to_mapping(self) -> dict[str, Any]:
        """Plain dictionaries and lists, as written to `config.json`."""
        return typing.cast(dict[str, Any], _plain(asdict(self)))


def from_mapping(kind: type[T], mapping: Mapping[str, Any], where: str = "") -> T:
    """Build a config dataclass from nested mappings, checking every key and type.

    Args:
        kind: the dataclass.
        mapping: values by field name; missing fields take their defaults.
        where: dotted path of `mapping`, for messages.

    Raises:
        UserError: an unknown key or a value of the wrong type, by its dotted name.
    """
    if not isinstance(mapping, Mapping):
        raise UserError(f"{where or 'config'}: expected a mapping, got {mapping!r}")
    hints = typing.get_type_hints(kind)
    known = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
    for key in mapping:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise UserError(f"{_join(where, str(key))}: no such setting; {hint}")
    missing = [
        name
        for name, entry in known.items()
        if name not in mapping and entry.default is MISSING and entry.default_factory is MISSING
    ]
    if missing:
        raise UserError(f"{_join(where, missing[0])}: missing; set it")
    return kind(**{key: _checked(hints[key], value, _join(where, str(key))) for key, value in mapping.items()})


def _checked(hint: Any, value: Any, where: str) -> Any:
    """`value` as the annotated type `hint`; lists become tuples, whole numbers become floats where asked for."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        alternatives = [argument for argument in arguments if argument is not type(None)]
        return _checked_any(alternatives, value, where)
    if origin is Literal:
        if value not in arguments:
            raise UserError(f"{where}: {value!r} is not one of {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise UserError(f"{where}: expected a list, got {value!r}")
        return tuple(_checked(arguments[0], element, f"{where}[{index}]") for index, element in enumerate(value))
    if hint in SHORT and isinstance(value, str):
        value = {SHORT[hint]: value}
    if is_dataclass(hint):
        return from_mapping(typing.cast(type, hint), value, where)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise UserError(f"{where}: {value} is too large") from None
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise UserError(f"{where}: expected {hint.__name__}, got {value!r}{_quoting([hint], value, where)}")
    return value


def _checked_any(hints: list[Any], value: Any, where: str) -> Any:
    """`value` as the first of several types that it fits; a list is told what a list there should hold."""
    lists = [hint for hint in hints if typing.get_origin(hint) is tuple]
    if len(hints) == 1 or (lists and isinstance(value, (list, tuple))):
        return _checked((lists or hints)[0], value, where)
    for hint in hints:
        try:
            return _checked(hint, value, where)
        except UserError:
            continue
    names = ["a list" if hint in lists else hint.__name__ for hint in hints]
    raise UserError(f"{where}: expected {' or '.join(names)}, got {value!r}{_quoting(hints, value, where)}")


def _quoting(hints: list[Any], value: Any, where: str) -> str:
    """What to do about a number on the command line where text is expected."""
    fits = isinstance(value, (int, float)) and (str in hints or Path in hints)
    return f"; quote it: '{where}=\"{value}\"'" if fits else ""


def _check_ranges(config: Any, where: str) -> None:
    """Sizes are positive; dropouts and probabilities lie in [0, 1)."""
    for entry in fields(config):
        value, name = getattr(config, entry.name), _join(where, entry.name)
        if is_dataclass(value):
            _check_ranges(value, name)
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            for index, element in enumerate(value):
                _check_ranges(element, f"{name}[{index}]")
        elif isinstance(value, float) and not 0 <= value < 1 and entry.name != "unk_probability":
            raise UserError(f"{name}: must lie in [0, 1), not {value}")
        elif isinstance(value, float) and not 0 <= value <= 1:
            raise UserError(f"{name}: must lie in [0, 1], not {value}")
        elif isinstance(value, int) and not isinstance(value, bool) and value < 1:
            raise UserError(f"{name}: must be at least 1, not {value}")
        elif value == ():
            raise UserError(f"{name}: must be one or more, not an empty list")
        elif isinstance(value, tuple) and min(value) < 1:
            raise UserError(f"{name}: must be whole numbers from 1, not {list(value)}")


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(element) for key, element in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(element) for element in value]
    return value
