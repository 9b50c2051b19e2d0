"""What Hydra raises, told in a line with what to do."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Sequence

from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

_NOT_THERE = re.compile(r"Could not override '([^']*)'")
_NO_CHOICE = re.compile(
    r"Could not find '([^'/]+)/([^']+)'\s+Available options in '[^']*':((?:\s+\S+)*?)\s+Config search path"
)
_LIST_OR_TEXT = re.compile(r"Ambiguous value for argument '(.*)'\n")


def reason(error: Exception, names: Callable[[], Sequence[str]] = list) -> str:
    """The message of whatever Hydra raised, which may have many lines, in one, with what to do.

    Args:
        error: what was raised.
        names: gives those of all settings there are, of which a misspelt one may stand for another.
    """
    message = str(error)
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        place = error.filename or "the working folder"
        return f"{place}: cannot write: {error.strerror or error}; set run_dir to a folder that can be written"
    if unknown := _NOT_THERE.search(message):
        close = _closest(unknown[1], names())
        hint = f"did you mean {close}?" if close else "look for the name in conf/"
        return f"{unknown[1]}: no such setting; {hint} (--cfg job shows all that can be set)"
    if choice := _NO_CHOICE.search(message):
        group, name, choices = choice.groups()
        hint = "".join(f"did you mean {close}? " for close in difflib.get_close_matches(name, choices.split(), n=1))
        return f"{group}={name}: no such choice; {hint}there are {', '.join(choices.split())}"
    if several := _LIST_OR_TEXT.search(message):
        return f"{several[1]}: several values; add -m to run each, or quote a text: {_quoted(several[1])}"
    if isinstance(error, OverrideParseException):
        if "=" not in error.override:
            return f"{error.override}: cannot be read; expected KEY=VALUE, as in seed=1"
        return f"{error.override}: cannot be read; quote the value: {_quoted(error.override)}"
    if isinstance(error, (HydraException, OmegaConfBaseException)):
        return " ".join(message.split())
    return f"{' '.join(message.split())}; check the command line (--help shows groups and settings)"


def _closest(unknown: str, names: Sequence[str]) -> str:
    """The name written most alike, or the one that ends with it; "" where there is none."""
    ending = [name for name in names if name.endswith(f".{unknown}")]
    return next(iter(ending if len(ending) == 1 else difflib.get_close_matches(unknown, names, n=1)), "")


def _quoted(override: str) -> str:
    """A `KEY=VALUE` for the shell whose value Hydra takes as text, whatever stands in it."""
    key, _, value = override.partition("=")
    return shlex.quote(as_text(key, value))


def as_text(key: str, value: str) -> str:
    """A `KEY=VALUE` whose value Hydra takes as text, whatever stands in it."""
    escaped = value.replace('"', '\\"')
    return f'{key}="{escaped}"'
