"""Models with random weights, biases included, and sentences for them: any shape of model, without training."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tagger.config import (
    AffixEmbedding,
    CharacterEmbedding,
    DecoderConfig,
    EmbeddingsConfig,
    EncoderConfig,
    ModelConfig,
    ShapeEmbedding,
    StaticEmbedding,
    WordEmbedding,
)
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.engines.base import Engine
from tagger.features.vectors.wordpiece import WordPieceVectors
from tagger.features.vocabulary import Vocabularies
from tagger.model_folder.folder import ModelFolder
from tagger.tensor_shapes import expected_shapes

PARTS = ("word", "characters", "shape", "affixes")

NER_TRAIN = [
    Sentence(
        ["Anna", "Maria", "Smith", "lives", "in", "New", "York", "."],
        ["B-PER", "I-PER", "I-PER", "O", "O", "B-LOC", "I-LOC", "O"],
    ),
    Sentence(["Ο", "Γιώργος", "μένει", "στην", "Αθήνα", "."], ["O", "B-PER", "O", "O", "B-LOC", "O"]),
    Sentence(["王小明", "住", "在", "北京", "。"], ["B-PER", "O", "O", "B-LOC", "O"]),
    Sentence(
        ["In", "1984", "the", "U.S.", "bought", "25,000", "tonnes", "from", "Acme-3", "."],
        ["O", "O", "O", "B-LOC", "O", "O", "O", "O", "B-ORG", "O"],
    ),
    Sentence([], []),
    Sentence(["the", "the", "the", "cat"], ["O", "O", "O", "O"]),
]
POS_TRAIN = [
    Sentence(["the", "cat", "sleeps", "."], ["DET", "NOUN", "VERB", "PUNCT"]),
    Sentence(["O", "Romeo", "runs"], ["INTJ", "PROPN", "VERB"]),
]
KNOWN_AND_UNKNOWN_WORDS = [
    *(token for sentence in (*NER_TRAIN, *POS_TRAIN) for token in sentence.tokens),
    *("x", "Łódź", "हिन्दी", "東京都", "a" * 60, "٣٤", "🙂", "don't", "", "\u200b"),
]


def embeddings_config(
    parts: Sequence[str] = PARTS, *, spelling: Literal["cnn", "bigru"] = "cnn", trained: bool = False
) -> EmbeddingsConfig:
    """Small embeddings of different widths, so that a mixed-up order shows; only `parts` of them.

    Args:
        parts: the names of those there are.
        spelling: the kind of `characters`.
        trained: whether `static` is.
    """
    characters = CharacterEmbedding(kind=spelling, size=5, filters=6, kernel=3, hidden_size=3, max_length=12)
    return EmbeddingsConfig(
        word=WordEmbedding(size=7) if "word" in parts else None,
        characters=characters if "characters" in parts else None,
        shape=ShapeEmbedding(size=3) if "shape" in parts else None,
        affixes=AffixEmbedding(size=2, lengths=(3, 1, 2), min_count=1) if "affixes" in parts else None,
        static=StaticEmbedding(source="bundled", trainable=trained, width=4) if "static" in parts else None,
    )


def random_folder(
    *,
    scheme: Scheme = Scheme.BIOES,
    decoder: str = "crf",
    layers: int = 1,
    hidden: int = 6,
    parts: Sequence[str] = PARTS,
    embeddings: EmbeddingsConfig | None = None,
    encoder: EncoderConfig | None = None,
    seed: int = 0,
) -> ModelFolder:
    """A model of the given shape, its weights drawn from a normal distribution.

    `embeddings` and `encoder`, where given, stand for what `parts`, `layers` and `hidden` say more shortly.
    """
    config = ModelConfig(
        embeddings=embeddings or embeddings_config(parts),
        encoder=encoder or EncoderConfig(hidden_size=hidden, layers=layers),
        decoder=DecoderConfig(kind=decoder, scheme="iob2" if scheme is Scheme.IOB2 else "bioes"),  # type: ignore[arg-type]
    )
    train = POS_TRAIN if scheme is Scheme.PLAIN else NER_TRAIN
    vocabularies = Vocabularies.build(train, config.embeddings, scheme)
    generator = np.random.default_rng(seed)
    tensors = {
        name: generator.normal(0, _spread(shape), size=shape).astype(np.float32)
        for name, shape in expected_shapes(config, vocabularies).items()
    }
    pieces = ["a", "the", "##n", "an", "york", "##a", "new", "北"]
    vectors = WordPieceVectors(pieces, generator.normal(size=(len(pieces), 4)).astype(np.float32))
    static = vectors if config.embeddings.static else None
    return ModelFolder(config, vocabularies, scheme, tensors, "whitespace", "en", static)


def _spread(shape: tuple[int, ...]) -> float:
    """Smaller for what sums over more inputs: a wide recurrence of large weights is chaotic, rounding grows in it."""
    return min(0.7, 2 / shape[1] ** 0.5) if len(shape) > 1 else 0.7


def well_conditioned(encoder: EncoderConfig) -> bool:
    """Normalising a few numbers that are nearly equal makes much of their rounding."""
    return not encoder.layer_norm or min(layer.hidden_size or 0 for layer in encoder.stack) > 2


def random_words(lengths: Sequence[int], seed: int = 0) -> list[list[str]]:
    """Sentences of the given lengths, of known and unknown words."""
    chooser = random.Random(seed)
    return [chooser.choices(KNOWN_AND_UNKNOWN_WORDS, k=length) for length in lengths]


def emissions_by_sentence(engine: Engine, sentences: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
    """An engine's emissions for sentences in any order, (T, K) for each; all of them in one batch."""
    order = sorted(range(len(sentences)), key=lambda number: -len(sentences[number]))
    lengths = [len(sentences[number]) for number in order]
    batch_sizes = np.array([sum(length > step for length in lengths) for step in range(lengths[0])])
    packed = engine.emissions([sentences[number] for number in order], batch_sizes)
    found: list[NDArray[np.float32]] = [packed[:0]] * len(sentences)
    begins = np.cumsum([0, *batch_sizes])
    for place, number in enumerate(order):
        found[number] = packed[begins[: lengths[place]] + place]
    return found
