"""The settings of a run as the overrides that make them out of the defaults in `conf/`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from tagger.commands.hydra import hydra_entry

_OF_ONE_PLACE = ("run_dir", "resume", "latest")
_OF_ONE_RUN = ("seed", *_OF_ONE_PLACE)
_PLACES = ("dir", "bundled", "path", "train", "dev", "test")  # of data; what lies there is told by its digest
_GROUPS = ("experiment", "embeddings", "encoder", "decoder", "optim", "trainer")  # whose choices stand for overrides
_OF_WHAT_IS_LEARNT = ("embeddings", "encoder", "decoder", "optim", "data", "init_from")
_TOLD = 4
_FILE_FORMATS = {"columns": "conll"}  # presets for one's own files are called as their format, but for this

Settings = Mapping[str, Any]
Flat = dict[str, Any]


def data_name(settings: Settings) -> str:
    """What the data of a run are called: the title, and the domain where the set has several."""
    data = settings["data"]
    return f"{data['title']}/{data['domain']}" if data.get("domain") else str(data["title"])


def overrides_of(settings: Settings) -> tuple[str, ...]:
    """What has to stand on the command line, beside `data=` and places of data, for these settings.

    A choice of a group (`embeddings=tiny`) stands for all that it changes. Seed and folder are left out.

    Args:
        settings: the content of a run's config.yaml.
    """
    different = _difference(_comparable(settings), _comparable(_defaults(*_preset(settings["data"]))))
    chosen: list[str] = []
    for choice, change in _choices():
        if change.items() <= different.items():
            chosen.append(choice)
            different = {key: value for key, value in different.items() if key not in change}
    return (*chosen, *(key if key.startswith("~") else f"{key}={shown(value)}" for key, value in different.items()))


def repeatable(settings: Settings) -> Settings:
    """Settings without those that tell where a run goes and how it begins, but not what it does."""
    return {key: value for key, value in settings.items() if key not in _OF_ONE_PLACE}


def of_every_repetition(settings: Settings) -> Settings:
    """What runs have in common that are repetitions of each other: all but seed and place."""
    return {key: value for key, value in settings.items() if key not in _OF_ONE_RUN}


def told_differences(before: Settings, now: Settings) -> str:
    """The first of the settings with which a run no longer goes on where it was; "" where they are the same."""
    first, second = ({key: each.get(key) for key in _OF_WHAT_IS_LEARNT} for each in (before, now))
    had, has = dict(flat(first)), dict(flat(second))
    names = [name for name in dict.fromkeys((*had, *has)) if had.get(name) != has.get(name)]
    told = [f"{name} was {shown(had.get(name))}, not {shown(has.get(name))}" for name in names[:_TOLD]]
    return ", ".join([*told, f"and {len(names) - _TOLD} more"] if len(names) > _TOLD else told)


def _preset(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The overrides that choose the preset these data were read by."""
    presets = hydra_entry.choices("data")
    title, form = data["title"], data["format"]
    preset = title if title in presets else _FILE_FORMATS.get(form, form)
    domain = (f"data.domain={shown(data['domain'])}",) if data.get("domain") else ()
    return (f"data={preset}", *domain)


@cache
def _defaults(*overrides: str) -> Settings:
    return hydra_entry.compose("train", overrides)


@cache
def _choices() -> tuple[tuple[str, Flat], ...]:
    """Choices of groups as overrides, with the settings that each changes, those that change most first."""
    default = _comparable(_defaults())
    names = [f"{group}={name}" for group in _GROUPS for name in hydra_entry.choices(group)]
    changes = [(name, _difference(_comparable(_defaults(name)), default)) for name in names]
    return tuple(sorted(((name, change) for name, change in changes if change), key=lambda item: -len(item[1])))


def _comparable(settings: Settings) -> Flat:
    """Settings of every repetition by dotted name, places of data left out."""
    data = {key: value for key, value in settings["data"].items() if key not in _PLACES}
    return dict(flat({**of_every_repetition(settings), "data": data}))


def flat(settings: Settings, prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Settings by dotted name; an empty mapping is one."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _difference(settings: Flat, default: Flat) -> Flat:
    """Settings that the default has otherwise, by name; behind `+` those it has not, behind `~` those only it has."""
    different: Flat = {}
    for key, value in settings.items():
        if key not in default:
            different[key if _has_relative(key, default) else f"+{key}"] = value
        elif default[key] != value:
            different[key] = value
    gone = [key for key in default.keys() - settings.keys() if not _has_relative(key, settings)]
    return dict(sorted({**different, **{f"~{key}": None for key in gone}}.items()))


def _has_relative(key: str, others: Flat) -> bool:
    """Whether a part of `key`, or a whole that it is a part of, is among the others, as where an entry is null."""
    return any(f"{key}.".startswith(f"{other}.") or other.startswith(f"{key}.") for other in others)


def shown(value: Any) -> str:
    """A value as Hydra reads it."""
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{shown(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(shown, value))}]"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)
