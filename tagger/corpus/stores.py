"""Open the store of a data set: files, data bundled with the package, or the Hugging Face Hub."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from glob import iglob
from pathlib import Path
from typing import Protocol

from tagger.corpus.dataset_config import DataConfig
from tagger.corpus.formats import FORMATS, read_file, record_fields
from tagger.corpus.readers.account import OnError, ReadReport
from tagger.corpus.readers.huggingface import Splits, find_split, open_dataset, read_huggingface
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer
from tagger.errors import UserError
from tagger.files import expanded, shipped_folder
from tagger.remote import fetched, is_remote

Reading = tuple[Iterator[Sentence], ReadReport]  # lazy sentences, and the report that is filled while they are read
_WILDCARD = re.compile(r"[*?\[]")


class Store(Protocol):
    """Source of the splits of a data set."""

    def has(self, split: str) -> bool:
        """Return whether there is such a split: `train`, `dev` or `test`."""

    def read(self, split: str) -> list[Reading]:
        """Open a split, file by file."""


def open_store(config: DataConfig) -> Store:
    """Open the store that the settings name. `data.dir` takes precedence over bundled data, these over `data.path`.

    Raises:
        UserError: the settings name no store, or it does not exist.
    """
    if config.format == "huggingface":
        return _DatasetStore(config)
    if config.dir is not None or config.bundled is not None or _names_a_place(config):
        return _FileStore(config)
    needed = f"set data.dir to the folder that holds {', '.join(config.names_of('train'))} ({config.origin})"
    if config.path is not None:
        try:
            return _DatasetStore(config)
        except UserError as error:
            raise UserError(f"data={config.title}: {error}, or {needed}") from error
    raise UserError(f"data={config.title}: {needed}")


def _names_a_place(config: DataConfig) -> bool:
    """Return whether split files can be found without `data.dir`. Published data sets need it or absolute paths."""
    if config.origin is None and config.path is None:
        return True
    named = (name for split in ("train", "dev", "test") for name in config.names_of(split))
    return any(expanded(name).is_absolute() for name in named)


class _FileStore:
    """Splits stored in files."""

    def __init__(self, config: DataConfig) -> None:
        self._config = config
        self._folder = Path()
        if config.dir is not None:
            self._folder = expanded(config.dir)
            if not self._folder.is_dir():
                holds = f"the folder that holds {', '.join(config.names_of('train'))}" if config.train else "a folder"
                raise UserError(f"data.dir={config.dir}: no such folder; set it to {holds}")
        elif config.bundled is not None:
            self._folder = shipped_folder("data") / config.bundled

    def has(self, split: str) -> bool:
        return bool(self._config.names_of(split))

    def read(self, split: str) -> list[Reading]:
        names = self._config.names_of(split)
        if not names:
            raise UserError(f"data={self._config.title}: data.{split} is not set; set it to a file")
        paths = [path for name in names for path in self._named(split, name)]
        twice = next((path for path, count in Counter(paths).items() if count > 1), None)
        if twice is not None:
            raise UserError(f"data.{split}: {twice} is named twice; name each file once")
        reports = [ReadReport(str(path), OnError(self._config.on_error)) for path in paths]
        return [(read_file(path, report, self._config), report) for path, report in zip(paths, reports, strict=True)]

    def _named(self, split: str, name: str) -> list[Path]:
        """Return the file of this name. If there is none and the name is a pattern, return the sorted matches."""
        if is_remote(name):
            return fetched(name)
        path = self._folder / expanded(name)
        if path.exists() or not _WILDCARD.search(name):
            return [path]
        matches = (self._folder / match for match in iglob(str(expanded(name)), root_dir=self._folder, recursive=True))
        folders = FORMATS[self._config.format].folders
        found = sorted(path for path in matches if path.is_dir() or self._config.format != "parallel")
        found = [path for path in found if path.is_file() or folders]
        if not found:
            kind = "folder" if self._config.format == "parallel" else "file"
            raise UserError(
                f"data.{split}={name}: no {kind} matches this pattern in {self._folder.absolute()}; check both"
            )
        return found


class _DatasetStore:
    """Splits stored in a Hugging Face data set."""

    def __init__(self, config: DataConfig) -> None:
        if config.path is None and config.dir is None:
            raise UserError(f"data={config.title}: set data.path to a Hub id or a folder")
        self._config = config
        self._path = config.path or ""
        if config.dir is not None:
            self._path = str(expanded(config.dir) / self._path)
        self._splits: Splits = open_dataset(self._path, subset=config.name, revision=config.revision)

    def has(self, split: str) -> bool:
        return self._find(split) is not None

    def read(self, split: str) -> list[Reading]:
        name = self._find(split)
        if name is None:
            known = ", ".join(self._splits)
            raise UserError(f"{self._path}: no {split} split; set data.{split} to one of {known}")
        report = ReadReport(f"{self._path}/{name}", OnError(self._config.on_error))
        tokenizer = get_tokenizer(self._config.tokenizer)
        fields = record_fields(self._config)
        return [(read_huggingface(self._splits[name], report, tokenizer=tokenizer, fields=fields), report)]

    def _find(self, split: str) -> str | None:
        # If a preset for files falls back to the Hub, its `data.train` and so on name files, not splits.
        names = self._config.names_of(split) if self._config.format == "huggingface" else ()
        if len(names) > 1:
            raise UserError(
                f"data.{split}=[{','.join(names)}]: a Hugging Face data set has one split for it; name that"
            )
        return find_split(self._splits, split, *names)
