"""This tagger, asked by tasks.py. Running text goes through `tag.py` instead, but for the first sentence."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import Any

from tasks import serve

from tagger import Sentence, load


class Ours:
    """A model folder, run by an engine."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._tagger = load(arguments.model, engine=arguments.engine or "auto", precision=arguments.precision or "fp32")

    def tag(self, sentences: Iterable[list[str]]) -> Iterator[list[str]]:
        for sentence in self._tagger.tag_sentences(Sentence(tokens) for tokens in sentences):
            assert sentence.tags is not None
            yield sentence.tags

    def tag_one(self, sentence: list[str]) -> list[str]:
        (tags,) = self.tag([sentence])
        return tags

    def records(self, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
        for line in lines:
            document = self._tagger.tag(line)
            yield {"text": line, "entities": [entity._asdict() for entity in document.entities]}


if __name__ == "__main__":
    serve(Ours, __doc__, "--engine", "--precision")
