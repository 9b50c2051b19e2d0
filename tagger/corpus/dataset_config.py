"""Settings of a data set: `data.*` of the presets in `conf/data/` and of the command line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from tagger.config_parsing import from_mapping
from tagger.corpus.readers.account import MalformedError, check_tag
from tagger.corpus.readers.annotations import Overlap
from tagger.corpus.readers.columns import Header
from tagger.corpus.readers.csv_rows import Separator
from tagger.corpus.readers.labelstudio import AGREED
from tagger.corpus.readers.records import check_encodable
from tagger.corpus.schemes import IGNORED, OUTSIDE
from tagger.errors import UserError
from tagger.files import expanded

_OF_A_MIX = frozenset(  # settings that a mix of data sets has itself
    ("title", "format", "language", "origin", "dir", "on_error", "max_length", "tokenizer", "split_seed", "sources")
)
_SPLITS = ("train", "dev", "test")
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
        token_column, tag_column, separator, comment_prefix, header: layout of column files. CoNLL-U uses the columns,
            too, and CSV the separator.
        token_file, tag_file: of `parallel`: file names in the folder of a split, or suffixes of its name.
        token_field, tag_field, text_field: fields of records, columns of CSV. None: the usual names.
        sentence_field: the column of CSV that numbers sentences. None: the usual names.
        overlap: which of spans that share a token to keep.
        annotator: whose annotation of a task of Label Studio to read.
        tag_names: the tag of each number, if tags are numbers.
        documents: splits by document number instead of by file.
        dev_fraction, test_fraction, split_seed: for drawing a missing split from train.
        labels: new labels by old ones. `O` removes the entity, `_` makes its tokens unknown. `LOC=American: MISC` names
            single mentions.
        labels_known: the labels that were annotated; None for all. Entities of others may be hidden behind O.
        sources: the data sets of a mix.
    """

    title: str = "data"
    format: Literal[
        "columns",
        "conllu",
        "csv",
        "parallel",
        "jsonl",
        "labelstudio",
        "docred",
        "spacy",
        "brat",
        "webanno",
        "huggingface",
        "mix",
    ] = "columns"
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
    header: Header = "auto"
    comment_prefix: str | None = None
    token_file: str = "seq.in"
    tag_file: str = "seq.out"
    token_field: str | None = None
    tag_field: str | None = None
    text_field: str | None = None
    sentence_field: str | None = None
    overlap: Overlap = "stop"
    annotator: str | int = AGREED
    tag_names: tuple[str, ...] | None = None
    documents: DocumentRanges | None = None
    dev_fraction: float = 0.1
    test_fraction: float = 0.1
    split_seed: int = 1
    labels: dict[str, str] | None = None
    labels_known: tuple[str, ...] | None = None
    sources: tuple[SourceConfig, ...] | None = None

    def __post_init__(self) -> None:
        self._check_labels()
        self._check_sources()
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
        try:
            return from_mapping(cls, mapping, "data")
        except UserError:
            sources = mapping.get("sources")
            for number, source in enumerate(sources if isinstance(sources, (list, tuple)) else ()):
                SourceConfig.check(source, f"data.sources[{number}]")
            raise

    def _check_labels(self) -> None:
        for new in (self.labels or {}).values():
            try:
                check_encodable(new)
                check_tag(new)
            except MalformedError as problem:
                raise UserError(f"data.labels: {problem}") from None
            if new != new.strip() or not new:
                raise UserError(f"data.labels: {new!r} is no label; write a name, O for no entity, or _ for unknown")
        if self.labels_known is not None and (not self.labels_known or {OUTSIDE, IGNORED} & {*self.labels_known}):
            given = ", ".join(self.labels_known)
            raise UserError(f"data.labels_known=[{given}]: expected the labels that were annotated, or null for all")

    def _check_sources(self) -> None:
        if self.format != "mix":
            if self.sources is not None:
                raise UserError(f"data.sources: needs data.format=mix, not {self.format}; take data=mix")
            return
        for entry in fields(self):
            if getattr(self, entry.name) != entry.default and entry.name not in _OF_A_MIX:
                raise UserError(f"data.{entry.name}: has no effect on a mix of data sets; set it in data.sources")
        names = [source.named for source in self.sources or ()]
        twice = next((name for name, count in Counter(names).items() if count > 1), None)
        if twice is not None:
            raise UserError(f"data.sources: two are called {twice}; give one of them another title")

    def names_of(self, split: str) -> tuple[str, ...]:
        """Return the files, folders, patterns or split names of `train`, `dev` or `test`. Empty if it is not set.

        Raises:
            UserError: an empty list is set.
        """
        given = {"train": self.train, "dev": self.dev, "test": self.test}[split]
        if given == ():
            raise UserError(f"data.{split}=[]: an empty list; name a file, or set it to null")
        return (given,) if isinstance(given, str) else given or ()


@dataclass(frozen=True, kw_only=True)
class SourceConfig(DataConfig):
    """A data set in a mix: all settings of a data set, and how it is used.

    Attributes:
        preset: the preset whose settings these are; only a name here.
        weight: how often each of its sentences is in the training split: 2 is twice, 0.5 is half of them.
        splits: for the splits of the mix, the splits of this source that go there, as in `{train: [train, dev]}`.
            A split that is not named gets nothing of this source. None: each split goes to the one of its name.
    """

    preset: str | None = None
    weight: float = 1.0
    splits: dict[str, str | tuple[str, ...]] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.format == "mix":
            raise UserError("data.format=mix: a mix inside a mix; list its sources instead")
        if not 0 < self.weight < float("inf"):
            raise UserError(f"weight={self.weight}: expected a number above 0; to leave splits out, use splits")
        given = [*(self.splits or {}), *(name for split in self.splits or () for name in self.taken(split))]
        wrong = next((name for name in given if name not in _SPLITS), None)
        if wrong is not None:
            raise UserError(f"splits: {wrong!r} is not one of {', '.join(_SPLITS)}")
        taken = [name for split in self.splits or () for name in self.taken(split)]
        twice = next((name for name in taken if taken.count(name) > 1), None)
        if twice is not None:
            raise UserError(f"splits: {twice} is used twice; name it once")

    @classmethod
    def check(cls, mapping: Mapping[str, Any], where: str) -> None:
        """Raise UserError if the settings of a source are wrong, with the name of the source."""
        try:
            from_mapping(cls, mapping, where)
        except UserError as error:
            title = mapping.get("title") if isinstance(mapping, Mapping) else None
            raise UserError(f"source {title or where}: {error}") from None

    @property
    def named(self) -> str:
        """Name of the source in messages: the title, and the domain if the set has several."""
        return f"{self.title}/{self.domain}" if self.domain else self.title

    def taken(self, split: str) -> tuple[str, ...]:
        """Return the splits of this source that go into a split of the mix."""
        if self.splits is None:
            return (split,)
        names = self.splits.get(split, ())
        return (names,) if isinstance(names, str) else names

    def within(self, mix: DataConfig) -> SourceConfig:
        """Return the settings with the folder inside that of the mix, and malformed lines skipped if the mix does.

        Raises:
            UserError: there is no such folder.
        """
        place = self.dir
        inside = self.dir is not None or (self.bundled is None and self.format != "huggingface")
        if mix.dir is not None and inside:
            place = str(expanded(mix.dir) / expanded(self.dir or ""))
        if self.dir is not None and place is not None and not Path(place).is_dir():
            raise UserError(f"{place}: no such folder; set data.dir to the folder that holds {self.dir}")
        return replace(self, dir=place, on_error="skip" if mix.on_error == "skip" else self.on_error)
