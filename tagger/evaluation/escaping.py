"""Make any text safe to show on a page or to write to a file."""

from __future__ import annotations

import html
import re

from tagger.printable import IN_A_LINE, REPLACEMENT

# Characters that separate columns or lines for this package's readers or for str.splitlines(), and NUL, which the
# readers reject.
_SUBSTITUTES = str.maketrans("\0\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029", "␀␉␊␋␌␍␜␝␞␤␤␤")
_SURROGATES = re.compile("[\ud800-\udfff]")  # possible in JSON, but UTF-8 cannot encode them
_LINE_ENDS = {0x85: 0x2424, 0x2028: 0x2424, 0x2029: 0x2424}
_UNSEEN = [*range(0xD800, 0xE000), 0xFFFE, 0xFFFF]
_TURNS = [0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]  # would reorder the text that follows
_ON_PAGE = IN_A_LINE | dict.fromkeys([*_UNSEEN, *_TURNS], REPLACEMENT) | _LINE_ENDS


def visible(text: str) -> str:
    """Replace what would break a line of columns: TAB by ␉, LF by ␊, CR by ␍, …, lone surrogates by U+FFFD."""
    return _SURROGATES.sub("�", text.translate(_SUBSTITUTES))


def visible_on_page(text: str) -> str:
    """Replace each control character by its picture, or by U+FFFD where it has none. The length stays."""
    return text.translate(_ON_PAGE)


def in_markdown(text: str) -> str:
    """Escape text so that Markdown shows it unchanged, also in a table."""
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", html.escape(visible_on_page(text), quote=False))


def encodable(text: str) -> str:
    """Replace what UTF-8 cannot encode by backslash escapes, for JSON or Markdown."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
