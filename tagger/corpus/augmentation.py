"""Augment training sentences: replace entity mentions by others of the same label, and write words in other case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from tagger.corpus.schemes import IGNORED, spans_from_tags, tags_from_spans
from tagger.corpus.sentence import Sentence, Span


class MentionReplacement:
    """An augmentation that replaces mentions by others of the same label (Dai & Adel 2020, arXiv:2010.11683).

    A mention is replaced by one drawn from the distinct mentions of its label in the same sentences. It may draw
    itself.
    """

    def __init__(self, sentences: Sequence[Sentence], probability: float) -> None:
        """Collect the distinct mentions of each label.

        Args:
            sentences: with tags of a span scheme.
            probability: probability that a mention is replaced.
        """
        self._probability = probability
        self._sentences = sentences
        self._spans = [spans_from_tags(sentence.tags or []) for sentence in sentences]
        mentions: dict[str, dict[tuple[str, ...], None]] = {}
        for sentence, spans in zip(sentences, self._spans, strict=True):
            for start, end, label in spans:
                if sentence.partial is None or label != IGNORED:
                    mentions.setdefault(label, {})[tuple(sentence.tokens[start:end])] = None
        self._mentions = {label: list(distinct) for label, distinct in mentions.items()}

    def draw(self, seed: int) -> list[Sentence]:
        """Return the sentences in order, some mentions replaced, with IOB2 tags. The seed determines the result."""
        random = Random(seed)
        return [
            self._replaced(sentence, spans, random) if spans else sentence
            for sentence, spans in zip(self._sentences, self._spans, strict=True)
        ]

    def _replaced(self, sentence: Sentence, spans: Sequence[Span], random: Random) -> Sentence:
        tokens: list[str] = []
        new_spans: list[Span] = []
        done = 0
        for start, end, label in spans:
            known = sentence.partial is None or label != IGNORED
            replaced = known and random.random() < self._probability
            mention = random.choice(self._mentions[label]) if replaced else sentence.tokens[start:end]
            tokens += sentence.tokens[done:start]
            new_spans.append(Span(len(tokens), len(tokens) + len(mention), label))
            tokens += mention
            done = end
        tokens += sentence.tokens[done:]
        return Sentence(tokens, tags_from_spans(new_spans, len(tokens)), partial=sentence.partial)


_CASES = (str.lower, str.upper, str.title)


def recased(sentences: Sequence[Sentence], probability: float, seed: int) -> list[Sentence]:
    """Return the sentences in order, some in lower case, in capitals, or with each word capitalised.

    A model that has seen such sentences is less misled by headlines and by text without capitals (Mayhew et al. 2019,
    arXiv:1903.11222).

    Args:
        sentences: with or without tags, which stay as they are.
        probability: share of the sentences that are rewritten.
        seed: determines which.
    """
    random = Random(seed)
    rewritten = []
    for sentence in sentences:
        if random.random() < probability:
            write = random.choice(_CASES)
            sentence = replace(sentence, tokens=[write(token) for token in sentence.tokens], text=None, offsets=None)
        rewritten.append(sentence)
    return rewritten
