"""The one error a user's mistake raises."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tagger.printable import in_a_line

_LONGEST = 2000  # characters; of a longer message the middle is left out
_TAIL = 500
_LONGEST_REASON = 200  # characters of what a library says


class UserError(Exception):
    """Something the user can put right: bad input, a wrong setting, a missing extra.

    The message is one line: where, what was expected, what came, and what to do. Entry points print it without a
    traceback and exit with code 2. Control characters in it become pictures, and it never has more than some 2,000
    characters.
    """

    def __init__(self, message: str) -> None:
        line = in_a_line(" ".join(message.split()))  # what files hold must not steer a terminal
        if len(line) > _LONGEST:
            line = f"{line[: _LONGEST - _TAIL]} … {line[-_TAIL:]}"
        super().__init__(line)


def reason_of(error: Exception) -> str:
    """What an error of a library says, in a line."""
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def library_failures_told(place: object, problem: str, advice: str) -> Iterator[None]:
    """Tell in a line whatever a library raises that passes on what the layers below it raise.

    Args:
        place, problem, advice: where, what and what to do; the library's reason goes before the last.

    Raises:
        UserError: anything was raised.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{place}: {problem}: {reason_of(error)[:_LONGEST_REASON]}; {advice}") from error


@contextmanager
def extra_needed(extra: str, program: str) -> Iterator[None]:
    """Around a script's imports: where a package is not installed, a line names the extra that brings it, exit code 2.

    Args:
        extra: its name.
        program: the script's.
    """
    try:
        yield
    except (UserError, ModuleNotFoundError) as error:
        if isinstance(error, ModuleNotFoundError) and (error.name or "tagger").partition(".")[0] == "tagger":
            raise
        line = f"{program}: needs the extra `{extra}`; install it: pip install 'tagger[{extra}]'"
        print(line, file=sys.stderr)
        raise SystemExit(2) from None
