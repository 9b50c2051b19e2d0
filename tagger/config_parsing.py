"""Build configuration dataclasses from nested mappings, and check their values."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from tagger.errors import UserError

T = TypeVar("T")


def from_mapping(kind: type[T], mapping: Mapping[str, Any], where: str = "") -> T:
    """Build a configuration dataclass from nested mappings. Check every key and type.

    Args:
        kind: the dataclass. One with a `SHORT` also takes a text, as the value of the field that `SHORT` names.
        mapping: values by field name. Missing fields take their defaults.
        where: dotted path of `mapping`, for error messages.

    Raises:
        UserError: an unknown key or a value of the wrong type, by its dotted name.
    """
    if not isinstance(mapping, Mapping):
        raise UserError(f"{where or 'config'}: expected a mapping, got {mapping!r}")
    hints = typing.get_type_hints(kind)
    known = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
    for key in mapping:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise UserError(f"{_join(where, str(key))}: no such setting; {hint}")
    missing = [
        name
        for name, entry in known.items()
        if name not in mapping and entry.default is MISSING and entry.default_factory is MISSING
    ]
    if missing:
        raise UserError(f"{_join(where, missing[0])}: missing; set it")
    return kind(**{key: _checked(hints[key], value, _join(where, str(key))) for key, value in mapping.items()})


def _checked(hint: Any, value: Any, where: str) -> Any:
    """Convert a value to its annotated type: lists to tuples, and whole numbers to floats where `hint` is float."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        alternatives = [argument for argument in arguments if argument is not type(None)]
        return _checked_any(alternatives, value, where)
    if origin is Literal:
        if value not in arguments:
            raise UserError(f"{where}: {value!r} is not one of {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise UserError(f"{where}: expected a list, got {value!r}")
        return tuple(_checked(arguments[0], element, f"{where}[{index}]") for index, element in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise UserError(f"{where}: expected a mapping, got {value!r}")
        of_key, of_value = arguments
        return {
            _checked(of_key, key, f"{where}: name"): _checked(of_value, element, _join(where, str(key)))
            for key, element in value.items()
        }
    if isinstance(value, str) and hasattr(hint, "SHORT"):
        value = {hint.SHORT: value}
    if is_dataclass(hint):
        return from_mapping(typing.cast(type, hint), value, where)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise UserError(f"{where}: {value} is too large") from None
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise UserError(f"{where}: expected {hint.__name__}, got {value!r}{_quoting([hint], value, where)}")
    return value


def _checked_any(hints: list[Any], value: Any, where: str) -> Any:
    """Convert a value to the first of several types that it fits. Errors in a list name the element."""
    lists = [hint for hint in hints if typing.get_origin(hint) is tuple]
    if len(hints) == 1 or (lists and isinstance(value, (list, tuple))):
        return _checked((lists or hints)[0], value, where)
    for hint in hints:
        try:
            return _checked(hint, value, where)
        except UserError:
            continue
    names = ["a list" if hint in lists else hint.__name__ for hint in hints]
    raise UserError(f"{where}: expected {' or '.join(names)}, got {value!r}{_quoting(hints, value, where)}")


def _quoting(hints: list[Any], value: Any, where: str) -> str:
    """Advise to quote a number where text is expected."""
    fits = isinstance(value, (int, float)) and (str in hints or Path in hints)
    return f"; quote it: '{where}=\"{value}\"'" if fits else ""


def check_ranges(config: Any, where: str) -> None:
    """Check the numbers of a configuration: sizes are positive, dropouts and probabilities lie in [0, 1).

    Raises:
        UserError: a number does not, by its dotted name.
    """
    for entry in fields(config):
        value, name = getattr(config, entry.name), _join(where, entry.name)
        if is_dataclass(value):
            check_ranges(value, name)
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            for index, element in enumerate(value):
                check_ranges(element, f"{name}[{index}]")
        elif isinstance(value, float) and not 0 <= value < 1 and entry.name != "unk_probability":
            raise UserError(f"{name}: must lie in [0, 1), not {value}")
        elif isinstance(value, float) and not 0 <= value <= 1:
            raise UserError(f"{name}: must lie in [0, 1], not {value}")
        elif isinstance(value, int) and not isinstance(value, bool) and value < 1:
            raise UserError(f"{name}: must be at least 1, not {value}")
        elif value == ():
            raise UserError(f"{name}: must be one or more, not an empty list")
        elif isinstance(value, tuple) and min(value) < 1:
            raise UserError(f"{name}: must be whole numbers from 1, not {list(value)}")


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
