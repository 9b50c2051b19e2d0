"""Folders of the user: home and cache, also where there is no home; folders that are locked."""

import errno
import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock

from tagger import files
from tagger.errors import UserError
from tagger.files import cache_folder, expanded, lock_folder, written_whole


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The folder for temporary files of a user without an entry in the list of users."""

    pwd = pytest.importorskip("pwd", reason="Windows always knows a home folder")

    def unknown(user: object) -> None:
        raise KeyError(user)

    for name in ("HOME", "XDG_CACHE_HOME", "TAGGER_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    files._private_temporary_folder.cache_clear()
    yield tmp_path
    files._private_temporary_folder.cache_clear()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_without_a_home_the_cache_is_one_private_temporary_folder(no_home: Path) -> None:
    assert cache_folder() == no_home / f"tagger-{os.getuid()}"
    assert mode(cache_folder()) == 0o700
    files._private_temporary_folder.cache_clear()
    assert cache_folder() == no_home / f"tagger-{os.getuid()}"


@pytest.mark.parametrize("others", [0o001, 0o020, 0o007, 0o777])
def test_a_temporary_folder_open_to_others_is_not_used(no_home: Path, others: int) -> None:
    taken = no_home / f"tagger-{os.getuid()}"
    taken.mkdir()
    taken.chmod(0o700 | others)
    assert cache_folder() not in (taken, no_home)
    assert mode(cache_folder()) == 0o700
    assert cache_folder() == cache_folder()


def test_a_link_in_the_place_of_the_temporary_folder_is_not_followed(no_home: Path) -> None:
    (no_home / "private").mkdir(mode=0o700)
    (no_home / f"tagger-{os.getuid()}").symlink_to("private")
    assert cache_folder().resolve() != no_home / "private"


def test_a_temporary_folder_of_another_user_is_not_used(no_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: other)
    (no_home / f"tagger-{other}").mkdir(mode=0o700)  # made by the user who runs the test
    assert cache_folder() != no_home / f"tagger-{other}"


def test_where_no_folder_can_be_made_nothing_can_be_kept(no_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(no_home / "missing"))
    with pytest.raises(UserError, match="cannot write"), written_whole(cache_folder() / "kernels" / "code") as stream:
        stream.write("code")


def test_a_path_in_an_unknown_home_is_refused(no_home: Path) -> None:
    with pytest.raises(UserError, match="~/data/set: no home folder is known for ~; give the full path"):
        expanded("~/data/set")
    assert expanded("data/~") == Path("data/~")


def test_a_path_in_the_home_of_an_unknown_user_is_refused() -> None:
    with pytest.raises(UserError, match="no home folder is known for ~no_such_user"):
        expanded("~no_such_user/set")


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_cannot_be_written_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(FileLock, "acquire", partial(raise_error, OSError(number, os.strerror(number))))
    with pytest.raises(UserError, match=f"{tmp_path}: cannot write: "), lock_folder(tmp_path):
        pytest.fail("held")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
def test_on_a_file_system_without_locks_nothing_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(FileLock, "acquire", partial(raise_error, OSError(number, os.strerror(number))))
    with lock_folder(tmp_path):
        assert not (tmp_path / ".lock").exists()


def raise_error(error: OSError, *_: object) -> None:
    raise error


def test_a_system_without_user_ids_still_has_a_private_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "getuid")
    files._private_temporary_folder.cache_clear()
    folder = files._private_temporary_folder()
    files._private_temporary_folder.cache_clear()
    assert folder.is_dir()
    folder.rmdir()
