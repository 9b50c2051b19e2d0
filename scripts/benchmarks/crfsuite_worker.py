"""python-crfsuite, asked by tasks.py, its features made inside the timing. They are those of peers/crfsuite_peer.py.

CRFsuite has no tokenizer: running text is cut into words and single other characters, a line being a sentence.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pycrfsuite
from crfsuite_peer import features
from exchange import OUTSIDE, spans
from tasks import serve

_TOKEN = re.compile(r"\w+|[^\w\s]")


class Crfsuite:
    """A model file."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._tagger = pycrfsuite.Tagger()
        self._tagger.open(str(arguments.model))
        self._plain = not any(tag == OUTSIDE or tag[1:2] == "-" for tag in self._tagger.labels())

    def tag(self, sentences: Iterable[list[str]]) -> Iterator[list[str]]:
        return map(self.tag_one, sentences)

    def tag_one(self, sentence: list[str]) -> list[str]:
        return self._tagger.tag(pycrfsuite.ItemSequence(features(sentence))) if sentence else []

    def records(self, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
        for line in lines:
            places = [match.span() for match in _TOKEN.finditer(line)]
            tags = self.tag_one([line[start:end] for start, end in places])
            if self._plain:
                yield {"text": line, "tags": tags}
                continue
            found = [(places[first][0], places[last - 1][1], label) for first, last, label in spans(tags)]
            entities = [{"start": a, "end": z, "label": label, "text": line[a:z]} for a, z, label in found]
            yield {"text": line, "entities": entities}


if __name__ == "__main__":
    serve(Crfsuite, __doc__)
