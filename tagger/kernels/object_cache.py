"""Machine code on the disk: named after what it depends on and after itself, so that what is damaged is not run."""

from __future__ import annotations

import hashlib
import importlib.util
import platform
from contextlib import suppress
from pathlib import Path

from tagger.files import bytes_written_whole, cache_folder

SUFFIXES = (".so", ".o")  # a shared library, which loads by itself; an object file, which has to be linked
_PROCESSOR = ("model name", "flags", "Features")  # what /proc/cpuinfo says of it that matters
_DIGITS = 16  # of a checksum, in a name


def place() -> Path | None:
    """What the names of machine code begin with here; None without numba."""
    numba = importlib.util.find_spec("numba")
    if numba is None or numba.origin is None:
        return None
    packages = Path(numba.origin).parent.parent
    versions = sorted(path.name for name in ("numba", "llvmlite") for path in packages.glob(f"{name}-*.dist-info"))
    about = "\n".join([*versions, platform.machine(), *_processor()])
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    return cache_folder() / "kernels" / hashlib.sha256(b"".join([*sources, about.encode()])).hexdigest()


def found(place: Path) -> Path | None:
    """The code that is kept there; what is not as it was written is removed."""
    for suffix in SUFFIXES:
        for path in place.parent.glob(f"{place.name}-*{suffix}"):
            with suppress(OSError):
                if path.stem == f"{place.name}-{_checksum(path.read_bytes())}":
                    return path
                path.unlink()
    return None


def keep(code: Path, place: Path) -> None:
    """Write it for the next time; several processes may.

    Raises:
        UserError: it cannot be written.
    """
    content = code.read_bytes()
    with bytes_written_whole(place.with_name(f"{place.name}-{_checksum(content)}{code.suffix}")) as stream:
        stream.write(content)


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def _processor() -> list[str]:
    """What tells this processor from another that the machine code may not run on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return [platform.processor()]
    return sorted({line for line in lines if line.startswith(_PROCESSOR)})
