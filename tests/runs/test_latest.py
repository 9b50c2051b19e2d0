"""The link to the run that finished last, also on systems where symbolic links need a privilege."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagger.runs import finish


def refused(*_: object, **__: object) -> None:
    raise OSError("A required privilege is not held by the client")


def test_the_link_moves_to_the_run_that_finished_last(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        assert finish._point_latest(tmp_path / name, tmp_path / "latest") == []
        assert (tmp_path / "latest").resolve() == (tmp_path / name).resolve()


def test_a_junction_stands_in_where_there_are_no_symbolic_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[Path, Path]] = []
    monkeypatch.setattr(Path, "symlink_to", refused)
    monkeypatch.setattr(finish, "_junctions", lambda: True)
    monkeypatch.setattr(finish, "_make_junction", lambda folder, link: made.append((folder, link)))
    assert finish._point_latest(tmp_path, tmp_path / "latest") == []
    assert made == [(tmp_path.resolve(), tmp_path / "latest")]


def test_no_link_at_all_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "symlink_to", refused)
    (warning,) = finish._point_latest(tmp_path, tmp_path / "latest")
    assert warning == f"{tmp_path / 'latest'} was not moved to this run: A required privilege is not held by the client"
