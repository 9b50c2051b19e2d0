"""The one error for a user's mistakes, and helpers that turn other errors into it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tagger.printable import in_a_line

DISTRIBUTION = "gru-tagger"  # the package's name on the index, where `tagger` is another project
LONGEST_REASON = 200  # characters of a library's message
_LONGEST = 2000  # characters; the middle of a longer message is left out
_TAIL = 500


class UserError(Exception):
    """Something the user can put right: bad input, a wrong setting, a missing extra.

    The message is one line: where, what was expected, what came, and what to do. Entry points print it without a
    traceback and exit with code 2. Control characters become pictures of them. Messages end at some 2,000 characters.

    >>> import tagger
    >>> try:
    ...     tagger.load("no/such/folder")
    ... except tagger.UserError as error:
    ...     print(str(error).partition(":")[0])
    no/such/folder
    """

    def __init__(self, message: str) -> None:
        line = in_a_line(" ".join(message.split()))  # what files hold must not steer a terminal
        if len(line) > _LONGEST:
            line = f"{line[: _LONGEST - _TAIL]} … {line[-_TAIL:]}"
        super().__init__(line)


def install_command(extra: str) -> str:
    """Return the shell command that installs this package with an extra."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def reason_of(error: Exception) -> str:
    """Return the message of a library's error in one line."""
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def library_failures_told(place: object, problem: str, advice: str) -> Iterator[None]:
    """Turn any error into a `UserError`, around a library that passes on errors of the layers below it.

    The message has `place`, `problem`, the library's reason, and `advice` on what to do.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{place}: {problem}: {reason_of(error)[:LONGEST_REASON]}; {advice}") from error


@contextmanager
def extra_needed(extra: str, program: str) -> Iterator[None]:
    """Name the extra to install, and exit with code 2, if an import of `program` in the block fails."""
    try:
        yield
    except (UserError, ModuleNotFoundError) as error:
        if isinstance(error, ModuleNotFoundError) and (error.name or "tagger").partition(".")[0] == "tagger":
            raise
        line = f"{program}: needs the extra `{extra}`; install it: {install_command(extra)}"
        print(line, file=sys.stderr)
        raise SystemExit(2) from None
