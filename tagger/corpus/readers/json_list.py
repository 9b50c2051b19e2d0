"""Read files that are one value in JSON, such as a list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tagger.corpus.readers.account import open_bytes, refuse_packed
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
    found = read_json(path, advice)
    if not isinstance(found, list):
        raise UserError(f"{path}: expected a list of {elements}, found {type(found).__name__}; {advice}")
    return found


def read_json(path: Path, advice: str) -> Any:
    """Read a value. The whole file is held in memory. Arguments and errors are those of `read_json_list`."""
    with open_bytes(path) as stream:
        try:
            content = stream.read()
            refuse_packed(content, str(path))
            return json.loads(content.decode("utf-8-sig"))
        except RecursionError:
            raise UserError(f"{path}: nested too deeply; {advice}") from None
        except ValueError as error:
            raise UserError(f"{path}: no JSON: {error}; {advice}") from None
        except OSError as error:
            raise UserError(f"{path}: cannot read: {error.strerror or error}; check the path") from error
