"""What in a data set looks as if another column were meant, or none: told before hours of training go into it."""

from __future__ import annotations

from collections.abc import Sequence

from tagger.corpus.dataset_config import DataConfig
from tagger.corpus.schemes import OUTSIDE
from tagger.corpus.sentence import Sentence

_SETTINGS = {  # what says where tokens and tags stand
    "columns": ("token_column", "tag_column"),
    "conllu": ("token_column", "tag_column"),
    "parallel": ("token_file", "tag_file"),
}
_FIELDS = ("token_field", "tag_field")  # of records
_MANY = 30  # different tags; fewer are usual where tokens are few
_ENOUGH = 20  # tokens, all of which are seldom numbers by chance
_LONG = 300  # tokens; a sentence that is a whole file has no more


def doubts(sentences: Sequence[Sentence], config: DataConfig, source: str) -> list[str]:
    """A line, to be read as a warning, on each thing that is likely to be another than what was meant.

    Tags are doubted where there are many, and at least half as many different ones as tokens, or where all are numbers;
    tokens where all are numbers; sentences where a column file has but one, and that is long.

    Args:
        sentences: of one file or split, at least one.
        config: how they were read.
        source: what they were read from.
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
    lines = [f"{one}; if tokens or tags stand elsewhere, set {_told(config)}" for one in found]
    if config.format in ("columns", "conllu") and len(sentences) == 1 and len(sentences[0]) > _LONG:
        lines.append(f"one sentence of {len(sentences[0]):,} tokens; part sentences by blank lines")
    return [f"warning: {source}: {line}" for line in lines]


def _told(config: DataConfig) -> str:
    """The settings that say where tokens and tags stand, with their values."""
    values = {name: getattr(config, name) for name in _SETTINGS.get(config.format, _FIELDS)}
    return " and ".join(f"data.{name}" + ("" if value is None else f" (now {value})") for name, value in values.items())
