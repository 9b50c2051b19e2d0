"""Complete the settings that shape a model: from the data, and from a model to start from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tagger.commands.hydra import hydra_entry
from tagger.commands.hydra.overrides import flat, shown
from tagger.config import ModelConfig
from tagger.config_parsing import from_mapping
from tagger.corpus.schemes import Scheme
from tagger.errors import UserError
from tagger.model_folder.folder import ModelFolder
from tagger.model_folder.language_model import LanguageModelFolder

GROUPS = ("embeddings", "encoder", "decoder")
_BY_TAGS = {  # the meaning of null: for tags of entities, for plain tags
    ("characters", "filters"): (50, 100),
    ("affixes", "lengths"): ([2, 3], [1, 2, 3, 4]),
    ("word_dropout",): (0.0, 0.05),
}
_WHEN_OPENED = ("width", "digest", "revision")  # of vectors and encoders; null until they are opened
_OF_LANGUAGE_MODEL = ("embeddings", "encoder")
_NO_SHAPE = ("dropout", "word_dropout", "unk_probability")  # of a language model, a tagger has its own
_MOST_DIFFERENCES = 3

Settings = Mapping[str, Any]


def complete_model(settings: Settings, language: str | None, *, plain: bool) -> ModelConfig:
    """Return the model's settings, completed by the kind of tags and the language of the data.

    Args:
        settings: a run's.
        language: of the data, if known.
        plain: whether the tags are plain, instead of those of entities.
    """
    return _with_settled_vectors(complete_by_tags(settings, plain=plain), language)


def complete_by_tags(settings: Settings, *, plain: bool) -> ModelConfig:
    """Return the model's settings, completed by the kind of tags."""
    embeddings = dict(settings["embeddings"])
    for (*part, name), choices in _BY_TAGS.items():
        holder = embeddings.get(part[0]) if part else embeddings
        if isinstance(holder, dict) and holder.get(name) is None:
            chosen = {**holder, name: choices[plain]}
            embeddings = {**embeddings, part[0]: chosen} if part else chosen
    groups = {"embeddings": embeddings, "encoder": settings["encoder"], "decoder": settings["decoder"]}
    return from_mapping(ModelConfig, groups)


def _with_settled_vectors(model: ModelConfig, language: str | None) -> ModelConfig:
    """Replace `auto` vectors: the bundled ones for English data, none for other languages. No path is no encoder."""
    static, encoder = model.embeddings.static, model.embeddings.transformer
    if encoder and encoder.path is None:
        model = replace(model, embeddings=replace(model.embeddings, transformer=None))
    if static is None:
        return model
    source = static.source
    if source == "auto":
        source = "bundled" if language == "en" else "none"
    chosen = None if source == "none" else replace(static, source=source)
    return replace(model, embeddings=replace(model.embeddings, static=chosen))


def with_model_of_start(settings: Settings, defaults: Settings, given: Collection[str]) -> dict[str, Any]:
    """Return settings whose `embeddings`, `encoder` and `decoder` are those of the model to start from, if any.

    Args:
        settings: a run's.
        defaults: the settings without a command line.
        given: the names on the command line: settings, and groups with a choice.

    Raises:
        UserError: a given setting differs from the model's; or there is no such model.
    """
    if not settings["init_from"]:
        return dict(settings)
    folder = ModelFolder.load(Path(settings["init_from"]))
    plain, language = folder.scheme is Scheme.PLAIN, settings["data"]["language"] or folder.language
    wanted, usual = (complete_model(each, language, plain=plain).to_mapping() for each in (settings, defaults))
    own = folder.config.to_mapping()
    chosen = set(_different(wanted, usual)).union(*(_set_by_choice(group) for group in GROUPS if group in given))
    different = [name for name in _different(wanted, own) if _is_given(name, given, chosen)]
    if different:
        raise UserError(
            f"init_from={settings['init_from']}: embeddings, encoder and decoder are this model's: "
            f"{_listed(different, own, wanted)}; leave these settings out, or train without init_from"
        )
    return {**settings, **own}


def with_shape_of_language_model(settings: Settings, defaults: Settings, given: Collection[str]) -> dict[str, Any]:
    """Return settings whose `embeddings` and `encoder` have the shape of the language model to start from, if any.

    Dropout stays that of the settings, also the replacement of rare words by UNK.

    Args:
        settings: a run's.
        defaults: the settings without a command line.
        given: the names on the command line: settings, and groups with a choice.

    Raises:
        UserError: a given setting differs from the model's; or there is no such model.
    """
    path = settings.get("init_from_lm")
    if not path:
        return dict(settings)
    folder = LanguageModelFolder.load(Path(path))
    language = settings["data"]["language"] or folder.language
    wanted, usual = (complete_model(each, language, plain=False).to_mapping() for each in (settings, defaults))
    own = {name: group for name, group in folder.config.to_mapping().items() if name in _OF_LANGUAGE_MODEL}
    chosen = set(_different(wanted, usual)).union(*(_set_by_choice(group) for group in GROUPS if group in given))
    different = [
        name
        for name in _different({name: wanted[name] for name in own}, own)
        if name.rpartition(".")[2] not in _NO_SHAPE and _is_given(name, given, chosen)
    ]
    if different:
        raise UserError(
            f"init_from_lm={path}: embeddings and encoder have this model's shape: {_listed(different, own, wanted)}; "
            "leave these settings out, or pretrain with them"
        )
    return {**settings, **{name: _with_values(own[name], settings[name], _NO_SHAPE) for name in own}}


def _listed(names: Sequence[str], own: Settings, wanted: Settings) -> str:
    """List settings in which a model and the command line differ, a few of them, with both values."""
    has, asks = dict(flat(own)), dict(flat(wanted))
    return ", ".join(
        f"{name} is {shown(has.get(name))}, not {shown(asks.get(name))}" for name in names[:_MOST_DIFFERENCES]
    )


def _with_values(own: Settings, other: Settings, names: Collection[str]) -> dict[str, Any]:
    """Return nested settings with some values of another, where both have the entry."""
    return {
        name: _with_values(value, other[name], names)
        if isinstance(value, Mapping) and isinstance(other.get(name), Mapping)
        else other[name]
        if name in names and name in other
        else value
        for name, value in own.items()
    }


def _different(one: Settings, other: Settings) -> list[str]:
    """Return the names of settings that differ, without those known only once vectors and encoders are opened."""
    first, second = dict(flat(one)), dict(flat(other))
    names = sorted({*first, *second})
    opened = {name for name in names if name.rpartition(".")[2] in _WHEN_OPENED and first.get(name) is None}
    return [name for name in names if name not in opened and first.get(name) != second.get(name)]


def _set_by_choice(group: str) -> set[str]:
    """Return the names of settings in which a group's choices differ."""
    composed = [hydra_entry.compose("train", [f"{group}={name}"])[group] for name in hydra_entry.choices(group)]
    each = [  # an entry that is off equals one that a choice leaves out
        {name: value or None for name, value in flat(settings, f"{group}.")} for settings in composed
    ]
    return {name for one in each for name in one if any(one[name] != other.get(name) for other in each)}


def _is_given(name: str, given: Collection[str], chosen: Collection[str]) -> bool:
    """Return whether a setting is on the command line, itself or through a choice of its group."""
    if name in chosen and ("experiment" in given or name.partition(".")[0] in given):
        return True
    return any(f"{name}.".startswith(f"{one}.") or one.startswith(f"{name}.") for one in given if one not in GROUPS)
