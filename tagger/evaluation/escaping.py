"""Text of any characters, made fit to be shown or written."""

from __future__ import annotations

import html
import re

from tagger.printable import IN_A_LINE, REPLACEMENT

# What parts columns or lines, for this package's readers or for Python's splitlines(), and NUL, which they refuse.
_SUBSTITUTES = str.maketrans("\0\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029", "␀␉␊␋␌␍␜␝␞␤␤␤")
_SURROGATES = re.compile("[\ud800-\udfff]")  # JSON can smuggle them in; UTF-8 cannot write them
_LINE_ENDS = {0x85: 0x2424, 0x2028: 0x2424, 0x2029: 0x2424}
_UNSEEN = [*range(0xD800, 0xE000), 0xFFFE, 0xFFFF]
_TURNS = [0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]  # would change the order of what follows
_ON_PAGE = IN_A_LINE | dict.fromkeys([*_UNSEEN, *_TURNS], REPLACEMENT) | _LINE_ENDS


def visible(text: str) -> str:
    """`text` with what would break a line of columns replaced: TAB ␉, LF ␊, CR ␍ …, lone surrogates U+FFFD."""
    return _SURROGATES.sub("�", text.translate(_SUBSTITUTES))


def visible_on_page(text: str) -> str:
    """`text`, as long as it was, with every control character as its picture, or U+FFFD where it has none."""
    return text.translate(_ON_PAGE)


def in_markdown(text: str) -> str:
    """Text that Markdown shows as it is, also in a table."""
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", html.escape(visible_on_page(text), quote=False))


def encodable(text: str) -> str:
    """Text of JSON or Markdown with what UTF-8 cannot write as an escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
