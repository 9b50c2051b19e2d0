"""Tagged documents out: JSON lines, CoNLL columns or an HTML page.

A writer takes tagged documents one by one and gives text piece by piece. Every piece is whole (a record, a sentence, a
paragraph of the page) and can be written as UTF-8, whatever characters the documents hold.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from enum import StrEnum
from functools import partial
from html import escape
from json import JSONEncoder
from typing import Any

from tagger.corpus.entities import entities, extent
from tagger.corpus.sentence import Entity, Sentence
from tagger.inference.documents import Document

Writer = Callable[[Iterable[Document]], Iterator[str]]

_REPLACEMENT = "\ufffd"
# Half a character, which UTF-8 cannot write, and what some programs take for the end of a line.
_ESCAPED_IN_JSON = re.compile("[\x85\u2028\u2029\ud800-\udfff]")
_SUSPECT = re.compile("[\\s\0\ud800-\udfff]")
_BREAKS_COLUMNS = re.compile("[\0\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029\ud800-\udfff]")
_ENCODE = JSONEncoder(ensure_ascii=False).encode
_DECIMALS = 4
_GOLDEN_ANGLE = 137.508  # degrees; turning by it keeps the colours of any number of labels apart
_CONTROL_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n\r"} | {0x7F: 0x2421}
_UNPRINTABLE = _CONTROL_PICTURES | dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000)], 0xFFFD)

_PAGE_HEAD = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --back: #fdfdfc; --ink: #1b1b1b; --faint: #767676; --saturation: 75%; --light: 86% }}
@media (prefers-color-scheme: dark) {{
  :root {{ --back: #161718; --ink: #ececec; --faint: #9a9a9a; --saturation: 45%; --light: 28% }}
}}
body {{ margin: 0 auto; padding: 1rem; max-width: 50rem; background: var(--back); color: var(--ink);
  font: 1rem/1.8 system-ui, sans-serif }}
h2 {{ font-size: 1rem; color: var(--faint); overflow-wrap: anywhere }}
p {{ margin: .4rem 0; min-height: 1lh; white-space: pre-wrap; overflow-wrap: anywhere }}
mark {{ padding: .1em .3em; border-radius: .3em; color: inherit; unicode-bidi: isolate;
  background: hsl(var(--hue) var(--saturation) var(--light)) }}
small {{ margin-left: .4em; font-size: .7em; font-weight: 600; unicode-bidi: isolate; user-select: none }}
footer {{ position: sticky; bottom: 0; padding: .5rem 0; background: var(--back); color: var(--faint) }}
footer ul {{ display: flex; flex-wrap: wrap; gap: .3rem 1rem; margin: 0; padding: 0; list-style: none }}
footer mark {{ color: var(--ink) }}
</style>
</head>
<body>
"""


class OutputFormat(StrEnum):
    """How tagged documents are written; the name is also the extension of output files."""

    JSONL = "jsonl"
    CONLL = "conll"
    HTML = "html"


def get_writer(
    output_format: OutputFormat,
    *,
    tokens: bool = False,
    text_field: str = "text",
    scores: bool = False,
    alternatives: bool = False,
) -> Writer:
    """The writer of a format.

    Args:
        output_format: JSON lines, CoNLL columns or an HTML page.
        tokens: JSON lines also hold tokens and tags.
        text_field: the field of a JSON record that holds its text.
        scores: the probability of each entity or plain tag is written; documents were tagged with scores.
        alternatives: JSON lines also hold each sentence's alternatives; documents were tagged with them.
    """
    if output_format is OutputFormat.JSONL:
        return partial(jsonl_lines, tokens=tokens, text_field=text_field, scores=scores, alternatives=alternatives)
    if output_format is OutputFormat.HTML:
        return partial(html_page, scores=scores)
    return partial(conll_lines, scores=scores)


def jsonl_lines(
    documents: Iterable[Document],
    *,
    tokens: bool = False,
    text_field: str = "text",
    scores: bool = False,
    alternatives: bool = False,
) -> Iterator[str]:
    """A line of JSON per document: its own fields, its text, its entities and, if asked for, its tokens and tags.

    An entity is `{"start", "end", "label", "text"}`, half-open, in characters of the record's text, and with `scores`
    also `"score"`. Tokens and their tags stand in two flat lists. They are written where `tokens` asks for them, where
    the tags are plain (then there are no entities, and scores are a third list), and where the record has a field
    `tokens`. Alternatives are a list with an object per sentence, see `_alternatives`. What is written replaces fields
    of those names.
    """
    for document in documents:
        record = {**document.fields, text_field: document.text}
        if not document.plain:
            record["entities"] = [_entity(entity, scores) for entity in document.entities]
        if tokens or document.plain or "tokens" in document.fields:
            record["tokens"] = [token for sentence in document.sentences for token in sentence.tokens]
            record["tags"] = [tag for sentence in document.sentences for tag in sentence.tags or []]
        if scores and document.plain:
            found = (score for sentence in document.sentences for score in sentence.scores or [])
            record["scores"] = [round(score or 0.0, _DECIMALS) for score in found]
        if alternatives:
            record["alternatives"] = [_alternatives(sentence, document.plain) for sentence in document.sentences]
        # They stand in strings alone, so that an escape for each keeps the JSON what it was.
        yield _ESCAPED_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", _ENCODE(record)) + "\n"


def _entity(entity: Entity, scores: bool) -> dict[str, Any]:
    record = entity._asdict()
    score = record.pop("score")
    return {**record, "score": round(score or 0.0, _DECIMALS)} if scores else record


def _alternatives(sentence: Sentence, plain: bool) -> dict[str, Any]:
    """`{"start", "end", "taggings": [{"score", "entities"}, …]}`; of plain tags `"tags"` in place of entities.

    Probabilities of whole sentences may be small: they are given to significant digits.
    """
    start, end = extent(sentence)
    taggings: list[dict[str, Any]] = []
    for tags, score in sentence.alternatives or []:
        marked = [] if plain else entities(replace(sentence, tags=tags, scores=None))
        shown = {"tags": tags} if plain else {"entities": [_entity(entity, False) for entity in marked]}
        taggings.append({"score": float(f"{score:.{_DECIMALS}g}"), **shown})
    return {"start": start, "end": end, "taggings": taggings}


def conll_lines(documents: Iterable[Document], *, scores: bool = False) -> Iterator[str]:
    """Sentences as lines of token, TAB, tag, each sentence followed by an empty line.

    With `scores` a column with the probability stands before the tag, which stays the last one: that of the entity on
    each of its tokens and `_` outside, or that of the plain tag.

    Tabs, line breaks, NUL characters and lone surrogates inside a token become U+FFFD, as do tokens that are empty or
    all white space; only tokens given in JSON can hold such.
    """
    for document in documents:
        for sentence in document.sentences:
            tokens = sentence.tokens
            if _SUSPECT.search("".join(tokens)) or not all(tokens):
                tokens = [_column(token) for token in tokens]
            columns = [tokens, sentence.tags or []]
            if scores:
                columns.insert(1, ["_" if one is None else f"{one:.{_DECIMALS}f}" for one in sentence.scores or []])
            yield "".join(["\t".join(line) + "\n" for line in zip(*columns, strict=True)]) + "\n"


def html_page(documents: Iterable[Document], *, scores: bool = False) -> Iterator[str]:
    """One self-contained page: a section per source, a paragraph per document, entities marked, a legend below.

    Everything is escaped; control characters are shown as pictures or U+FFFD. Plain tags mark every token. With
    `scores` the pointer over a mark shows its probability.
    """
    source = None
    counts: Counter[str] = Counter()
    hues: dict[str, int] = {}
    for document in documents:
        if source is None:
            yield _PAGE_HEAD.format(title=_shown(document.source or "Tagged text"))
        if document.source != source:
            source = document.source
            yield f"<h2>{_shown(source)}</h2>\n"
        yield _paragraph(document, counts, hues, scores)
    if source is None:
        yield _PAGE_HEAD.format(title="Tagged text")
    legend = "".join(f"<li>{_mark(label, '', hues)} {counts[label]:,}</li>" for label in sorted(counts))
    yield f"<footer><ul>{legend or '<li>nothing marked</li>'}</ul></footer>\n</body>\n</html>\n"


def _paragraph(document: Document, counts: Counter[str], hues: dict[str, int], scores: bool) -> str:
    parts = []
    position = 0
    for entity in _marked(document):
        counts[entity.label] += 1
        score = entity.score if scores else None
        parts += [_shown(document.text[position : entity.start]), _mark(entity.text, entity.label, hues, score)]
        position = entity.end
    return f'<p dir="auto">{"".join(parts)}{_shown(document.text[position:])}</p>\n'


def _mark(text: str, label: str, hues: dict[str, int], score: float | None = None) -> str:
    """`text` with its label beside it; without a label, `text` is one itself (in the legend)."""
    hue = hues.setdefault(label or text, round(len(hues) * _GOLDEN_ANGLE) % 360)
    beside = f"<small>{_shown(label)}</small>" if label else ""
    title = "" if score is None else f' title="{score:.{_DECIMALS}f}"'
    return f'<mark style="--hue:{hue}"{title}>{_shown(text)}{beside}</mark>'


def _shown(text: str) -> str:
    return escape(text.translate(_UNPRINTABLE))


def _marked(document: Document) -> list[Entity]:
    """What is marked on the page: entities or, where tags are plain, every token with its tag."""
    if not document.plain:
        return document.entities
    sentences = [replace(one, tags=[f"B-{tag}" for tag in one.tags or []]) for one in document.sentences]
    return replace(document, sentences=sentences, plain=False).entities


def _column(token: str) -> str:
    return _BREAKS_COLUMNS.sub(_REPLACEMENT, token) if token.strip() else _REPLACEMENT
