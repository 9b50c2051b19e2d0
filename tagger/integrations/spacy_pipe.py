"""The component `gru_tagger` of spaCy pipelines. spaCy finds it by itself where both packages are installed.

nlp = spacy.blank("en")
nlp.add_pipe("sentencizer")
nlp.add_pipe("gru_tagger", config={"model": "en-ner"})
[(ent.text, ent.label_, ent._.score) for ent in nlp("Ada lived in London.").ents]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans, minibatch

from tagger.corpus.schemes import spans_from_tags
from tagger.corpus.sentence import Sentence
from tagger.predict import Tagger, load

_BATCH = 128  # documents of `nlp.pipe` without a batch size


@Language.factory(
    "gru_tagger", default_config={"model": "en-ner", "engine": "auto", "keep": True}, assigns=["doc.ents", "token.tag"]
)
def make_component(nlp: Language, name: str, model: str, engine: str, keep: bool) -> SpacyTagger:
    """Make the component.

    Args:
        model: as `tagger.load` takes it.
        engine: as `tagger.load` takes it.
        keep: keep entities that the document has already; those of the model that overlap them are left out.
    """
    return SpacyTagger(load(model, engine=engine), keep=keep)


class SpacyTagger:
    """Sets `doc.ents` on spaCy's own tokens, each with its probability in `ent._.score`.

    A model of plain tags sets `token.tag_` instead. Sentences are spaCy's, where the pipeline finds them before; else a
    document is one sentence.
    """

    def __init__(self, tagger: Tagger, *, keep: bool = True) -> None:
        """Take a loaded model; `keep` as in `make_component`."""
        self._tagger, self._keep = tagger, keep
        if not Span.has_extension("score"):
            Span.set_extension("score", default=None)

    def __call__(self, doc: Doc) -> Doc:
        """Tag a document."""
        return next(self.pipe([doc]))

    def pipe(self, docs: Iterable[Doc], batch_size: int = _BATCH) -> Iterator[Doc]:
        """Tag documents, a batch at a time."""
        for batch in minibatch(docs, size=batch_size):
            parts = [_sentences(doc) for doc in batch]
            given = (Sentence([token.text for token in one]) for sentences in parts for one in sentences)
            tagged = self._tagger.tag_sentences(given, scores=True)
            for doc, sentences in zip(batch, parts, strict=True):
                self._annotate(doc, sentences, list(islice(tagged, len(sentences))))
                yield doc

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Save nothing: the pipeline's configuration names the model."""

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> SpacyTagger:
        """Load nothing: the model is loaded when the component is made."""
        return self

    def _annotate(self, doc: Doc, sentences: list[list[Any]], tagged: list[Sentence]) -> None:
        found: list[Span] = []
        for tokens, one in zip(sentences, tagged, strict=True):
            if self._tagger.plain:
                for token, tag in zip(tokens, one.tags or [], strict=True):
                    token.tag_ = tag
                continue
            for start, end, label in spans_from_tags(one.tags or []):
                span = Span(doc, tokens[start].i, tokens[end - 1].i + 1, label=label)
                span._.score = one.scores[start] if one.scores else None
                found.append(span)
        if not self._tagger.plain:
            before = list(doc.ents) if self._keep else []
            taken = {token.i for span in before for token in span}
            new = [span for span in found if not taken & set(range(span.start, span.end))]
            doc.ents = tuple(filter_spans([*before, *new]))


def _sentences(doc: Doc) -> list[list[Any]]:
    """Return the tokens of each sentence, without white space, which spaCy makes tokens of."""
    spans: Iterable[Iterable[Any]] = doc.sents if doc.has_annotation("SENT_START") else [doc]
    parts = [[token for token in span if not token.is_space] for span in spans]
    return [part for part in parts if part]
