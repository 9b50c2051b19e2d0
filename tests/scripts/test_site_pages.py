"""`scripts/site_pages.py` and `mkdocs.yml`: the pages that are generated, and where each page is on the site."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tagger.commands.main import COMMANDS
from tests.helpers.repository import REPOSITORY
from tests.helpers.scripts import load_script

site = load_script("site_pages.py")
CONFIG = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"))
DOCUMENTS = [*sorted(REPOSITORY.glob("*.md")), *sorted(REPOSITORY.glob("docs/*.md"))]
FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"(?:^|[|;&]\s*)(?:\w+=\S+ )*(?:python (?:-m tagger )?|tagger )(\w+)(?:\.py)?\b([^|;#]*)")

help_of = cache(site.help_of)


def pages_of(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    return [page for part in (nav.values() if isinstance(nav, dict) else nav) for page in pages_of(part)]


def calls(document: Path) -> list[tuple[str, str]]:
    """The commands of this project in a document's code blocks, each with what follows it."""
    blocks = "".join(FENCE.findall(document.read_text(encoding="utf-8")))
    return [(name, rest) for line in blocks.splitlines() for name, rest in CALL.findall(line) if name in COMMANDS]


def test_every_page_has_a_place_on_the_site() -> None:
    written = {path.name for path in (REPOSITORY / "docs").glob("*.md")}
    assert sorted(pages_of(CONFIG["nav"])) == sorted(written | site.generated_pages().keys())


def test_the_site_fetches_nothing() -> None:
    assert CONFIG["theme"]["font"] is False
    assert not CONFIG.keys() & {"extra_javascript", "extra_css"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_commands_has_the_help_of_each(name: str) -> None:
    section = site.commands_page().split(f"\n## {name}\n")[1].split("\n## ")[0]
    assert help_of(name) in section
    assert ("--" in section) == (name not in ("train", "pretrain", "evaluate"))


@pytest.mark.parametrize("path", sorted((REPOSITORY / "conf").glob("**/*.yaml")), ids=lambda path: path.stem)
def test_the_page_of_settings_has_every_file(path: Path) -> None:
    assert path.read_text(encoding="utf-8").strip("\n") in site.settings_page()


def test_links_of_the_readme_lead_to_pages_of_the_site() -> None:
    index = site.adapted(site.generated_pages()["index.md"])
    links = re.findall(r"\]\(([^)#]+\.md)", index)
    assert links
    assert set(links) <= set(pages_of(CONFIG["nav"]))


def test_calls_in_documents_are_found(tmp_path: Path) -> None:
    text = (
        "```\nA=1 tagger tag --scores x | tagger prelabel --min-score 1  # --no\npython -m tagger tune --study a\n```\n"
    )
    (tmp_path / "page.md").write_text(text)
    found = [(name, re.findall(r"--[\w-]+", rest)) for name, rest in calls(tmp_path / "page.md")]
    assert found == [("tag", ["--scores"]), ("prelabel", ["--min-score"]), ("tune", ["--study"])]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_options_that_documents_show_exist(document: Path) -> None:
    shown = {(name, option) for name, rest in calls(document) for option in re.findall(r"(?<!\S)--[a-z][\w-]*", rest)}
    of_hydra = {"--cfg", "--config-dir", "--help"}
    missing = [
        (name, option)
        for name, option in sorted(shown)
        if option not in of_hydra and not re.search(rf"{option}(?![\w-])", help_of(name))
    ]
    assert missing == []
