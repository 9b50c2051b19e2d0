"""This package's templates filled in, with style and script of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tagger.evaluation.escaping import visible_on_page
from tagger.evaluation.page import figures
from tagger.html.palette import STYLE
from tagger.html.rendering import render

_TEMPLATES = Path(__file__).parent / "templates"
_TOLD = {"points": figures.points, "count": figures.count, "visible": visible_on_page}


def filled(template: str, **values: Any) -> str:
    """A template of this package filled in; everything is escaped but what it calls safe.

    Args:
        template: its name.
        values: by the names that it uses.

    Raises:
        UserError: Jinja is not installed.
    """
    own = {name: (_TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "page.js")}
    style = STYLE + own["style.css"]
    return render(f"evaluation/page/templates/{template}", style=style, script=own["page.js"], **_TOLD, **values)
