"""HTML from templates: the one module that knows Jinja."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagger.errors import UserError

if TYPE_CHECKING:
    from jinja2 import Environment

# control characters as their pictures, what UTF-8 cannot write as the replacement character
_CONTROL_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n\r"} | {0x7F: 0x2421}
_SHOWN = _CONTROL_PICTURES | dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000)], 0xFFFD)


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
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value.translate(_SHOWN) if isinstance(value, str) else value,
    )
