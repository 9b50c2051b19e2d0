"""Check a local folder of a data set: `datasets` must not read other folders or the network because of it.

The README.md of a folder may name data files, by any path or URL. Folders written by `save_to_disk` name theirs, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tagger.errors import UserError
from tagger.untrusted import places_of, read_json, refuse_outside

SAVED, STATE = "dataset_dict.json", "state.json"  # written by `save_to_disk`
_MOST_BYTES = 64 << 20  # per file
_LONGEST = 200  # characters of a name shown in an error
_BUILDERS = ("arrow", "conll", "csv", "json", "parquet", "text")  # these read only the files they are given
_ELSEWHERE = re.compile(r"[/\\~]|[A-Za-z][\w+.-]*:|.*(::|://)|(.*[/\\])?\.\.([/\\]|$)", re.DOTALL)


def check_links(folder: Path) -> None:
    """Refuse a folder that contains a link to the outside.

    Raises:
        UserError: it contains one.
    """
    places = places_of(folder)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if (path := Path(parent, name)).is_symlink():
                refuse_outside(path, places)


def check_saved(folder: Path) -> None:
    """Refuse a folder of `save_to_disk` that names splits or files outside of it.

    Raises:
        UserError: it names one, or its JSON is damaged.
    """
    if (folder / SAVED).is_file():
        _check_names(folder / SAVED, read_json(folder / SAVED, _MOST_BYTES).get("splits"))
    for path in (*folder.glob(STATE), *folder.glob(f"*/{STATE}")):
        _check_names(path, read_json(path, _MOST_BYTES).get("_data_files"))


def check_metadata(path: Path, metadata: Any) -> None:
    """Refuse metadata whose configurations name files or folders outside of the data set.

    Args:
        path: the file with the metadata.
        metadata: its content.

    Raises:
        UserError: a configuration names one.
    """
    configs = metadata.get("configs") if isinstance(metadata, dict) else None
    for config in configs if isinstance(configs, list) else ():
        if isinstance(config, dict):
            _check_names(path, [config.get("data_files"), config.get("data_dir")])


def check_resolved(folder: Path, builder: str, files: Iterable[str]) -> None:
    """Refuse data files outside of the folder, and formats that may refer to other files.

    Args:
        folder: of the data set.
        builder: the module of `datasets` that reads the files.
        files: the paths that patterns and metadata resolved to.

    Raises:
        UserError: a file is outside, or the format is not plain data.
    """
    if builder not in _BUILDERS:
        raise UserError(f"{folder}: files of the kind {builder!r}; expected Parquet, JSON or Arrow files; convert them")
    places = places_of(folder)
    for file in files:
        if "://" in file or not any(Path(file).resolve().is_relative_to(place) for place in places):
            raise _elsewhere(folder, file)


def _check_names(path: Path, names: Any) -> None:
    for name in _strings(names):
        if _ELSEWHERE.match(name):
            raise _elsewhere(path, name)


def _elsewhere(path: Path, name: str) -> UserError:
    advice = "copy the data into the folder and name them there"
    return UserError(f"{path}: names {name[:_LONGEST]!r}, which is outside of the folder; {advice}")


def _strings(value: Any) -> Iterator[str]:
    """Yield all strings in nested lists and mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)
