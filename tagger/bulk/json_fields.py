"""Read a JSON object without changing how its fields are written."""

from __future__ import annotations

import json
import re
from json import decoder
from typing import Any, NoReturn

from tagger.corpus.readers.account import MalformedError
from tagger.corpus.readers.jsonl import remedy

_SPACE = re.compile(r"[ \t\n\r]*")
_SCAN_STRING: Any = vars(decoder)["scanstring"]  # which type stubs leave out


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedError(f"{name} is no JSON; write a number or null")


def _number(text: str) -> int:
    return 0  # the text of numbers is kept, their values are not needed


_DECODER = json.JSONDecoder(parse_int=_number, parse_float=_number, parse_constant=_refuse_constant)


def read_fields(line: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Read an object's fields: their values, and their JSON text.

    Long numbers, numbers such as `1e999`, and escapes therefore come out as they were written.

    Returns:
        By name, the values (numbers are 0), and the text `"name": value`.

    Raises:
        MalformedError: the line is no JSON object, or names a field twice.
    """
    try:
        return _read_object(line, _after_space(line, 0))
    except json.JSONDecodeError as error:
        raise MalformedError(f"no JSON ({error.msg} at column {error.colno}); {remedy(line)}") from error
    except RecursionError:
        raise MalformedError("nested too deeply; write flat records") from None


def _read_object(line: str, position: int) -> tuple[dict[str, Any], dict[str, str]]:
    if line[position : position + 1] != "{":
        raise MalformedError(f"expected a JSON object, found {kind_of(_DECODER.decode(line))}; {remedy(line)}")
    values: dict[str, Any] = {}
    texts: dict[str, str] = {}
    position = _after_space(line, position + 1)
    if line[position : position + 1] != "}":
        while True:
            begin = position
            if line[begin : begin + 1] != '"':
                raise json.JSONDecodeError("Expecting property name enclosed in double quotes", line, begin)
            name, position = _SCAN_STRING(line, begin + 1, True)
            position = _after_space(line, position)
            if line[position : position + 1] != ":":
                raise json.JSONDecodeError("Expecting ':' delimiter", line, position)
            if name in values:
                raise MalformedError(f"field {name!r} occurs twice; leave one out")
            values[name], position = _DECODER.raw_decode(line, _after_space(line, position + 1))
            texts[name] = line[begin:position]
            position = _after_space(line, position)
            if line[position : position + 1] != ",":
                break
            position = _after_space(line, position + 1)
    if line[position : position + 1] != "}":
        raise json.JSONDecodeError("Expecting ',' delimiter", line, position)
    position = _after_space(line, position + 1)
    if position != len(line):
        raise json.JSONDecodeError("Extra data", line, position)
    return values, texts


def kind_of(value: object) -> str:
    """Name the kind of a JSON value."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def _after_space(line: str, position: int) -> int:
    match = _SPACE.match(line, position)
    assert match is not None
    return match.end()
