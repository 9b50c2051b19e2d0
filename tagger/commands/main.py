"""The commands by name: what the three scripts call, and the `tagger` command of an installed package."""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module

import tagger

VERSION = f"tagger {tagger.__version__}"
_USAGE = "usage: tagger train|evaluate|tag [OPTION …]; `tagger COMMAND --help` says more"
_INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C ended


def main() -> int:
    """Entry point of `tagger`; returns the exit code."""
    command, arguments = sys.argv[1:2], sys.argv[2:]
    if command in (["-h"], ["--help"]):
        print(_USAGE)
        return 0
    if command == ["--version"]:
        print(VERSION)
        return 0
    if not command or command[0] not in ("train", "evaluate", "tag"):
        print(_USAGE, file=sys.stderr)
        return 2
    return run_command(command[0], arguments)


def run_command(name: str, arguments: list[str] | None = None) -> int:
    """Import and run `train`, `evaluate` or `tag`; returns the exit code.

    Args:
        name: of the command.
        arguments: its command line; None takes the program's own.
    """
    if name != "tag" and "--version" in (sys.argv[1:] if arguments is None else arguments):  # it would be Hydra's
        print(VERSION)
        return 0
    try:
        return int(import_module(f"tagger.commands.{name}").main(arguments))
    except KeyboardInterrupt:  # during the imports, which take seconds
        with contextlib.suppress(OSError):
            print(f"{name}.py: stopped by Ctrl-C", file=sys.stderr)
        return _INTERRUPTED
    except ModuleNotFoundError as error:
        if (error.name or "tagger").split(".")[0] == "tagger":
            raise
        print(
            f"{name}.py: {error.name} is not installed in this environment ({sys.executable}); activate the one that "
            "`make train` made (. .venv/bin/activate), or pip install .",
            file=sys.stderr,
        )
        return 2
