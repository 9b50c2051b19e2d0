"""Tagged documents out as one HTML page that needs nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from html import escape
from typing import Any

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

    Everything is escaped; control characters are shown as pictures or U+FFFD, so that every piece can be written as
    UTF-8. Plain tags mark every token.
    """

    def __init__(self, *, scores: bool = False) -> None:
        """With `scores`, the pointer over a mark shows its probability."""
        self._scores = scores
        self._source: str | None = None
        self._counts: Counter[str] = Counter()
        self._hues: dict[str, int] = {}

    @property
    def state(self) -> dict[str, Any]:
        """What it knows of what came so far, fit for JSON."""
        return {"source": self._source, "counts": dict(self._counts), "hues": self._hues}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._source, self._counts, self._hues = state["source"], Counter(state["counts"]), dict(state["hues"])

    def of(self, documents: Iterable[Document]) -> Iterator[str]:
        """What comes next on the page: the documents' paragraphs, and before the first the page's head."""
        for document in documents:
            if self._source is None:
                yield _page_head(document.source or "Tagged text")
            if document.source != self._source:
                self._source = document.source
                yield f"<h2>{_shown(document.source)}</h2>\n"
            yield self._paragraph(document)

    def end(self) -> str:
        """What closes the page."""
        head = _page_head("Tagged text") if self._source is None else ""
        legend = "".join(f"<li>{self._mark(label, '')} {self._counts[label]:,}</li>" for label in sorted(self._counts))
        return f"{head}<footer><ul>{legend or '<li>nothing marked</li>'}</ul></footer>\n</body>\n</html>\n"

    def _paragraph(self, document: Document) -> str:
        parts = []
        position = 0
        for entity in _marked(document):
            self._counts[entity.label] += 1
            score = entity.score if self._scores else None
            parts += [_shown(document.text[position : entity.start]), self._mark(entity.text, entity.label, score)]
            position = entity.end
        return f'<p dir="auto">{"".join(parts)}{_shown(document.text[position:])}</p>\n'

    def _mark(self, text: str, label: str, score: float | None = None) -> str:
        """`text` with its label beside it; without a label, `text` is one itself (in the legend)."""
        hue = self._hues.setdefault(label or text, label_hue(len(self._hues)))
        beside = f"<small>{_shown(label)}</small>" if label else ""
        title = "" if score is None else f' title="{score:.{_DECIMALS}f}"'
        return f'<mark style="--hue:{hue}"{title}>{_shown(text)}{beside}</mark>'


def _page_head(title: str) -> str:
    return _PAGE_HEAD.format(title=_shown(title), palette=STYLE)


def _shown(text: str) -> str:
    return escape(text.translate(ON_A_PAGE))


def _marked(document: Document) -> list[Entity]:
    """What is marked on the page: entities or, where tags are plain, every token with its tag."""
    if not document.plain:
        return document.entities
    sentences = [replace(one, tags=[f"B-{tag}" for tag in one.tags or []]) for one in document.sentences]
    return replace(document, sentences=sentences, plain=False).entities
