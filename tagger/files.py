"""Write files whole or not at all, lock folders, and find those that come with the package."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from tagger.errors import UserError

_WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)  # errors of such file systems


def shipped_folder(name: str) -> Path:
    """Return the folder `conf` or `data`: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    return package / name if (package / name).is_dir() else package.parent / name


def expanded(path: str) -> Path:
    """Return the path with a leading `~` or `~USER` replaced by that home folder.

    Raises:
        UserError: no home folder is known.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{path}: no home folder is known for {Path(path).parts[0]}; give the full path") from None


def cache_folder() -> Path:
    """Return `$TAGGER_CACHE`, else `tagger/` in the user's folder for caches, else a private temporary folder.

    The last is for users without a home folder, such as unknown user ids in containers.
    """
    if chosen := os.environ.get("TAGGER_CACHE"):
        return Path(chosen)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tagger"
    except RuntimeError:
        return _private_temporary_folder()


@cache
def _private_temporary_folder() -> Path:
    """Return a folder that only this user can use; if none can be made, an unusable path.

    It is the same in every process of a user, except on Windows, which has no user ids.
    """
    try:
        if not hasattr(os, "getuid"):
            return Path(tempfile.mkdtemp(prefix="tagger-"))
        folder = Path(tempfile.gettempdir()) / f"tagger-{os.getuid()}"
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
        private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
        return folder if private else Path(tempfile.mkdtemp(prefix="tagger-"))
    except OSError:
        return Path(os.devnull) / "tagger"


def written_whole(path: Path) -> AbstractContextManager[IO[str]]:
    """Open `path` for UTF-8 text that appears under its name only when the block ends without an error.

    Parent folders are made. The text goes to a temporary file beside `path`, which is renamed at the end. After an
    error the temporary file is removed, and an older file of that name is unchanged.

    Raises:
        UserError: the folder or the file cannot be written.
    """
    return _written_whole(path, mode="w", encoding="utf-8", newline="\n")


def bytes_written_whole(path: Path) -> AbstractContextManager[IO[bytes]]:
    """Open `path` for bytes; otherwise as `written_whole`."""
    return _written_whole(path, mode="wb")


@contextmanager
def folder_written_whole(folder: Path) -> Iterator[Path]:
    """Yield a new folder that gets the name `folder` when the block ends without an error.

    Parent folders are made. An older folder of that name is replaced; after an error it is unchanged.

    Raises:
        OSError: a folder cannot be made or renamed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        new, old = Path(temporary) / "new", Path(temporary) / "old"
        new.mkdir()
        yield new
        try:
            if folder.exists():
                folder.rename(old)
            new.rename(folder)
        finally:
            if old.exists() and not folder.exists():
                old.rename(folder)  # renaming the new one failed


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def lock_folder(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a folder against other processes, as long as the block or this process lasts.

    On a file system without locks nothing is held.

    Args:
        folder: must exist.
        wait: wait until no other process holds it.

    Raises:
        UserError: another process holds it, and `wait` is false; or it cannot be written.
    """
    from filelock import FileLock, Timeout  # here, as its import takes longer than the rest of this module

    path = folder / ".lock"
    lock = FileLock(path, timeout=-1 if wait else 0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"{folder}: another process works in it; wait until it has ended, or end it") from None
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise UserError(f"{folder}: cannot write: {error.strerror or error}; choose another folder") from error
    try:
        yield
    finally:
        with suppress(OSError):  # before the release: another process that opened the file then sees that it is gone
            path.unlink()
        lock.release()


def let_go_of_output(*, flush: bool) -> None:
    """Leave nothing for Python to write at exit, where a failure would print a traceback.

    `flush` writes what is buffered now. Otherwise, or if that fails, it is dropped.
    """
    if sys.stdout is None:
        return
    try:
        if flush:
            sys.stdout.flush()
            return
    except OSError:
        pass
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _written_whole(path: Path, **how: Any) -> Iterator[IO[Any]]:
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".part")
        temporary = Path(name)
        with os.fdopen(descriptor, **how) as stream:
            yield stream
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
