"""Old names of settings, which are still read: on the command line, in configuration files and in model folders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

RENAMED = {  # old: new, within the same entry; applied in this order
    "embeddings.encoder": "embeddings.transformer",
    "embeddings.static.trained": "embeddings.static.trainable",
    "embeddings.transformer.tune": "embeddings.transformer.trainable",
    "optim.decay": "optim.lr_schedule",
}
_ARGUMENT = re.compile(r"(?P<sign>~|\+{0,2})(?P<name>\w[\w.]*)(?P<rest>(=.*)?)", re.DOTALL)


def new_name(name: str) -> str:
    """Replace an old dotted name, or the part of one that is old, by the new name."""
    for old, new in RENAMED.items():
        if f"{name}.".startswith(f"{old}."):
            name = new + name[len(old) :]
    return name


def new_argument(argument: str) -> str:
    """Replace the old name in an override of the command line, such as `optim.decay=cosine`."""
    found = _ARGUMENT.fullmatch(argument)
    return f"{found['sign']}{new_name(found['name'])}{found['rest']}" if found else argument


def name_of(argument: str) -> str:
    """Return the name in an override of the command line, or the argument itself if it is no override."""
    found = _ARGUMENT.fullmatch(argument)
    return found["name"] if found else argument


def with_new_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Replace the old names in nested settings, in place of each name.

    Where both names are there, the values under the old one replace those under the new one. The new one then has the
    defaults.
    """
    found = dict(settings)
    for old, new in RENAMED.items():
        found = _renamed(found, old, new)
    return found


def with_old_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Undo `with_new_names`, for digests that were computed from the old names."""
    found = dict(settings)
    for old, new in reversed(RENAMED.items()):
        found = _renamed(found, new, old)
    return found


def old_names(settings: Mapping[str, Any]) -> list[str]:
    """List the old names that occur in nested settings."""
    found, names = dict(settings), []
    for old, new in RENAMED.items():
        before, found = found, _renamed(found, old, new)
        if found != before:
            names.append(old)
    return names


def warnings_of(names: Iterable[str]) -> list[str]:
    """Return a line on the new name of each name that is an old one, or has one in it."""
    old = dict.fromkeys(name for name in names if new_name(name) != name)
    return [f"warning: {name} is now {new_name(name)}; the old name still works" for name in old]


def _renamed(settings: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    """Rename one setting, in its place, if it is there."""
    (entry, _, old_rest), (_, _, new_rest) = old.partition("."), new.partition(".")
    if old_rest:
        inner = settings.get(entry)
        changed = {entry: _renamed(inner, old_rest, new_rest)} if isinstance(inner, Mapping) else {}
        return {**settings, **changed}
    if old not in settings:
        return dict(settings)
    value = _merged(settings.get(new), settings[old])
    return {new if key == old else key: value if key == old else kept for key, kept in settings.items() if key != new}


def _merged(below: Any, above: Any) -> Any:
    """Lay one value over another; mappings are merged."""
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return above
    return {**below, **{key: _merged(below.get(key), value) for key, value in above.items()}}
