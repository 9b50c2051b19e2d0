"""Replacements for characters that lines, terminals and pages cannot show."""

from __future__ import annotations

REPLACEMENT = 0xFFFD
_BREAKS = "\t\n\r"  # pages lay these out

# Control characters become their pictures. Those without a picture become the replacement character.
IN_A_LINE = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
IN_A_LINE |= dict.fromkeys(range(0x80, 0xA0), REPLACEMENT)
# On a page, surrogates are replaced too: UTF-8 cannot encode them.
ON_A_PAGE = {code: shown for code, shown in IN_A_LINE.items() if chr(code) not in _BREAKS}
ON_A_PAGE |= dict.fromkeys(range(0xD800, 0xE000), REPLACEMENT)


def in_a_line(text: str) -> str:
    """Replace control characters by pictures of them. Use it for every printed line that holds a path or a name."""
    return text.translate(IN_A_LINE)
