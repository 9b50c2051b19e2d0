"""Mark labelled spans of a text in HTML. Text is always escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from typing import NamedTuple
from zlib import crc32

from tagger.html.palette import label_hue
from tagger.printable import ON_A_PAGE

_DECIMALS = 4
_INLINE = "background:hsl({hue},70%,86%);color:#1d2126;padding:.1em .3em;border-radius:.3em;unicode-bidi:isolate"


class MarkedSpan(NamedTuple):
    """A labelled span of a text, half-open, in characters."""

    start: int
    end: int
    label: str
    score: float | None = None


def shown(text: str) -> str:
    """Escape a text for HTML, with control characters made visible."""
    return escape(text.translate(ON_A_PAGE))


def marked_text(text: str, spans: Iterable[MarkedSpan], mark_of: Callable[[str, MarkedSpan], str]) -> str:
    """Return a text as HTML, each span as `mark_of` writes it. Spans are in order and do not overlap."""
    parts = []
    position = 0
    for span in spans:
        parts += [shown(text[position : span.start]), mark_of(text[span.start : span.end], span)]
        position = span.end
    return "".join(parts) + shown(text[position:])


def mark(text: str, label: str, style: str, score: float | None = None) -> str:
    """Return a text in a `mark` element with its label behind it. The pointer over it shows the score, if there is one.

    Args:
        style: of the element, as CSS.
    """
    beside = f"<small>{shown(label)}</small>" if label else ""
    title = "" if score is None else f' title="{score:.{_DECIMALS}f}"'
    return f'<mark style="{style}"{title}>{shown(text)}{beside}</mark>'


def notebook_text(text: str, spans: Iterable[MarkedSpan]) -> str:
    """Return a text with its spans marked, for a notebook: all style is in the elements.

    A label has the same colour in every text.
    """

    def mark_of(inside: str, span: MarkedSpan) -> str:
        return mark(inside, f"\N{NO-BREAK SPACE}{span.label}", _INLINE.format(hue=_fixed_hue(span.label)), span.score)

    style = "white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.8"
    return f'<div dir="auto" style="{style}">{marked_text(text, spans, mark_of)}</div>'


def _fixed_hue(label: str) -> int:
    """Return a hue that depends on the label alone."""
    return label_hue(crc32(label.encode("utf-8", "replace")) % 360)
