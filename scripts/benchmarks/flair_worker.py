"""Flair's sequence tagger, asked by tasks.py."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from exchange import OUTSIDE
from flair.data import Sentence
from flair.models import SequenceTagger
from tasks import serve

LABEL = "label"
_BATCH = 32
_READ_AHEAD = 1024


class Flair:
    """A model file."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._tagger = SequenceTagger.load(arguments.model)

    def tag(self, sentences: Iterable[list[str]]) -> Iterator[list[str]]:
        for sentence in self._predicted(map(Sentence, sentences)):
            tags = [OUTSIDE] * len(sentence)
            if not self._tagger.predict_spans:
                tags = [token.get_label(LABEL).value for token in sentence]
            for span in sentence.get_spans(LABEL):
                first, last = span[0].idx - 1, span[-1].idx - 1
                tags[first : last + 1] = [f"I-{span.tag}"] * (last + 1 - first)
                tags[first] = f"B-{span.tag}"
            yield tags

    def tag_one(self, sentence: list[str]) -> list[str]:
        (tags,) = self.tag([sentence])
        return tags

    def records(self, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
        lines, texts = itertools.tee(lines)
        for line, sentence in zip(texts, self._predicted(map(Sentence, lines)), strict=True):
            if not self._tagger.predict_spans:
                yield {"text": line, "tags": [token.get_label(LABEL).value for token in sentence]}
                continue
            entities = [
                {"start": span.start_position, "end": span.end_position, "label": span.tag, "text": span.text}
                for span in sentence.get_spans(LABEL)
            ]
            yield {"text": line, "entities": entities}

    def _predicted(self, sentences: Iterator[Sentence]) -> Iterator[Sentence]:
        while batch := [*itertools.islice(sentences, _READ_AHEAD)]:
            self._tagger.predict(batch, mini_batch_size=_BATCH, label_name=LABEL, embedding_storage_mode="none")
            yield from batch


if __name__ == "__main__":
    serve(Flair, __doc__)
