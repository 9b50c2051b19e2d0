"""Write tagged documents as one HTML page that needs no other file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from tagger.corpus.document import Document
from tagger.corpus.sentence import Entity
from tagger.html.marks import MarkedSpan, mark, marked_text, shown
from tagger.html.palette import STYLE, label_hue

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
        return _PAGE_HEAD.format(title=shown(title or "Tagged text"), palette=STYLE)

    def section(self, source: str) -> str:
        """Return the heading of a source's documents."""
        return f"<h2>{shown(source)}</h2>\n"

    def paragraph(self, document: Document, counts: Counter[str]) -> str:
        """Return the paragraph of a document, and count the labels of its marks."""
        marked = _marked(document)
        counts.update(entity.label for entity in marked)
        spans = [MarkedSpan(one.start, one.end, one.label, one.score if self._scores else None) for one in marked]
        inside = marked_text(document.text, spans, lambda text, span: self._mark(text, span.label, span.score))
        return f'<p dir="auto">{inside}</p>\n'

    def end(self, counts: Counter[str]) -> str:
        """Return the end of the page, with the labels and how often each was marked."""
        legend = "".join(f"<li>{self._mark(label, '')} {counts[label]:,}</li>" for label in sorted(counts))
        return f"<footer><ul>{legend or '<li>nothing marked</li>'}</ul></footer>\n</body>\n</html>\n"

    def _mark(self, text: str, label: str, score: float | None = None) -> str:
        """Return `text` with its label beside it; without a label, `text` is one itself (in the legend)."""
        hue = self._hues.setdefault(label or text, label_hue(len(self._hues)))
        return mark(text, label, f"--hue:{hue}", score)


def _marked(document: Document) -> list[Entity]:
    """List what is marked on the page: entities or, where tags are plain, every token with its tag."""
    if not document.plain:
        return document.entities
    sentences = [replace(one, tags=[f"B-{tag}" for tag in one.tags or []]) for one in document.sentences]
    return replace(document, sentences=sentences, plain=False).entities
