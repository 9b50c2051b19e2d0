"""A BERT with random weights, small enough to be made for every test that wants one."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizerFast, RobertaConfig, RobertaModel, RobertaTokenizer

LETTERS = "abcdefghijklmnopqrstuvwxyz.,"
SHAPE = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}


def write_tiny_encoder(folder: Path, *, seed: int = 0, positions: int = 64) -> Path:
    """A folder as `save_pretrained` writes it: two layers of width 8, letters as word pieces."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=positions).save_pretrained(folder)
    torch.manual_seed(seed)
    BertModel(BertConfig(vocab_size=len(pieces), max_position_embeddings=positions, **SHAPE)).save_pretrained(folder)
    return folder


def write_tiny_roberta(folder: Path, *, positions: int) -> Path:
    """The same of RoBERTa's kind: pieces begin with their blank, positions behind the padding's number."""
    entries = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "Ġ", *LETTERS, "Ġa"]
    vocabulary = {piece: number for number, piece in enumerate(entries)}
    RobertaTokenizer(vocab=vocabulary, merges=[("Ġ", "a")]).save_pretrained(folder)
    RobertaModel(
        RobertaConfig(vocab_size=len(entries), max_position_embeddings=positions + 2, **SHAPE)
    ).save_pretrained(folder)
    return folder


def change_config(folder: Path, **changes: object) -> None:
    """Set or, with None, remove entries of `config.json`."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | changes
    kept = {key: value for key, value in config.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(kept), encoding="utf-8")
