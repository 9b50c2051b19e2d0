"""Where the splits of a data set lie: in files, in the data that come with the package, or on the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tagger.corpus.columns import ColumnLayout, read_columns
from tagger.corpus.conllu import read_conllu
from tagger.corpus.dataconfig import DataConfig
from tagger.corpus.huggingface import Splits, find_split, open_dataset, read_huggingface
from tagger.corpus.jsonl import read_jsonl
from tagger.corpus.labelstudio import read_labelstudio
from tagger.corpus.parallel import read_parallel
from tagger.corpus.reading import OnError, ReadReport
from tagger.corpus.records import RecordFields
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer
from tagger.errors import UserError
from tagger.files import shipped_folder


class Store(Protocol):
    """Something that holds the splits of a data set."""

    def has(self, split: str) -> bool:
        """Whether it holds `train`, `dev` or `test`."""

    def read(self, split: str) -> tuple[Iterator[Sentence], ReadReport]:
        """The sentences of a split it has, yet to be read, and the account that the reading fills."""


def open_store(config: DataConfig) -> Store:
    """The store that the settings name: `data.dir` before the bundled data before `data.path`.

    Raises:
        UserError: the settings name none, or it is not there.
    """
    if config.format == "huggingface":
        return _DatasetStore(config)
    if config.dir is not None or config.bundled is not None or _names_a_place(config):
        return _FileStore(config)
    needed = f"set data.dir to the folder that holds {config.train} ({config.origin})"
    if config.path is not None:
        try:
            return _DatasetStore(config)
        except UserError as error:
            raise UserError(f"data={config.title}: {error}, or {needed}") from error
    raise UserError(f"data={config.title}: {needed}")


def _names_a_place(config: DataConfig) -> bool:
    """Whether split files can be found without `data.dir`: any data set's are, but those of a published one."""
    if config.origin is None and config.path is None:
        return True
    named = [name for name in (config.train, config.dev, config.test) if name is not None]
    return any(Path(name).expanduser().is_absolute() for name in named)


class _FileStore:
    """Splits in files."""

    def __init__(self, config: DataConfig) -> None:
        self._config = config
        self._folder = Path()
        if config.dir is not None:
            self._folder = Path(config.dir).expanduser()
            if not self._folder.is_dir():
                holds = f"the folder that holds {config.train}" if config.train else "a folder"
                raise UserError(f"data.dir={config.dir}: no such folder; set it to {holds}")
        elif config.bundled is not None:
            self._folder = shipped_folder("data") / config.bundled

    def has(self, split: str) -> bool:
        return self._config.named_split(split) is not None

    def read(self, split: str) -> tuple[Iterator[Sentence], ReadReport]:
        name = self._config.named_split(split)
        if name is None:
            raise UserError(f"data={self._config.title}: data.{split} is not set; set it to a file")
        path = self._folder / Path(name).expanduser()
        report = ReadReport(str(path), OnError(self._config.on_error))
        return _read_file(path, report, self._config), report


class _DatasetStore:
    """Splits of a Hugging Face data set."""

    def __init__(self, config: DataConfig) -> None:
        if config.path is None and config.dir is None:
            raise UserError(f"data={config.title}: set data.path to a Hub id or a folder")
        self._config = config
        self._path = config.path or ""
        if config.dir is not None:
            self._path = str(Path(config.dir).expanduser() / self._path)
        self._splits: Splits = open_dataset(self._path, subset=config.name, revision=config.revision)

    def has(self, split: str) -> bool:
        return self._find(split) is not None

    def read(self, split: str) -> tuple[Iterator[Sentence], ReadReport]:
        name = self._find(split)
        if name is None:
            known = ", ".join(self._splits)
            raise UserError(f"{self._path}: no {split} split; set data.{split} to one of {known}")
        report = ReadReport(f"{self._path}/{name}", OnError(self._config.on_error))
        tokenizer = get_tokenizer(self._config.tokenizer)
        fields = _record_fields(self._config)
        return read_huggingface(self._splits[name], report, tokenizer=tokenizer, fields=fields), report

    def _find(self, split: str) -> str | None:
        # Where a preset for files falls back on the Hub, its split names are those of the files.
        named = self._config.named_split(split) if self._config.format == "huggingface" else None
        return find_split(self._splits, split, named)


def _read_file(path: Path, report: ReadReport, config: DataConfig) -> Iterator[Sentence]:
    match config.format:
        case "columns":
            layout = ColumnLayout(
                token_column=config.token_column,
                tag_column=config.tag_column,
                separator=config.separator,
                comment_prefix=config.comment_prefix,
            )
            return read_columns(path, report, layout=layout)
        case "conllu":
            return read_conllu(path, report, token_column=config.token_column, tag_column=config.tag_column)
        case "parallel":
            return read_parallel(_beside(path, config.token_file), _beside(path, config.tag_file), report)
    tokenizer = get_tokenizer(config.tokenizer)
    if config.format == "labelstudio":
        return read_labelstudio(path, report, tokenizer=tokenizer, text_field=config.text_field)
    return read_jsonl(path, report, tokenizer=tokenizer, fields=_record_fields(config))


def _beside(path: Path, name: str) -> Path:
    return path / name if path.is_dir() else Path(f"{path}{name}")


def _record_fields(config: DataConfig) -> RecordFields:
    return RecordFields(
        tokens=config.token_field, tags=config.tag_field, text=config.text_field, tag_names=config.tag_names
    )
