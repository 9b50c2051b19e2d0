"""Read static vectors saved by `model2vec`, without that package: `model.safetensors` and `tokenizer.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from tagger.errors import UserError, library_failures_told
from tagger.features.vectors.wordpiece import INSIDE, WordPieceVectors, require_sound

TENSORS, TOKENIZER = "model.safetensors", "tokenizer.json"
_EMBEDDINGS = ("embeddings", "embedding.weight")  # model2vec's own name, and that of sentence-transformers
_NORMALIZER = {"clean_text": True, "handle_chinese_chars": True, "lowercase": True}


def is_model2vec(folder: Path) -> bool:
    """Return whether the folder has the files that `StaticModel.save_pretrained` writes."""
    return (folder / TENSORS).is_file() and (folder / TOKENIZER).is_file()


def read_model2vec(folder: Path) -> WordPieceVectors:
    """Read a model2vec model (0.3 to 0.10) whose tokenizer is BERT's uncased WordPiece.

    Weights of pieces are multiplied into their vectors. Pieces that share a vector (`vocabulary_quantization`) get a
    copy each. A word's vector has length 1, even if the model's `normalize` is off.

    Raises:
        UserError: a file is damaged, the files do not belong together, or the tokenizer is of another kind.
    """
    pieces = _read_pieces(folder / TOKENIZER)
    vectors = _read_vectors(folder / TENSORS)
    if len(pieces) != len(vectors):
        raise UserError(
            f"{folder}: {len(pieces)} pieces in {TOKENIZER}, but {len(vectors)} rows in {TENSORS}; copy both again"
        )
    return WordPieceVectors(pieces, vectors)


def _read_pieces(path: Path) -> list[str]:
    with library_failures_told(path, "damaged: not the JSON of a tokenizer", "copy it again"):
        tokenizer = json.loads(path.read_bytes())
        problem = _foreign(tokenizer)
        numbered = [] if problem else sorted((number, piece) for piece, number in tokenizer["model"]["vocab"].items())
    if problem:
        raise UserError(f"{path}: {problem}; only BERT's uncased WordPiece is read: save the vectors of words as text")
    pieces = [piece for _, piece in numbered]
    if [number for number, _ in numbered] != list(range(len(pieces))):
        raise UserError(f"{path}: damaged: the pieces' numbers are not 0 to {len(pieces) - 1}; copy it again")
    if odd := next((piece for piece in pieces if not piece or len(piece.splitlines()) > 1), None):
        raise UserError(f"{path}: damaged: {odd!r} is no word piece; copy it again")
    return pieces


def _foreign(tokenizer: Mapping[str, Any]) -> str | None:
    """Describe how the tokenizer differs from BERT's uncased one. None if it does not."""
    model, normalizer = tokenizer["model"], tokenizer["normalizer"] or {}
    before = tokenizer["pre_tokenizer"] or {}
    if model.get("type") != "WordPiece" or model.get("continuing_subword_prefix") != INSIDE:
        return f"its tokenizer is a {model.get('type')}"
    if normalizer.get("type") != "BertNormalizer" or before.get("type") != "BertPreTokenizer":
        return f"its tokenizer prepares words by {normalizer.get('type')} and {before.get('type')}"
    different = [name for name, value in _NORMALIZER.items() if normalizer.get(name) is not value]
    if different or normalizer.get("strip_accents") is False:
        return f"its tokenizer prepares words with other {', '.join(different or ['strip_accents'])}"
    return None


def _read_vectors(path: Path) -> NDArray[np.float32]:
    """Read the vectors (V, E), one row per piece, with weights multiplied in."""
    with library_failures_told(path, "damaged", "copy it again"):
        tensors = load_file(path)
        stored = next((tensors[name] for name in _EMBEDDINGS if name in tensors), None)
        if stored is None:
            raise UserError(f"{path}: no tensor `embeddings`, only {sorted(tensors)}; not of model2vec?")
        vectors = stored.astype(np.float32)
        if "mapping" in tensors:
            vectors = vectors[tensors["mapping"]]
        if "weights" in tensors:
            vectors = vectors * tensors["weights"].astype(np.float32)[:, None]
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise UserError(f"{path}: damaged: the vectors have shape {vectors.shape}, expected (pieces, width)")
    require_sound(vectors, path)
    return vectors
