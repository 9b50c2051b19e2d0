"""Leave out of scoring what partly labelled gold sentences cannot judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from tagger.corpus.labels import ignored_as_outside
from tagger.corpus.readers.account import counted
from tagger.corpus.schemes import OUTSIDE, Scheme, is_ignored, spans_from_tags
from tagger.corpus.sentence import Sentence

T = TypeVar("T")


class Judging:
    """Reduces gold sentences and predictions to what can be judged, and counts the rest.

    Entities: gold tags of tokens of unknown label become O. Predictions that touch such tokens are left out, and so are
    those of labels that were not annotated in their sentence. Plain tags: tokens of unknown label are left out.
    Completely labelled sentences and their predictions are returned as they are.
    """

    def __init__(self, scheme: Scheme) -> None:
        """
        Args:
            scheme: of the gold tags.
        """
        self._plain = scheme is Scheme.PLAIN
        self._tokens = self._touching = self._foreign = 0

    def gold(self, sentence: Sentence) -> Sentence:
        """Return what can be judged of a gold sentence."""
        if sentence.partial is None:
            return sentence
        if not self._plain:
            self._tokens += sum(map(is_ignored, sentence.tags or ()))
            return replace(sentence, tags=ignored_as_outside(sentence), partial=None)
        kept = _known_places(sentence)
        self._tokens += len(sentence) - len(kept)
        tokens, tags = _at(sentence.tokens, kept), _at(sentence.tags or [], kept)
        return replace(sentence, tokens=tokens, tags=tags, text=None, offsets=None, partial=None)

    def predicted(self, gold: Sentence, predicted: Sentence) -> Sentence:
        """Return what can be judged of a prediction, which may have scores.

        Args:
            gold: the sentence as read, with all its tags.
            predicted: its tokens with predicted tags.
        """
        if gold.partial is None:
            return predicted
        tags = self.predicted_tags(gold, predicted.tags or [])
        if not self._plain:
            return replace(predicted, tags=tags)
        kept = _known_places(gold)
        scores = None if predicted.scores is None else _at(predicted.scores, kept)
        return Sentence(_at(predicted.tokens, kept), tags, scores=scores)

    def predicted_tags(self, gold: Sentence, tags: Sequence[str]) -> list[str]:
        """Return what can be judged of predicted tags. Arguments as in `predicted`."""
        if gold.partial is None:
            return list(tags)
        if self._plain:
            return _at(tags, _known_places(gold))
        judged, known = list(tags), gold.partial.known
        for start, end, label in spans_from_tags(tags):
            touching = any(map(is_ignored, (gold.tags or [])[start:end]))
            foreign = known is not None and label not in known
            if touching or foreign:
                self._touching += touching
                self._foreign += foreign and not touching
                judged[start:end] = [OUTSIDE] * (end - start)
        return judged

    def notes(self) -> list[str]:
        """Return what was not judged, as a line for people; none if everything was."""
        parts = []
        if self._tokens:
            parts.append(f"{counted(self._tokens, 'token')} of unknown label")
        if self._touching:
            parts.append(f"{counted(self._touching, 'predicted span')} at such tokens")
        if self._foreign:
            parts.append(f"{counted(self._foreign, 'predicted span')} of labels that were not annotated there")
        return [f"not judged: {', '.join(parts)}"] if parts else []


def _known_places(sentence: Sentence) -> list[int]:
    return [place for place, tag in enumerate(sentence.tags or ()) if not is_ignored(tag)]


def _at(items: Sequence[T], places: Sequence[int]) -> list[T]:
    return [items[place] for place in places]
