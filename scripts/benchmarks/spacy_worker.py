"""spaCy, asked by tasks.py. Documents and tags are made as in peers/spacy_docs.py."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import Any

import spacy
from spacy_docs import make_doc, tags_of
from tasks import serve

_BATCH = 128  # a fifth faster than nlp.pipe's default, 1000, in a third of the memory


class Spacy:
    """A trained pipeline; with `--blis no` its matrix products go through NumPy's BLAS instead of BLIS."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._nlp = spacy.load(arguments.model)
        self._kind = "entities" if "ner" in self._nlp.pipe_names else "tags"
        if arguments.blis == "no":
            for _, pipe in self._nlp.pipeline:
                for layer in pipe.model.walk():
                    layer.ops.use_blis = False

    def tag(self, sentences: Iterable[list[str]]) -> Iterator[list[str]]:
        docs = (make_doc(self._nlp.vocab, tokens) for tokens in sentences)
        return (tags_of(doc, self._kind) for doc in self._nlp.pipe(docs, batch_size=_BATCH))

    def tag_one(self, sentence: list[str]) -> list[str]:
        return tags_of(self._nlp(make_doc(self._nlp.vocab, sentence)), self._kind)

    def records(self, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
        for doc in self._nlp.pipe(lines, batch_size=_BATCH):
            if self._kind == "tags":
                yield {"text": doc.text, "tags": tags_of(doc, self._kind)}
                continue
            entities = [
                {"start": span.start_char, "end": span.end_char, "label": span.label_, "text": span.text}
                for span in doc.ents
            ]
            yield {"text": doc.text, "entities": entities}


if __name__ == "__main__":
    serve(Spacy, __doc__, "--blis")
