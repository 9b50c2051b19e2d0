"""A standard output that cannot be written."""

from __future__ import annotations

import io
import os


class FailingOutput(io.RawIOBase):
    """Fails like a full disk or a closed pipe."""

    def __init__(self, number: int) -> None:
        """`number` is that of the error, as `errno` names them."""
        self._number = number

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise OSError(self._number, os.strerror(self._number))
