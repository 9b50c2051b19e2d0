"""Find the tags that tokens may have where their labels are only partly known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.schemes import OUTSIDE, is_ignored, split_tag
from tagger.corpus.sentence import Sentence

Ints = NDArray[np.int64]


class OpenTags:
    """The tokens of a corpus that may have other tags than their gold tag.

    A token with the label `_` may have any tag. A token with O, in a sentence of which only some labels are known, may
    have O or a tag of another label.
    """

    def __init__(self, kinds: Ints, sets: NDArray[np.bool_], settled: int) -> None:
        """
        Args:
            kinds: (N,) each token's row in `sets`, 0 for tokens that have their gold tag only.
            sets: (S, K) the tags of each set; row 0 is empty, and row 1 holds all tags.
            settled: the tag number to store for tokens of unknown label.
        """
        self._kinds, self._sets, self._settled = kinds, sets, settled

    @classmethod
    def of(cls, sentences: Sequence[Sentence], tags: Sequence[str]) -> OpenTags | None:
        """Find the open tokens of a corpus; None if there are none.

        Args:
            sentences: with tags as read.
            tags: the model's K tags.
        """
        if all(sentence.partial is None for sentence in sentences):
            return None
        sets = [np.zeros(len(tags), dtype=np.bool_), np.ones(len(tags), dtype=np.bool_)]
        rows: dict[frozenset[str], int] = {}
        kinds = np.zeros(sum(map(len, sentences)), dtype=np.int64)
        start = 0
        for sentence in sentences:
            end = start + len(sentence)
            if sentence.partial is not None:
                known, of_outside = sentence.partial.known, 0
                if known is not None:
                    if known not in rows:
                        hidden = _hidden_behind_outside(tags, known)
                        rows[known] = len(sets) if hidden.sum() > 1 else 0
                        sets.append(hidden)
                    of_outside = rows[known]
                kinds[start:end] = [
                    1 if is_ignored(tag) else of_outside if tag == OUTSIDE else 0 for tag in sentence.tags or ()
                ]
            start = end
        return cls(kinds, np.stack(sets), tags.index(OUTSIDE) if OUTSIDE in tags else 0) if kinds.any() else None

    def settle(self, gold: Ints) -> None:
        """Give tokens of unknown label the tag O in place; without O, the first tag. Together the tags stay legal."""
        gold[self._kinds == 1] = self._settled

    def allowed(self, gold: Ints, positions: Ints) -> NDArray[np.bool_] | None:
        """Return the tags that some tokens may have, (N, K); None if each has its gold tag only.

        Args:
            gold: the gold tags of the corpus, settled.
            positions: (N,) of the tokens in the corpus.
        """
        kinds = self._kinds[positions]
        if not kinds.any():
            return None
        only = gold[positions][:, None] == np.arange(self._sets.shape[1])
        return np.where(kinds[:, None] > 0, self._sets[kinds], only)


def _hidden_behind_outside(tags: Sequence[str], known: frozenset[str]) -> NDArray[np.bool_]:
    """Return which tags a token with O may have: O, and those of labels that are not known."""
    return np.array([tag == OUTSIDE or split_tag(tag)[1] not in known for tag in tags], dtype=np.bool_)
