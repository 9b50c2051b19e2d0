"""A tagger without a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar

from tagger.corpus.sentence import Sentence


class CapitalsTagger:
    """Capitalised words are names. Reads `window` sentences ahead."""

    labels: ClassVar = ["NAME"]

    def __init__(self, window: int = 3, *, plain: bool = False, tokenizer: str = "whitespace") -> None:
        self.window, self.plain, self.tokenizer = window, plain, tokenizer

    def tag_sentences(
        self, sentences: Iterable[Sentence], *, scores: bool = False, n_best: int = 0
    ) -> Iterator[Sentence]:
        waiting: list[Sentence] = []
        for sentence in sentences:
            waiting.append(sentence)
            if len(waiting) == self.window:
                yield from map(self._tagged, waiting)
                waiting = []
        yield from map(self._tagged, waiting)

    def _tagged(self, sentence: Sentence) -> Sentence:
        if self.plain:
            return replace(sentence, tags=["CAP" if token[:1].isupper() else "LOW" for token in sentence.tokens])
        tags: list[str] = []
        for token in sentence.tokens:
            inside = tags[-1:] not in ([], ["O"])
            tags.append("O" if not token[:1].isupper() else "I-NAME" if inside else "B-NAME")
        return replace(sentence, tags=tags)
