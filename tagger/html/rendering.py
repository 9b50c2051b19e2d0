"""Render HTML from templates. The only module that imports Jinja."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagger.errors import UserError, install_command
from tagger.printable import ON_A_PAGE

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: Any) -> str:
    """Render a template. Values are escaped, and their control characters made visible.

    `template` is its path inside this package, such as `inspection/templates/page.html.j2`.

    Raises:
        UserError: Jinja is not installed.
    """
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise UserError(f"an HTML page needs Jinja; install the extra: {install_command('report')}") from None
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value.translate(ON_A_PAGE) if isinstance(value, str) else value,
    )
