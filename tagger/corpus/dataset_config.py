"""The settings of a data set, `data.*`, as `conf/data/` presets and the command line give them."""

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
    """Splits of one corpus by the running numbers of its documents: `1-100`, `101-120`, `121-`."""

    train: str
    dev: str
    test: str


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Where a data set is and how it is read. `conf/data/base.yaml` lists the same settings with a line on each.

    Attributes:
        title: what messages and reports call it.
        format: how it is written.
        language: ISO 639-1 code of its language.
        origin: address of the people who publish it; a preset that has one needs `dir` or `path`.
        domain: which of a data set's parts to read, where it has several.
        dir: folder that `train`, `dev` and `test` are relative to; without one they are to the working directory.
        bundled: folder of the data this package brings along, used where `dir` is not set.
        train, dev, test: files, patterns (`parts/*.conll`), or lists of such; folders for `parallel`; names of splits
            for `huggingface`.
        path: Hub id or folder of a Hugging Face data set; for other formats the source where `dir` is not set.
        name, revision: the Hub's configuration name, and branch, tag or commit.
        scheme: how tags mark spans; `auto` detects it.
        on_error: at a malformed line `stop`, or `skip` its sentence.
        max_length: leave longer sentences out of train, in tokens; dev and test keep theirs.
        tokenizer: for running text.
        token_column, tag_column, separator, comment_prefix: of column files; the columns also of CoNLL-U.
        token_file, tag_file: of `parallel`, in the folder that a split names, or appended to its name.
        token_field, tag_field, text_field: of records; None takes the usual names.
        tag_names: what number n stands for, where tags are numbers.
        documents: splits by document number instead of by file.
        dev_fraction, test_fraction, split_seed: how a missing split is drawn from train.
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
        """Build it from plain values by name.

        Raises:
            UserError: an unknown setting or a value of the wrong type, by its dotted name.
        """
        return from_mapping(cls, mapping, "data")

    def names_of(self, split: str) -> tuple[str, ...]:
        """The files, folders, patterns or split names given for `train`, `dev` or `test`; none where it is not set.

        Raises:
            UserError: the list of them is empty.
        """
        given = {"train": self.train, "dev": self.dev, "test": self.test}[split]
        if given == ():
            raise UserError(f"data.{split}=[]: an empty list; name a file, or set it to null")
        return (given,) if isinstance(given, str) else given or ()
