"""Express the settings of a run as overrides of the defaults in `conf/`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from tagger.commands.hydra import hydra_entry

_LOCATIONS = ("run_dir", "resume", "latest")  # of a run
_OF_ONE_RUN = ("seed", "report", *_LOCATIONS)
_DATA_LOCATIONS = ("dir", "bundled", "path", "train", "dev", "test")  # the content has a digest of its own
# a choice of one of these groups replaces many overrides
_GROUPS = ("experiment", "embeddings", "encoder", "decoder", "optim", "trainer")
_SHAPING = ("embeddings", "encoder", "decoder", "optim", "data", "distill", "init_from")
_MOST_DIFFERENCES = 4
_FILE_FORMATS = {"columns": "conll"}  # presets for own files have the name of their format, except this one

Settings = Mapping[str, Any]
Flat = dict[str, Any]


def data_name(settings: Settings) -> str:
    """Name the data of a run: the title, and the domain if the set has several."""
    data = settings["data"]
    return f"{data['title']}/{data['domain']}" if data.get("domain") else str(data["title"])


def overrides_of(settings: Settings) -> tuple[str, ...]:
    """Return the overrides that make these settings, besides `data=` and the locations of data.

    A choice of a group (`embeddings=tiny`) replaces the overrides that it makes. Seed and folder are left out.

    Args:
        settings: the content of a run's config.yaml.
    """
    default = _defaults(*_preset(settings["data"]))
    different = _difference(*map(_comparable, _with_comparable_sources(settings, default)))
    chosen: list[str] = []
    for choice, change in _choices():
        if change.items() <= different.items():
            chosen.append(choice)
            different = {key: value for key, value in different.items() if key not in change}
    return (*chosen, *(_as_override(key, value) for key, value in different.items()))


def _as_override(key: str, value: Any) -> str:
    if key.startswith("~"):
        return key
    sign = "++" if key.startswith("data.sources.") else ""  # a preset need not name all settings of a source
    return f"{sign}{key}={shown(value)}"


def _with_comparable_sources(settings: Settings, default: Settings) -> tuple[Settings, Settings]:
    """Return both settings. Equally many sources of data are compared by number, others as short as possible."""
    own, usual = (each["data"].get("sources") for each in (settings, default))
    if isinstance(own, list) and isinstance(usual, list) and len(own) != len(usual):
        return {**settings, "data": {**settings["data"], "sources": tuple(map(hydra_entry.short_source, own))}}, default
    return settings, default


def repeatable(settings: Settings) -> Settings:
    """Return the settings without those that only say where a run is written and whether it resumes."""
    return {key: value for key, value in settings.items() if key not in _LOCATIONS}


def of_every_repetition(settings: Settings) -> Settings:
    """Return the settings that repetitions of a run share: all but seed and location."""
    return {key: value for key, value in settings.items() if key not in _OF_ONE_RUN}


def describe_differences(before: Settings, now: Settings) -> str:
    """Name the first settings that keep a run from being resumed; "" if there are none."""
    first, second = ({key: _sources_by_number(each.get(key)) for key in _SHAPING} for each in (before, now))
    had, has = dict(flat(first)), dict(flat(second))
    names = [name for name in dict.fromkeys((*had, *has)) if had.get(name) != has.get(name)]
    parts = [f"{name} was {shown(had.get(name))}, not {shown(has.get(name))}" for name in names[:_MOST_DIFFERENCES]]
    return ", ".join(
        [*parts, f"and {len(names) - _MOST_DIFFERENCES} more"] if len(names) > _MOST_DIFFERENCES else parts
    )


def _preset(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the overrides that choose the preset of these data."""
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
    """Return choices of groups as overrides, each with the settings it changes, the largest change first."""
    default = _comparable(_defaults())
    names = [f"{group}={name}" for group in _GROUPS for name in hydra_entry.choices(group)]
    changes = [(name, _difference(_comparable(_defaults(name)), default)) for name in names]
    return tuple(sorted(((name, change) for name, change in changes if change), key=lambda item: -len(item[1])))


def _comparable(settings: Settings) -> Flat:
    """Return the settings that repetitions share, by dotted name, without locations of data."""
    data = {key: value for key, value in settings["data"].items() if key not in _DATA_LOCATIONS}
    return dict(flat({**of_every_repetition(settings), "data": _sources_by_number(data)}))


def _sources_by_number(group: Any) -> Any:
    """Return a group of settings, with the sources of a mix by number, as overrides name them."""
    if not isinstance(group, Mapping) or not isinstance(group.get("sources"), list):
        return group
    sources = {str(number): source for number, source in enumerate(group["sources"])}
    return {**group, "sources": sources}


def flat(settings: Settings, prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Yield settings by dotted name; an empty mapping counts as a value."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _difference(settings: Flat, default: Flat) -> Flat:
    """Return the settings that differ from the default; `+` marks new ones, `~` those only the default has."""
    different: Flat = {}
    for key, value in settings.items():
        if key not in default:
            different[key if _has_relative(key, default) else f"+{key}"] = value
        elif default[key] != value:
            different[key] = value
    gone = [key for key in default.keys() - settings.keys() if not _has_relative(key, settings) and _may_go(key)]
    return dict(sorted({**different, **{f"~{key}": None for key in gone}}.items()))


def _may_go(key: str) -> bool:
    """Return whether a command line can remove a setting. Runs of earlier versions lack others, which are newer."""
    return key.startswith("optim.optimizer.") or not key.startswith(("data.", "distill.", "optim."))


def _has_relative(key: str, others: Flat) -> bool:
    """Return whether an entry inside `key`, or around it, is among the others, as when an entry is null."""
    return any(f"{key}.".startswith(f"{other}.") or other.startswith(f"{key}.") for other in others)


def shown(value: Any) -> str:
    """Write a value as Hydra reads it."""
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{shown(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(shown, value))}]"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)
