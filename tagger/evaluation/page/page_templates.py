"""Render the templates of report pages with their style and script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tagger.evaluation.escaping import visible_on_page
from tagger.evaluation.page import figures
from tagger.html.palette import STYLE
from tagger.html.rendering import render

_TEMPLATES = Path(__file__).parent / "templates"
_HELPERS = {"points": figures.points, "count": figures.count, "visible": visible_on_page}


def render_page(template: str, **values: Any) -> str:
    """Render a template of this package. All values are escaped, except where the template marks them safe.

    Args:
        template: file name of the template.
        values: values by the names used in the template.

    Raises:
        UserError: Jinja is not installed.
    """
    own = {name: (_TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "page.js")}
    style = STYLE + own["style.css"]
    return render(f"evaluation/page/templates/{template}", style=style, script=own["page.js"], **_HELPERS, **values)
