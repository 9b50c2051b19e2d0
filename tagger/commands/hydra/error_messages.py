"""Turn Hydra's errors into one line with advice."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import PurePath

from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

_UNKNOWN = re.compile(r"Could not override '([^']*)'")
_UNKNOWN_CHOICE = re.compile(
    r"Could not find '([^'/]+)/([^']+)'\s+Available options in '[^']*':((?:\s+\S+)*?)\s+Config search path"
)
_SEVERAL_VALUES = re.compile(r"Ambiguous value for argument '(.*)'\n")


def reason(error: Exception, names: Callable[[], Sequence[str]] = list) -> str:
    """Return the message of an error that Hydra raised, in one line with advice.

    Args:
        error: what was raised; its message may have many lines.
        names: returns the names of all settings, for the one closest to a misspelt name.
    """
    message = str(error)
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        place = error.filename or "the working folder"
        return f"{place}: cannot write: {error.strerror or error}; set run_dir to a folder that can be written"
    if unknown := _UNKNOWN.search(message):
        close = _closest(unknown[1], names())
        hint = f"did you mean {close}?" if close else "look for the name in conf/"
        return f"{unknown[1]}: no such setting; {hint} (--cfg job shows all that can be set)"
    if choice := _UNKNOWN_CHOICE.search(message):
        group, name, choices = choice.groups()
        if name.endswith((".yaml", ".yml")):
            file = PurePath(name)
            return (
                f"{group}={name}: a name, not a file, is expected; put the file into FOLDER/{group}/ and write "
                f"--config-dir FOLDER {group}={file.stem}"
            )
        hint = "".join(f"did you mean {close}? " for close in difflib.get_close_matches(name, choices.split(), n=1))
        return f"{group}={name}: no such choice; {hint}there are {', '.join(choices.split())}"
    if several := _SEVERAL_VALUES.search(message):
        return f"{several[1]}: several values; add -m to run each, or quote a text: {_quoted(several[1])}"
    if isinstance(error, OverrideParseException):
        if "=" not in error.override:
            return f"{error.override}: cannot be read; expected KEY=VALUE, as in seed=1"
        return f"{error.override}: cannot be read; quote the value: {_quoted(error.override)}"
    if isinstance(error, (HydraException, OmegaConfBaseException)):
        return " ".join(message.split())
    return f"{' '.join(message.split())}; check the command line (--help shows groups and settings)"


def _closest(unknown: str, names: Sequence[str]) -> str:
    """Return the name that ends with the unknown one, or else the most similar one; "" if there is none."""
    ending = [name for name in names if name.endswith(f".{unknown}")]
    return next(iter(ending if len(ending) == 1 else difflib.get_close_matches(unknown, names, n=1)), "")


def _quoted(override: str) -> str:
    """Return `KEY=VALUE` for the shell, quoted so that Hydra takes any value as text."""
    key, _, value = override.partition("=")
    return shlex.quote(as_text(key, value))


def as_text(key: str, value: str) -> str:
    """Return `KEY=VALUE`, quoted so that Hydra takes any value as text."""
    escaped = value.replace('"', '\\"')
    return f'{key}="{escaped}"'
