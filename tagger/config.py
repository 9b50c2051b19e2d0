"""The settings that shape a model: checked dataclasses, the same in Hydra's configuration and in a model folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from tagger.config_parsing import check_ranges
from tagger.errors import UserError

Cell = Literal["rnn", "gru", "lstm", "gru_reset_before"]  # `engines.reference_cells` has their equations
GATES: dict[Cell, int] = {"rnn": 1, "gru": 3, "lstm": 4, "gru_reset_before": 3}  # matrices of H rows in W, and in U
EMBEDDINGS = ("word", "characters", "shape", "affixes", "static", "transformer")  # in the order they are concatenated


@dataclass(frozen=True, kw_only=True)
class WordEmbedding:
    """A trained vector per word of the training split.

    Attributes:
        size: width of the vector.
        min_count: words rarer than this in the training split share the vector of UNK.
        lowercase: look words up in lower case.
        unk_probability: in training, a word seen n times becomes UNK with this probability / n. So the vector of UNK
            learns what rare words are like.
        dropout: share of the vector's elements zeroed in training.
    """

    size: int = 100
    min_count: int = 1
    lowercase: bool = True
    unk_probability: float = 0.5
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class CharacterEmbedding:
    """A vector made from a word's characters.

    Attributes:
        kind: `cnn` is a convolution, rectified and max-pooled over positions (after Ma & Hovy 2016). `bigru` takes the
            last states of a GRU in each direction (Lample et al. 2016, with a GRU instead of their LSTM).
        size: width of a character's vector.
        filters: number of convolution filters of `cnn`, which is the width of the result.
        kernel: number of characters that a filter of `cnn` sees at once; odd.
        hidden_size: hidden units of `bigru` per direction. The result is twice as wide.
        max_length: number of characters to read. Of a longer word, the middle is left out.
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
        """Width of a word's vector."""
        return self.filters if self.kind == "cnn" else 2 * self.hidden_size


@dataclass(frozen=True, kw_only=True)
class ShapeEmbedding:
    """A trained vector per word shape (`Xxxx`, `dd`, `XX-d`), with runs of one class cut to two."""

    size: int = 16
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class AffixEmbedding:
    """A trained vector per prefix and per suffix of each length, concatenated.

    Attributes:
        size: width of one affix's vector.
        lengths: lengths in characters, each once. A word shorter than a length is its own affix.
        min_count: affixes rarer than this among the words of the training split share the vector of UNK.
        dropout: share of the vectors' elements zeroed in training.
    """

    size: int = 16
    lengths: tuple[int, ...] = (2, 3)
    min_count: int = 2
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class StaticEmbedding:
    """Pretrained vectors. In a configuration, `static: SOURCE` is short for its `source`.

    Attributes:
        source: `bundled` (the vectors of this package), a file or folder of vectors, `auto` (bundled for English data,
            none for other languages), or `none`.
        trainable: learn a correction for each word of the training split, which is added to its vector. This fine-tunes
            the vectors of these words; other words keep theirs. Words of one normal form (see
            `WordEmbedding.lowercase`) share a correction. Words below `min_count` have none.
        width: width of a vector; None until the vectors are opened.
        dropout: share of the vector's elements zeroed in training.
    """

    SHORT: ClassVar[str] = "source"

    source: str = "auto"
    trainable: bool = False
    width: int | None = None
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TransformerEmbedding:
    """Contextual vectors of a Hugging Face encoder. In a configuration, `transformer: PATH` is short for its `path`.

    Attributes:
        path: folder of the encoder, or its id on the Hub; None for no encoder.
        revision: branch, tag or commit on the Hub. In a model folder, the commit.
        layers: number of last layers whose states are averaged.
        pooling: how a word's vector is made from its pieces: their `mean`, or the `first` one.
        window: number of pieces that the encoder reads at once; None for as many as it can. Longer sentences are read
            in overlapping windows.
        trainable: fine-tune the encoder. Its weights then go into the model folder.
        width: width of a vector; None until the encoder is opened.
        digest: SHA-256 of its files; None until the encoder is opened.
        dropout: share of the vector's elements zeroed in training.
    """

    SHORT: ClassVar[str] = "path"

    path: str | None = None
    revision: str | None = None
    layers: int = 4
    pooling: Literal["mean", "first"] = "mean"
    window: int | None = None
    trainable: bool = False
    width: int | None = None
    digest: str | None = None
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class EmbeddingsConfig:
    """The embeddings, concatenated in this order. None leaves an entry out.

    Attributes:
        dropout: share of the concatenated vector's elements zeroed in training.
        word_dropout: share of tokens whose whole vector is zeroed in training.
    """

    word: WordEmbedding | None = field(default_factory=WordEmbedding)
    characters: CharacterEmbedding | None = field(default_factory=CharacterEmbedding)
    shape: ShapeEmbedding | None = field(default_factory=ShapeEmbedding)
    affixes: AffixEmbedding | None = field(default_factory=AffixEmbedding)
    static: StaticEmbedding | None = None
    transformer: TransformerEmbedding | None = None
    dropout: float = 0.5
    word_dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class LayerConfig:
    """One recurrent layer in a configuration, where the name of a cell is short for its `cell`.

    Attributes:
        cell, hidden_size, dropout: as in `EncoderConfig`. None takes the value from there.
    """

    SHORT: ClassVar[str] = "cell"

    cell: Cell | None = None
    hidden_size: int | None = None
    dropout: float | None = None


@dataclass(frozen=True)
class Layer:
    """One recurrent layer with all values set; see `EncoderConfig`."""

    cell: Cell
    hidden_size: int
    dropout: float


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """A stack of packed bidirectional recurrent layers.

    A layer outputs merge(forward states, backward states), normalised if `layer_norm`, plus its own input if `skip`.
    Dropout comes last.

    Attributes:
        cell: `rnn` (Elman's, with tanh), `gru`, `lstm`, or `gru_reset_before` (Cho et al. 2014). A layer may have its
            own; the same holds for `hidden_size` and `dropout`.
        hidden_size: hidden units H per direction.
        layers: a list of layers, or the number of equal layers.
        dropout: share of elements zeroed in training after a layer.
        merge: how the two directions are joined: `concat` (2H values per token), `sum` or `mean` (H values).
        feed_forward: width F of Linear(E → F), GELU, Linear(F → F) before the first layer, which then reads F values
            per token; None for no such layers.
        layer_norm: normalise each layer's merged states over their width (Ba et al. 2016), before anything is added.
        skip: add each layer's input to its output (He et al. 2016). Where their widths differ, the input goes through a
            learned linear map without bias.
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
        """Number of layers."""
        return self.layers if isinstance(self.layers, int) else len(self.layers)

    @property
    def stack(self) -> list[Layer]:
        """The layers from first to last, with all values set."""
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
        """Return the number of values per token that a layer outputs."""
        return layer.hidden_size * (2 if self.merge == "concat" else 1)


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """How emissions become tags.

    Attributes:
        kind: `crf` (linear chain, with transitions) or `softmax` (each token alone). Decoding is legal with both.
        scheme: tag scheme of the model. Scores and output are spans, whatever the scheme.
    """

    kind: Literal["crf", "softmax"] = "crf"
    scheme: Literal["iob2", "bioes"] = "bioes"


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
        check_ranges(self, "")

    def to_mapping(self) -> dict[str, Any]:
        """Convert to plain dictionaries and lists, as written to `config.json`."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    """Convert tuples to lists, also inside."""
    if isinstance(value, dict):
        return {key: _plain(element) for key, element in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(element) for element in value]
    return value
