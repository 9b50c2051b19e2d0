"""Templates filled in. The one module that knows Jinja."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from tagger.evaluation.page import NEEDED, NoPageError, figures
from tagger.evaluation.shown import visible_on_page


def render(template: str, **values: Any) -> str:
    """A template of this package filled in: everything in it is escaped but what is marked as safe already.

    Args:
        template: its name.
        values: by the names that it uses.

    Raises:
        NoPageError: Jinja is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError:
        raise NoPageError(NEEDED) from None
    environment = Environment(
        loader=PackageLoader("tagger.evaluation.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "points": figures.points,
        "span": figures.span,
        "count": figures.count,
        "visible": visible_on_page,
    }
    environment.globals["asset"] = _asset
    return environment.get_template(template).render(values)


def _asset(name: str) -> Any:
    """A style sheet or script of this package, as it stands."""
    from markupsafe import Markup

    return Markup((files("tagger.evaluation.page") / "templates" / name).read_text(encoding="utf-8"))
