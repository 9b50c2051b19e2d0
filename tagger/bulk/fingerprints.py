"""What a file was when it was read or written: its size and SHA-256, taken along as the bytes go through."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

_AT_ONCE = 1 << 18


class Fingerprint(NamedTuple):
    """So many bytes, and their SHA-256 in hexadecimal."""

    size: int
    sha256: str


class Digest:
    """The fingerprint of bytes that come one after another."""

    def __init__(self) -> None:
        self._size, self._hash = 0, hashlib.sha256()

    def update(self, data: bytes | memoryview) -> None:
        """Take in the next bytes."""
        self._size += len(data)
        self._hash.update(data)

    @property
    def size(self) -> int:
        """How many there were so far."""
        return self._size

    @property
    def fingerprint(self) -> Fingerprint:
        """Of all so far."""
        return Fingerprint(self._size, self._hash.hexdigest())


def digest_of(path: Path, size: int | None = None) -> Digest:
    """The digest of a file, or of so many bytes at its beginning. Raises OSError where it cannot be read."""
    digest = Digest()
    with path.open("rb", buffering=0) as stream:
        left = os.fstat(stream.fileno()).st_size if size is None else size
        while left > 0 and (data := stream.read(min(left, _AT_ONCE))):
            digest.update(data)
            left -= len(data)
    return digest


def has_fingerprint(path: Path, expected: Fingerprint, *, begins: bool = False) -> bool:
    """Whether a file is there and is what a fingerprint was taken of, or with `begins` begins with that."""
    try:
        size = path.stat().st_size
        if size < expected.size or (size > expected.size and not begins):
            return False
        return digest_of(path, expected.size).fingerprint == expected
    except OSError:
        return False


class Watched(io.RawIOBase):
    """A file's bytes; reading raises OSError where it has become shorter than it was."""

    def __init__(self, file: IO[bytes], digest: Digest | None = None) -> None:
        """
        Args:
            file: is closed with this.
            digest: takes in what is read.
        """
        self._file, self._digest = file, digest
        self._read, self._expected = 0, os.fstat(file.fileno()).st_size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read on; see `Watched`."""
        count = int(self._file.readinto(buffer))  # type: ignore[attr-defined]
        self._read += count
        if not count and self._read < self._expected:
            raise OSError(f"became shorter while it was read ({self._read:,} of {self._expected:,} bytes are left)")
        if self._digest is not None:
            self._digest.update(memoryview(buffer)[:count])
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def digested_lines(stream: IO[bytes], digest: Digest) -> Iterator[bytes]:
    """The lines of a stream; a digest takes in each before it is given."""
    for line in stream:
        digest.update(line)
        yield line
