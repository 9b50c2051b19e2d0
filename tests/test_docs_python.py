"""The programs in docs/python.md print what the document says."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.helpers.repository import REPOSITORY

READY = REPOSITORY / "data" / "models" / "en-ner"
DOCUMENT = (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
PROGRAMS = [(one, below) for (kind, one), (other, below) in pairwise(BLOCKS) if (kind, other) == ("python", "")]


@pytest.mark.extended
@pytest.mark.skipif(not READY.is_dir(), reason="no data/models/en-ner; scripts/ready_models.py makes it")
@pytest.mark.parametrize(("program", "printed"), PROGRAMS)
def test_a_program_prints_what_is_below_it(
    program: str, printed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "docs/python.md", "exec"), {})
    assert capsys.readouterr().out == printed


def test_programs_with_output_are_found() -> None:
    assert len(PROGRAMS) == 4
