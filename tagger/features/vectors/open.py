"""Open and load pretrained vectors of either kind: one vector per word, or one per word piece."""

from __future__ import annotations

from pathlib import Path

from tagger.features.vectors.files import read_vectors
from tagger.features.vectors.model2vec import is_model2vec, read_model2vec
from tagger.features.vectors.table import VECTORS, WORDS, StaticVectors
from tagger.features.vectors.wordpiece import WordPieceVectors
from tagger.files import expanded, shipped_folder

BUNDLED = "bundled"
_BUNDLED_FOLDER = Path("vectors", "all-MiniLM-L6-v2")


def open_static(source: str) -> StaticVectors:
    """Open vectors by the name used in a configuration.

    Args:
        source: `bundled`, a folder of word-piece vectors (also of model2vec), or a file of word vectors.

    Raises:
        UserError: they are missing or damaged.
    """
    path = shipped_folder("data") / _BUNDLED_FOLDER if source == BUNDLED else expanded(source)
    if not path.is_dir():
        return read_vectors(path)
    vectors = read_model2vec(path) if is_model2vec(path) else load_static(path)
    return vectors.rounded() if isinstance(vectors, WordPieceVectors) else vectors


def load_static(folder: Path) -> StaticVectors:
    """Load vectors written by `save`.

    Raises:
        UserError: they are missing or damaged.
    """
    if (folder / WORDS).is_file():
        return read_vectors(folder / VECTORS, words_file=folder / WORDS)
    return WordPieceVectors.load(folder)
