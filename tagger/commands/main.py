"""The `tagger` command of an installed package: `tagger train|evaluate|tag`, the same as the three scripts."""

from __future__ import annotations

import sys
from importlib import import_module

_USAGE = "usage: tagger train|evaluate|tag [OPTION …]; `tagger COMMAND --help` says more"


def main() -> int:
    """Entry point; returns the exit code."""
    command, arguments = sys.argv[1:2], sys.argv[2:]
    if command in (["-h"], ["--help"]):
        print(_USAGE)
        return 0
    if not command or command[0] not in ("train", "evaluate", "tag"):
        print(_USAGE, file=sys.stderr)
        return 2
    return int(import_module(f"tagger.commands.{command[0]}").main(arguments))
