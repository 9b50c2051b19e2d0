"""Write tagged documents as one HTML page that needs no other file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from html import escape

from tagger.corpus.document import Document
from tagger.corpus.sentence import Entity
from tagger.html.palette import STYLE, label_hue
from tagger.printable import ON_A_PAGE

_DECIMALS = 4

_PAGE_HEAD = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{palette}body {{ margin: 0 auto; padding: 1rem; max-width: 50rem; background: var(--back); color: var(--ink);
  font: 1rem/1.8 system-ui, sans-serif }}
h2 {{ font-size: 1rem; color: var(--faint); overflow-wrap: anywhere }}
p {{ margin: .4rem 0; min-height: 1lh; white-space: pre-wrap; overflow-wrap: anywhere }}
mark {{ padding: .1em .3em; border-radius: .3em; color: inherit; unicode-bidi: isolate }}
small {{ margin-left: .4em; font-size: .7em; font-weight: 600; unicode-bidi: isolate; user-select: none }}
footer {{ position: sticky; bottom: 0; padding: .5rem 0; background: var(--back); color: var(--faint) }}
footer ul {{ display: flex; flex-wrap: wrap; gap: .3rem 1rem; margin: 0; padding: 0; list-style: none }}
footer mark {{ color: var(--ink) }}
</style>
</head>
<body>
"""


class HtmlPage:
    """A page: a section per source, a paragraph per document, entities marked, a legend below.

    Everything is escaped. Control characters are shown as pictures or U+FFFD, so that every piece can be written as
    UTF-8. Plain tags mark every token. Paragraphs do not depend on each other, so that parts of a page can be made
    apart: a label's colour depends on its place among all labels.
    """

    def __init__(self, labels: Iterable[str], *, scores: bool = False) -> None:
        """Take all labels that the model knows. With `scores`, the pointer over a mark shows its probability."""
        self._scores = scores
        self._hues = {label: label_hue(number) for number, label in enumerate(sorted(labels))}

    def head(self, title: str = "") -> str:
        """Return the beginning of the page."""
        return _PAGE_HEAD.format(title=_shown(title or "Tagged text"), palette=STYLE)

    def section(self, source: str) -> str:
        """Return the heading of a source's documents."""
        return f"<h2>{_shown(source)}</h2>\n"

    def paragraph(self, document: Document, counts: Counter[str]) -> str:
        """Return the paragraph of a document, and count the labels of its marks."""
        parts = []
        position = 0
        for entity in _marked(document):
            counts[entity.label] += 1
            score = entity.score if self._scores else None
            parts += [_shown(document.text[position : entity.start]), self._mark(entity.text, entity.label, score)]
            position = entity.end
        return f'<p dir="auto">{"".join(parts)}{_shown(document.text[position:])}</p>\n'

    def end(self, counts: Counter[str]) -> str:
        """Return the end of the page, with the labels and how often each was marked."""
        legend = "".join(f"<li>{self._mark(label, '')} {counts[label]:,}</li>" for label in sorted(counts))
        return f"<footer><ul>{legend or '<li>nothing marked</li>'}</ul></footer>\n</body>\n</html>\n"

    def _mark(self, text: str, label: str, score: float | None = None) -> str:
        """Return `text` with its label beside it; without a label, `text` is one itself (in the legend)."""
        hue = self._hues.setdefault(label or text, label_hue(len(self._hues)))
        beside = f"<small>{_shown(label)}</small>" if label else ""
        title = "" if score is None else f' title="{score:.{_DECIMALS}f}"'
        return f'<mark style="--hue:{hue}"{title}>{_shown(text)}{beside}</mark>'


def _shown(text: str) -> str:
    return escape(text.translate(ON_A_PAGE))


def _marked(document: Document) -> list[Entity]:
    """List what is marked on the page: entities or, where tags are plain, every token with its tag."""
    if not document.plain:
        return document.entities
    sentences = [replace(one, tags=[f"B-{tag}" for tag in one.tags or []]) for one in document.sentences]
    return replace(document, sentences=sentences, plain=False).entities
