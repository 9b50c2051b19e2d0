"""Complete the sources of a mix of data sets by their presets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tagger.errors import UserError

_OWN = {"preset": "base", "weight": 1.0, "splits": None}  # what a source has besides the settings of a data set


def with_presets(
    settings: Mapping[str, Any], complete: Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a command's settings, with all settings of its preset in each source of the data.

    Completing them again changes nothing. If the data have no language, they get that of all sources, if it is one.

    Args:
        settings: of a command. Without sources of data they do not change.
        complete: composes a preset of `conf/data/`, given its name and the settings to override.

    Raises:
        UserError: a preset or a setting is unknown.
    """
    data = settings.get("data")
    if not isinstance(data, Mapping) or not isinstance(data.get("sources"), list):
        return dict(settings)
    sources = []
    for number, source in enumerate(data["sources"]):
        if not isinstance(source, Mapping):
            raise UserError(f"data.sources[{number}]: expected settings, as in {{preset: wnut17}}, got {source!r}")
        own = {**_OWN, **{key: source[key] for key in _OWN if key in source}}
        given = {key: value for key, value in source.items() if key not in _OWN}
        try:
            sources.append({**own, **complete(str(own["preset"]), given)})
        except UserError as error:
            raise UserError(f"data.sources[{number}] ({own['preset']}): {error}") from None
    languages = {source["language"] for source in sources}
    common = languages.pop() if len(languages) == 1 else None
    return {**settings, "data": {**data, "language": data.get("language") or common, "sources": sources}}


def without_presets(
    source: Mapping[str, Any], complete: Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a source with its preset and the settings that differ from it: the shortest way to write it.

    Args:
        source: with all settings.
        complete: as in `with_presets`.
    """
    domain = {"domain": source["domain"]} if source.get("domain") else {}
    usual = {**_OWN, **complete(source["preset"], domain)}
    different = {key: value for key, value in source.items() if key not in usual or usual[key] != value}
    return {"preset": source["preset"], **domain, **different}
