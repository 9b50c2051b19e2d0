"""A pretrained Hugging Face encoder, from a folder or the Hub: a vector for each word in its sentence."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from tagger.config import TransformerEmbedding
from tagger.errors import UserError, install_command, library_failures_told
from tagger.features.pieces import PieceBatch, Pieces, Surroundings, lay_out
from tagger.files import expanded, sha256_of
from tagger.hub import fetch_cached
from tagger.model.transfer import on_device
from tagger.untrusted import read_json, require_regular

CONFIG = "config.json"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")
_FILES = (  # patterns of an encoder's files
    *(CONFIG, "*.safetensors", "*.safetensors.index.json", "tokenizer*.json", "special_tokens_map.json"),
    *("vocab.*", "merges.txt", "*.model"),
)
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_PIECES_AT_ONCE = 4096
_BAR_AFTER = 2  # seconds
_MOST_JSON_BYTES = 1 << 26
_UNUSED = "pooler."  # weights that some encoders lack; no word's vector depends on them


class PretrainedEncoder(nn.Module):
    """A pretrained encoder: word pieces in windows in, a vector per word out.

    Attributes:
        settings: the settings, with path, width, revision and digest filled in.
    """

    def __init__(self, settings: TransformerEmbedding, model: nn.Module, tokenizer: Any) -> None:
        """Take parts that fit together. Use `open_encoder` to make them."""
        super().__init__()
        self.settings = settings
        self.model = model
        self._tokenizer = tokenizer
        self._tokenizer_lock = Lock()  # threads that share a fast tokenizer fail with "Already borrowed"
        self.around = _surroundings(tokenizer)
        self.capacity = _window(settings, model, tokenizer) - len(self.around.before) - len(self.around.after)

    def split(self, sentences: Sequence[Sequence[str]]) -> list[list[Pieces]]:
        """Split each word into pieces. A word without pieces gets the unknown piece, so that no word is lost."""
        unknown = self._tokenizer.unk_token_id
        nothing: Pieces = (self.around.padding if unknown is None else unknown,)
        pieces: list[list[Pieces]] = []
        for sentence in sentences:
            if not sentence:
                pieces.append([])
                continue
            with self._tokenizer_lock:
                encoded = self._tokenizer(
                    [_without_surrogates(word) for word in sentence],
                    is_split_into_words=True,
                    add_special_tokens=False,
                    verbose=False,
                )
            found: list[list[int]] = [[] for _ in sentence]
            for number, word in zip(encoded["input_ids"], encoded.word_ids(), strict=True):
                found[word].append(number)
            pieces.append([tuple(numbers) or nothing for numbers in found])
        return pieces

    def forward(self, batch: PieceBatch) -> Tensor:
        """Return a vector per word, (N, D): the mean over its pieces, or the first, averaged over the last layers."""
        at, of = batch.places, batch.words
        if self.settings.pooling == "first":
            first = np.flatnonzero(np.diff(of, prepend=-1))
            at, of = at[first], of[first]
        arrays = [batch.ids, batch.inside.astype(np.int64), at, of, np.bincount(of, minlength=batch.count)]
        ids, inside, places, words, counts = on_device(arrays, next(self.model.parameters()).device)
        states = self.model(input_ids=ids, attention_mask=inside, output_hidden_states=True).hidden_states
        layers = torch.stack(states[-self.settings.layers :]).mean(dim=0).flatten(0, 1)[places]  # (W, P, D) to (M, D)
        sums = layers.new_zeros(batch.count, layers.shape[1]).index_add(0, words, layers)
        return sums / counts.unsqueeze(1)

    def encode(self, sentences: Sequence[Sequence[str]], vectors: NDArray[Any], *, progress: bool = False) -> None:
        """Write the vectors of all words, sentence by sentence, into `vectors` (words, D).

        Sentences of similar length go together, some thousand pieces at a time. With `progress`, a bar appears on
        standard error after two seconds, if that is a terminal.
        """
        pieces = self.split(sentences)
        sizes = [sum(map(len, words)) for words in pieces]
        order = sorted((n for n, size in enumerate(sizes) if size), key=lambda number: -sizes[number])
        starts = np.concatenate([[0], np.cumsum([len(words) for words in pieces])]).astype(np.int64)
        batches = list(_batches(order, sizes))
        self.model.eval()
        with torch.inference_mode():
            disable = None if progress else True  # None: disable it if standard error is no terminal
            for numbers in tqdm(batches, "encoding", unit="batch", disable=disable, delay=_BAR_AFTER, leave=False):
                found = self(lay_out([pieces[number] for number in numbers], self.around, self.capacity))
                rows = np.concatenate([np.arange(starts[number], starts[number + 1]) for number in numbers])
                vectors[rows] = found.float().cpu().numpy()

    def save(self, folder: Path) -> None:
        """Write weights, configuration and tokenizer as a folder that `open_encoder` opens."""
        with _quiet(_import_transformers()):
            self.model.save_pretrained(folder)  # type: ignore[operator]
            self._tokenizer.save_pretrained(folder)


def open_encoder(settings: TransformerEmbedding) -> PretrainedEncoder:
    """Find, check and load the encoder of a configuration.

    If `settings.digest` is set, as in a model folder, the encoder must have this digest.

    Raises:
        UserError: the encoder is missing or unreachable, has no safetensors weights or no fast tokenizer, does not
            encode text, is damaged, is too small for the settings, or has another digest.
    """
    assert settings.path is not None
    transformers = _import_transformers()
    folder, revision = _find(settings.path, settings.revision)
    _check_files(folder)
    digest = _digest(folder)
    if settings.digest not in (None, digest):
        raise UserError(
            f"{settings.path}: another encoder than the model was trained with (the digest of its files is "
            f"{digest[:12]}…, expected {str(settings.digest)[:12]}…); give that one"
        )
    one_line_errors = library_failures_told(folder, "cannot be loaded as an encoder", "copy it whole, or give another")
    with one_line_errors, _quiet(transformers):
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, use_fast=True, trust_remote_code=False, add_prefix_space=True, local_files_only=True
        )
        model, loading = transformers.AutoModel.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
        _check_model(folder, model, tokenizer, loading, settings)
        if getattr(model, "pooler", None) is not None:
            model.pooler = None  # a vector of the whole text: these weights would get no gradient
        width = int(model.config.hidden_size)
        path = settings.path if revision else str(folder.resolve())  # an encoder from the Hub has a revision
        complete = replace(settings, path=path, width=width, revision=revision, digest=digest)
        encoder = PretrainedEncoder(complete, model, tokenizer)
        encoder.encode([["a"]], np.empty((1, width)))  # a model that cannot encode words fails here
    return encoder


def _find(path: str, revision: str | None) -> tuple[Path, str | None]:
    """Find the folder of an encoder, and its revision if it is from the Hub: first in the cache, then online."""
    local = expanded(path)
    if local.is_dir():
        return local, None
    if not _HUB_ID.fullmatch(path):
        raise UserError(f"{path}: no such folder; give one with an encoder's {CONFIG}, or an id of the Hub")
    found = fetch_cached(path, revision, _FILES, lambda folder: any((folder / name).is_file() for name in _WEIGHTS))
    return found, found.name


def _check_files(folder: Path) -> None:
    """Refuse a folder that is no encoder, or could run code, before anything in it is loaded."""
    for path in folder.iterdir():
        if path.exists() and not path.is_dir():
            require_regular(path)
    if not (folder / CONFIG).is_file():
        raise UserError(f"{folder}: no {CONFIG} in it; give the folder of an encoder")
    if not any((folder / name).is_file() for name in _WEIGHTS):
        if any((folder / name).is_file() for name in _PICKLED):
            raise UserError(
                f"{folder}: its weights are pickled only, which can run code when read; convert them to safetensors"
            )
        raise UserError(f"{folder}: no weights in it (model.safetensors); copy it whole")
    if not any(path.is_file() for pattern in _TOKENIZERS for path in folder.glob(pattern)):
        raise UserError(f"{folder}: no tokenizer in it ({', '.join(_TOKENIZERS)}); copy it whole")
    config = _read_json(folder / CONFIG)
    if not isinstance(config.get("model_type"), str):
        raise UserError(f"{folder / CONFIG}: names no model_type; give the folder of an encoder")
    if "auto_map" in config:
        raise UserError(
            f"{folder}: comes with code of its own, which is not run; give an encoder of transformers itself"
        )
    if config.get("is_encoder_decoder") or "vocab_size" not in config:
        kind = config["model_type"]
        raise UserError(f"{folder}: a model of the kind {kind!r}, not an encoder of text; give one as BERT or RoBERTa")
    _check_sizes(folder, config)


def _check_sizes(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse weights outside the folder, and a configuration of far more weights than the files hold."""
    weights = [path for path in folder.glob("*.safetensors") if path.is_file()]
    if (folder / _WEIGHTS[1]).is_file():
        shards = _read_json(folder / _WEIGHTS[1]).get("weight_map")
        names = set(map(str, shards.values())) if isinstance(shards, dict) else {""}
        if not names <= {path.name for path in weights}:
            raise UserError(f"{folder / _WEIGHTS[1]}: names weights that are no file of the folder; copy it whole")
    known = sum(path.stat().st_size for path in weights)
    if _fewest_weights(config) > known:
        raise UserError(f"{folder / CONFIG}: describes more weights than {known:,} bytes can be; copy it whole")


def _fewest_weights(config: Mapping[str, Any]) -> int:
    """Return the least number of weights for a configuration: its embedding tables and the matrices of its layers."""

    def size(*names: str, otherwise: int = 0) -> int:
        value = next((config[name] for name in names if config.get(name) is not None), otherwise)
        return value if isinstance(value, int) else 0  # transformers refuses other values itself

    width = size("hidden_size", "dim", otherwise=1)
    inner = size("intermediate_size", "hidden_dim", otherwise=1)
    layers = 1 if config["model_type"] == "albert" else size("num_hidden_layers", "n_layers", otherwise=1)
    tables = max(size("vocab_size"), size("max_position_embeddings"), size("type_vocab_size"))
    return tables * size("embedding_size", otherwise=width) + layers * width * (width + inner)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return read_json(path, _MOST_JSON_BYTES)
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or error}") from error


def _check_model(folder: Path, model: nn.Module, tokenizer: Any, loading: Any, settings: TransformerEmbedding) -> None:
    """Check what can only be checked after loading: weights, tokenizer, number of layers."""
    missing = sorted(name for name in loading["missing_keys"] if _UNUSED not in name)
    if missing or loading["mismatched_keys"]:
        what = f"no {missing[0]}" if missing else f"{next(iter(loading['mismatched_keys']))[0]} of another shape"
        raise UserError(f"{folder}: its weights are not those of its {CONFIG}: {what}; copy it whole")
    for name, weight in model.named_parameters():
        if _UNUSED not in name and not torch.isfinite(weight).all():
            raise UserError(f"{folder}: its weights hold NaN or infinite numbers ({name}); copy it whole")
    if set(tokenizer.get_vocab().values()) <= set(tokenizer.all_special_ids):
        raise UserError(f"{folder}: its tokenizer knows no pieces: not the files that this kind needs; copy it whole")
    if not tokenizer.is_fast:
        raise UserError(f"{folder}: its tokenizer cannot tell which word a piece belongs to; add a tokenizer.json")
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:  # type: ignore[operator]
        raise UserError(f"{folder}: its tokenizer knows more pieces than its weights; copy it whole")
    layers = int(model.config.num_hidden_layers)  # type: ignore[arg-type, union-attr]
    if settings.layers > layers + 1:
        raise UserError(
            f"embeddings.transformer.layers: {settings.path} has {layers + 1} at most, not {settings.layers}"
        )


def _window(settings: TransformerEmbedding, model: Any, tokenizer: Any) -> int:
    """Return the number of pieces in a window, including the special ones."""
    positions = int(getattr(model.config, "max_position_embeddings", 0) or 1 << 30)
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None:
            positions = module.num_embeddings - module.padding_idx - 1  # RoBERTa counts from after padding's
    most = min(positions, int(tokenizer.model_max_length), 1 << 14)
    window = settings.window or most
    special = tokenizer.num_special_tokens_to_add()
    if not special < window <= most:
        raise UserError(f"embeddings.transformer.window: must lie between {special + 1} and {most}, not {window}")
    return window


def _surroundings(tokenizer: Any) -> Surroundings:
    marked = tokenizer("a", return_special_tokens_mask=True, verbose=False)
    ids, special = marked["input_ids"], marked["special_tokens_mask"]
    first = special.index(0)
    last = len(special) - special[::-1].index(0)
    padding = tokenizer.pad_token_id
    return Surroundings(tuple(ids[:first]), tuple(ids[last:]), 0 if padding is None else padding)


def _batches(order: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    """Yield sentences in order, as many at a time as fit a budget of pieces when padded to the longest."""
    batch: list[int] = []
    for number in order:
        if batch and sizes[batch[0]] * (len(batch) + 1) > _PIECES_AT_ONCE:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def _digest(folder: Path) -> str:
    """Return a digest of weights, configuration and tokenizer."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _FILES for path in folder.glob(pattern)}):
        digest.update(f"{path.name}\n".encode())
        digest.update(bytes.fromhex(sha256_of(path)))
    return digest.hexdigest()


def _without_surrogates(word: str) -> str:
    """Replace halves of surrogate pairs, which no tokenizer accepts, by U+FFFD."""
    return word.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _import_transformers() -> Any:
    try:
        import transformers
    except ImportError:
        raise UserError(f"encoders need the extra: {install_command('encoder')}") from None
    return transformers


@contextlib.contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Silence progress bars and reports of unused weights."""
    logging = transformers.utils.logging
    level, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
