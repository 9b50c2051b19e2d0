"""Replacements for characters that lines, terminals, pages and files cannot show."""

from __future__ import annotations

_REPLACEMENT = 0xFFFD
_SURROGATES = range(0xD800, 0xE000)  # possible in JSON, but UTF-8 cannot encode them
_LINE_ENDS = dict.fromkeys((0x85, 0x2028, 0x2029), 0x2424)
_TURNS = (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))  # would reorder the text that follows

# Control characters become their pictures. Those without a picture become the replacement character.
IN_A_LINE = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
IN_A_LINE |= dict.fromkeys(range(0x80, 0xA0), _REPLACEMENT)
# A page lays out TAB, LF and CR.
ON_A_PAGE = {code: shown for code, shown in IN_A_LINE.items() if chr(code) not in "\t\n\r"}
ON_A_PAGE |= dict.fromkeys(_SURROGATES, _REPLACEMENT)
_VISIBLE = IN_A_LINE | dict.fromkeys((*_SURROGATES, 0xFFFE, 0xFFFF, *_TURNS), _REPLACEMENT) | _LINE_ENDS
# Characters that separate columns or lines for this package's readers or for str.splitlines(), and NUL, which the
# readers reject.
_IN_COLUMNS = {code: 0x2400 + code for code in (*b"\0\t\n\v\f\r\x1c\x1d\x1e",)} | _LINE_ENDS
_IN_COLUMNS |= dict.fromkeys(_SURROGATES, _REPLACEMENT)
_IN_MARKDOWN = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"} | {sign: f"\\{sign}" for sign in "\\`*_[]|~"})


def in_a_line(text: str) -> str:
    """Replace control characters by pictures of them. Use it for every printed line that holds a path or a name."""
    return text.translate(IN_A_LINE)


def visible(text: str) -> str:
    """Replace what would break a line of columns: TAB by ␉, LF by ␊, CR by ␍, …, lone surrogates by U+FFFD."""
    return text.translate(_IN_COLUMNS)


def visible_on_page(text: str) -> str:
    """Replace each control character by its picture, or by U+FFFD where it has none. The length stays."""
    return text.translate(_VISIBLE)


def in_markdown(text: str) -> str:
    """Escape text so that Markdown shows it unchanged, also in a table."""
    return visible_on_page(text).translate(_IN_MARKDOWN)


def encodable(text: str) -> str:
    """Replace what UTF-8 cannot encode by backslash escapes, for JSON or Markdown."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
