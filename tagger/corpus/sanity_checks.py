"""Warn of data that look misread, such as a wrong column, before hours of training are spent on them."""

from __future__ import annotations

from collections.abc import Sequence

from tagger.corpus.dataset_config import DataConfig
from tagger.corpus.schemes import OUTSIDE
from tagger.corpus.sentence import Sentence

_SETTINGS = {  # settings that locate tokens and tags, by format
    "columns": ("token_column", "tag_column"),
    "conllu": ("token_column", "tag_column"),
    "parallel": ("token_file", "tag_file"),
}
_FIELDS = ("token_field", "tag_field")  # of records
_MANY = 30  # different tags; small corpora may have nearly as many different tags as tokens, but fewer than this
_ENOUGH = 20  # tokens; so many are seldom all numbers by chance
_LONG = 300  # tokens; a single longer sentence suggests missing blank lines


def doubts(sentences: Sequence[Sentence], config: DataConfig, source: str) -> list[str]:
    """Return one-line warnings about data that were probably misread.

    Warns if:

    - there are many different tags, at least half as many as different tokens;
    - all tags or all tokens are numbers;
    - a column file is a single long sentence.

    Args:
        sentences: of one file or split, at least one.
        config: the settings they were read with.
        source: name of the file or split.
    """
    tokens = {token for sentence in sentences for token in sentence.tokens}
    tags = {tag for sentence in sentences for tag in sentence.tags or []} - {OUTSIDE}
    enough = sum(map(len, sentences)) >= _ENOUGH
    found = []
    if len(tags) > _MANY and 2 * len(tags) >= len(tokens):
        found.append(f"{len(tags):,} different tags, such as {min(tags)!r}, for {len(tokens):,} different tokens")
    elif enough and tags and all(map(str.isdecimal, tags)):
        found.append(f"every tag is a number, such as {min(tags)!r}")
    if enough and all(map(str.isdecimal, tokens)):
        found.append(f"every token is a number, such as {min(tokens)!r}")
    lines = [f"{one}; if tokens or tags are elsewhere, set {_settings(config)}" for one in found]
    if config.format in ("columns", "conllu", "csv") and len(sentences) == 1 and len(sentences[0]) > _LONG:
        lines.append(f"one sentence of {len(sentences[0]):,} tokens; separate sentences by blank lines")
    return [f"warning: {source}: {line}" for line in lines]


def _settings(config: DataConfig) -> str:
    """List the settings that locate tokens and tags, with their values."""
    values = {name: getattr(config, name) for name in _SETTINGS.get(config.format, _FIELDS)}
    return " and ".join(f"data.{name}" + ("" if value is None else f" (now {value})") for name, value in values.items())
