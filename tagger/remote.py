"""Files at addresses such as `s3://` and `gs://`, through fsspec where it is installed."""

from __future__ import annotations

import re
from pathlib import Path

from tagger.errors import UserError, library_failures_told

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


def is_remote(name: str) -> bool:
    """Return whether a name is an address rather than a path."""
    return _ADDRESS.match(name) is not None


def fetched(address: str) -> list[Path]:
    """Copy the files at an address, which may be a pattern, to this machine; return where they are.

    The copies are in the system's folder for temporary files until the process ends.

    Raises:
        UserError: fsspec or what it needs for this kind of address is not installed, or the files cannot be read.
    """
    match = _ADDRESS.match(address)
    assert match is not None
    try:
        import fsspec
    except ImportError:
        raise UserError(
            f"{address}: addresses need fsspec; pip install fsspec, with the package for {match[1]}, or copy the file"
        ) from None
    advice = f"check the address, and that fsspec's package for {match[1]} is installed"
    with library_failures_told(address, "cannot read", advice):
        found = fsspec.open_local(f"simplecache::{address}", mode="rb")
    paths = [Path(one) for one in ([found] if isinstance(found, str) else found)]
    if not paths:
        raise UserError(f"{address}: no file matches this pattern; check it")
    return paths
