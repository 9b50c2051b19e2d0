"""Decompress input (`.gz`, `.zst`). The only module that imports zstandard."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import PurePath
from typing import IO, Any

from tagger.errors import UserError, install_command

_GZIP, _ZSTD = ".gz", ".zst"
COMPRESSED = (_GZIP, _ZSTD)
_AT_ONCE = 1 << 10  # compressed bytes; a kilobyte of Zstandard gives 32 megabytes at the most


def compression_of(path: PurePath) -> str:
    """Return the suffix of a compressed file, `.gz` or `.zst`; an empty string for other files."""
    suffix = path.suffix.lower()
    return suffix if suffix in COMPRESSED else ""


def decompressed(stream: IO[bytes], compression: str) -> IO[bytes]:
    """Decompress a stream lazily, in constant memory. Several compressed parts in a row are one.

    Reading raises OSError where the data is damaged, cut off, or not so compressed. Closing it closes `stream`.

    Args:
        stream: compressed bytes.
        compression: of `compression_of`; for an empty string the stream itself is returned.

    Raises:
        UserError: zstandard is not installed.
    """
    if not compression:
        return stream
    return io.BufferedReader(_Gzip(stream) if compression == _GZIP else _Zstd(stream), 1 << 16)


class _Raw(io.RawIOBase):
    """A readable stream that closes the one below it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Gzip(_Raw):
    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream)
        self._inside = gzip.GzipFile(fileobj=stream)

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._inside.read1(len(buffer))
        except EOFError:
            raise OSError(f"gzip data cut off after {self._inside.tell():,} bytes of content") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise OSError(f"damaged gzip data after {self._inside.tell():,} bytes of content ({error})") from error
        buffer[: len(data)] = data
        return len(data)


class _Zstd(_Raw):
    """Reads frame by frame: zstandard's own reader takes the end of the input for the end of a frame."""

    def __init__(self, stream: IO[bytes]) -> None:
        try:
            import zstandard
        except ImportError:
            raise UserError(f".zst files need zstandard; install the extra: {install_command('corpus')}") from None
        super().__init__(stream)
        self._library = zstandard
        self._frame: Any = None
        self._given = 0
        self._ready = memoryview(b"")

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            if not self._decompress():
                return 0
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        self._given += count
        return count

    def _decompress(self) -> bool:
        """Decompress the next bytes. Returns false at the end."""
        left = self._frame.unused_data if self._frame and self._frame.eof else b""
        data = left or self._stream.read(_AT_ONCE)
        if not data:
            if self._frame and not self._frame.eof:
                raise OSError(f"Zstandard data cut off after {self._given:,} bytes of content")
            return False
        if not self._frame or self._frame.eof:
            self._frame = self._library.ZstdDecompressor().decompressobj()
        try:
            self._ready = memoryview(self._frame.decompress(data))
        except self._library.ZstdError as error:
            message = f"damaged Zstandard data after {self._given:,} bytes of content ({error})"
            raise OSError(message) from error
        return True
