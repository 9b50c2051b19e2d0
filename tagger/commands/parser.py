"""The parser that the commands with plain options share."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter


def command_parser(name: str, description: str | None) -> ArgumentParser:
    """Return a parser without options.

    Args:
        name: of the command.
        description: printed by `--help` as it is, usually the docstring of the command's module.
    """
    return ArgumentParser(
        prog=f"tagger {name}",
        description=description,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def whole_number(text: str) -> int:
    """Read an option's whole number, at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)
