"""Keep the documents' formulas and pictures whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.repository import REPOSITORY

DOCUMENTS = [*sorted(REPOSITORY.glob("*.md")), *sorted(REPOSITORY.glob("docs/*.md"))]
READY = REPOSITORY / "data" / "models"  # a checkout may be without them
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def formula_lines(text: str) -> list[str]:
    """The lines of blocks that are indented by four spaces and stand outside fences."""
    lines = FENCE.sub("", text).splitlines()
    return [line for line in lines if line.startswith("    ") and not line.lstrip().startswith(("-", "*"))]


def definitions_run_together(line: str) -> bool:
    """Find a second definition that no comma sets apart: what is left when a program wraps a block of formulas."""
    return any(piece.count(" = ") > 1 for piece in re.split(r"[,;]\s{2,}", line.strip()))


def test_formulas_that_a_program_wrapped_are_found() -> None:
    wrapped = "    gold      = correct + missing predicted = correct + spurious"
    assert formula_lines(f"so that\n\n{wrapped}\n") == [wrapped]
    assert definitions_run_together(wrapped)
    assert not definitions_run_together("    P(y | x) = exp(s(y)) / Z,    Z = Σ exp(s(y'))")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_formula_blocks_are_whole(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert [line for line in formula_lines(text) if definitions_run_together(line)] == []
    assert text.count("\n```") % 2 == 0


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_to_files_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", FENCE.sub("", document.read_text(encoding="utf-8")))
    missing = [document.parent / link for link in links if not (document.parent / link).exists()]
    assert [link for link in missing if not (READY in link.resolve().parents and not READY.is_dir())] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_pictures_and_pages_that_are_named_exist(document: Path) -> None:
    named = set(re.findall(r"`(docs/[\w/-]+\.\w+)`", document.read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if not (REPOSITORY / name).exists()] == []


def test_the_readme_fits_a_few_screens() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert text.count("\n") < 130
    prose = [block for block in FENCE.sub("", text).split("\n\n") if not block.lstrip().startswith(("|", "-"))]
    assert [block for block in prose if len(block.strip().splitlines()) > 4] == []


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    pages = [path.name for path in REPOSITORY.glob("docs/*.md")]
    assert [name for name in sorted(pages) if f"](docs/{name})" not in readme] == []
