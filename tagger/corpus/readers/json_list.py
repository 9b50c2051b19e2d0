"""Read a file that is one list in JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tagger.corpus.readers.account import open_bytes
from tagger.errors import UserError


def read_json_list(path: Path, elements: str, advice: str) -> list[Any]:
    """Read a list. The whole file is held in memory.

    Args:
        path: the file.
        elements: what the list holds, for messages.
        advice: what to do if the file is something else.

    Raises:
        UserError: the file cannot be read, or is not a JSON list.
    """
    with open_bytes(path) as stream:
        try:
            found = json.loads(stream.read().decode("utf-8-sig"))
        except RecursionError:
            raise UserError(f"{path}: nested too deeply; {advice}") from None
        except ValueError as error:
            raise UserError(f"{path}: no JSON: {error}; {advice}") from None
        except OSError as error:
            raise UserError(f"{path}: cannot read: {error.strerror or error}; check the path") from error
    if not isinstance(found, list):
        raise UserError(f"{path}: expected a list of {elements}, found {type(found).__name__}; {advice}")
    return found
