"""HTML from templates: the one module that knows Jinja."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagger.errors import UserError
from tagger.printable import ON_A_PAGE

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: Any) -> str:
    """Fill a template in; whatever is put into it is escaped, control characters are made visible.

    Args:
        template: its path inside this package, such as `inspection/templates/page.html.j2`.
        values: what it names.

    Raises:
        UserError: Jinja is not installed.
    """
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise UserError("an HTML page needs Jinja; install the extra: pip install 'tagger[report]'") from None
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value.translate(ON_A_PAGE) if isinstance(value, str) else value,
    )
