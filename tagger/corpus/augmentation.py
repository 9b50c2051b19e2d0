"""Sentences made up from those at hand: mentions put in each other's places."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tagger.corpus.schemes import spans_from_tags, tags_from_spans
from tagger.corpus.sentence import Sentence, Span


class MentionReplacement:
    """Puts other mentions of the same label in the places of mentions (Dai & Adel 2020, arXiv:2010.11683).

    What may stand in a mention's place is each distinct mention of its label in the sentences given, itself included.
    """

    def __init__(self, sentences: Sequence[Sentence], probability: float) -> None:
        """
        Args:
            sentences: with tags of a span scheme.
            probability: with which each mention is replaced.
        """
        self._probability = probability
        self._sentences = sentences
        self._spans = [spans_from_tags(sentence.tags or []) for sentence in sentences]
        mentions: dict[str, dict[tuple[str, ...], None]] = {}
        for sentence, spans in zip(sentences, self._spans, strict=True):
            for start, end, label in spans:
                mentions.setdefault(label, {})[tuple(sentence.tokens[start:end])] = None
        self._mentions = {label: list(distinct) for label, distinct in mentions.items()}

    def draw(self, seed: int) -> list[Sentence]:
        """The sentences in their order, some mentions replaced, tags in IOB2; the same for the same seed."""
        random = Random(seed)
        return [
            self._replaced(sentence, spans, random) if spans else sentence
            for sentence, spans in zip(self._sentences, self._spans, strict=True)
        ]

    def _replaced(self, sentence: Sentence, spans: Sequence[Span], random: Random) -> Sentence:
        tokens: list[str] = []
        placed: list[Span] = []
        done = 0
        for start, end, label in spans:
            replace = random.random() < self._probability
            mention = random.choice(self._mentions[label]) if replace else sentence.tokens[start:end]
            tokens += sentence.tokens[done:start]
            placed.append(Span(len(tokens), len(tokens) + len(mention), label))
            tokens += mention
            done = end
        tokens += sentence.tokens[done:]
        return Sentence(tokens, tags_from_spans(placed, len(tokens)))
