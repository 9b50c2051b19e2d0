"""Settings of a data set: `data.*` of the presets in `conf/data/` and of the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tagger.config_parsing import from_mapping
from tagger.corpus.readers.columns import Separator
from tagger.errors import UserError

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*")


@dataclass(frozen=True, kw_only=True)
class DocumentRanges:
    """Document numbers of each split of one corpus, counted from 1: `1-100`, `101-120`, `121-`."""

    train: str
    dev: str
    test: str


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Location of a data set and how to read it. `conf/data/base.yaml` describes the same settings.

    Attributes:
        title: its name in messages and reports.
        format: file format.
        language: ISO 639-1 code of its language.
        origin: web address of its publisher. A preset with one needs `dir` or `path`.
        domain: the part to read, if the data set has several.
        dir: folder that `train`, `dev` and `test` are relative to. Default: the working directory.
        bundled: folder of the data in this package, used if `dir` is not set.
        train, dev, test: files, patterns (`parts/*.conll`), or lists of them. Folders for `parallel`, names of splits
            for `huggingface`.
        path: Hub id or folder of a Hugging Face data set. For other formats, the source if `dir` is not set.
        name, revision: the Hub's configuration name, and branch, tag or commit.
        scheme: tag scheme; `auto` detects it.
        on_error: at a malformed line, `stop` or `skip` its sentence.
        max_length: in tokens. Longer sentences are left out of train, but not of dev and test.
        tokenizer: for running text.
        token_column, tag_column, separator, comment_prefix: layout of column files. CoNLL-U uses the columns, too.
        token_file, tag_file: of `parallel`: file names in the folder of a split, or suffixes of its name.
        token_field, tag_field, text_field: fields of records. None: the usual names.
        tag_names: the tag of each number, if tags are numbers.
        documents: splits by document number instead of by file.
        dev_fraction, test_fraction, split_seed: for drawing a missing split from train.
    """

    title: str = "data"
    format: Literal["columns", "conllu", "parallel", "jsonl", "labelstudio", "huggingface"] = "columns"
    language: str | None = None
    origin: str | None = None
    domain: str | None = None
    dir: str | None = None
    bundled: str | None = None
    train: str | tuple[str, ...] | None = None
    dev: str | tuple[str, ...] | None = None
    test: str | tuple[str, ...] | None = None
    path: str | None = None
    name: str | None = None
    revision: str | None = None
    scheme: Literal["auto", "iob1", "iob2", "bioes", "bilou", "io", "plain"] = "auto"
    on_error: Literal["stop", "skip"] = "stop"
    max_length: int | None = None
    tokenizer: str = "syntok"
    token_column: int = 0
    tag_column: int = -1
    separator: Separator = "auto"
    comment_prefix: str | None = None
    token_file: str = "seq.in"
    tag_file: str = "seq.out"
    token_field: str | None = None
    tag_field: str | None = None
    text_field: str | None = None
    tag_names: tuple[str, ...] | None = None
    documents: DocumentRanges | None = None
    dev_fraction: float = 0.1
    test_fraction: float = 0.1
    split_seed: int = 1

    def __post_init__(self) -> None:
        if self.language is not None and not _LANGUAGE.fullmatch(self.language):
            raise UserError(f"data.language={self.language}: expected an ISO 639-1 code, such as en")
        if self.max_length is not None and self.max_length < 1:
            raise UserError(f"data.max_length={self.max_length}: expected at least 1 token, or null for no limit")
        files = (name for split in ("train", "dev", "test") for name in self.names_of(split))
        places = (self.dir, *files, self.path, self.name)
        if self.domain is not None and not any(self.domain in place for place in places if place is not None):
            raise UserError(f"data.domain={self.domain}: data={self.title} has no domains; leave data.domain out")
        if self.documents is not None and (self.dev or self.test):
            raise UserError("data.documents takes dev and test from data.train, and data.dev or data.test is set too; "
                "set data.documents=null, or leave these out")  # fmt: skip

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> DataConfig:
        """Build the settings from plain values by name.

        Raises:
            UserError: a setting is unknown or has the wrong type. The message gives its dotted name.
        """
        return from_mapping(cls, mapping, "data")

    def names_of(self, split: str) -> tuple[str, ...]:
        """Return the files, folders, patterns or split names of `train`, `dev` or `test`. Empty if it is not set.

        Raises:
            UserError: an empty list is set.
        """
        given = {"train": self.train, "dev": self.dev, "test": self.test}[split]
        if given == ():
            raise UserError(f"data.{split}=[]: an empty list; name a file, or set it to null")
        return (given,) if isinstance(given, str) else given or ()
