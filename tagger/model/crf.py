"""The linear-chain CRF's loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tagger.corpus.schemes import Scheme, may_follow
from tagger.model.batch import TensorSoftTargets
from tagger.model.packing import Packing
from tagger.model.partition import log_partition

FORBIDDEN = -1e4  # no sum of other scores can outweigh it; float32 and bfloat16 can hold it


def transition_mask(tags: list[str], scheme: Scheme) -> tuple[Tensor, Tensor, Tensor]:
    """Return the transitions that the scheme allows: (K, K) from row to column, (K,) first tags, (K,) last tags."""
    between = torch.tensor([[may_follow(scheme, before, after) for after in tags] for before in tags])
    begin = torch.tensor([may_follow(scheme, None, tag) for tag in tags])
    end = torch.tensor([may_follow(scheme, tag, None) for tag in tags])
    return between, begin, end


class LinearChainCRF(nn.Module):
    """Negative log-likelihood of tag sequences (Lafferty et al. 2001; Lample et al. 2016, arXiv:1603.01360).

    The score of a sequence y is start[y_1] + Σ emission[t, y_t] + Σ transition[y_{t-1}, y_t] + end[y_T]. Transitions
    that the scheme forbids have the score FORBIDDEN, so that they add nothing to the partition sum.
    """

    def __init__(self, tags: list[str], scheme: Scheme) -> None:
        super().__init__()
        between, begin, end = transition_mask(tags, scheme)
        self.transitions = nn.Parameter(torch.zeros(len(tags), len(tags)))
        self.start = nn.Parameter(torch.zeros(len(tags)))
        self.end = nn.Parameter(torch.zeros(len(tags)))
        self.register_buffer("_between", between, persistent=False)
        self.register_buffer("_begin", begin, persistent=False)
        self.register_buffer("_finish", end, persistent=False)
        self._between: Tensor
        self._begin: Tensor
        self._finish: Tensor

    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return transition (K, K), start (K,) and end (K,) scores. Forbidden ones are FORBIDDEN."""
        return (
            self.transitions.masked_fill(~self._between, FORBIDDEN),
            self.start.masked_fill(~self._begin, FORBIDDEN),
            self.end.masked_fill(~self._finish, FORBIDDEN),
        )

    def possible(self, packing: Packing) -> Tensor:
        """Return which tags each token may have, (N, K): some tags cannot begin or end a sentence."""
        possible = self._begin.new_ones(len(packing.sentences), len(self._begin))
        possible[: len(packing.last)] &= self._begin
        possible[packing.last] &= self._finish
        return possible

    def forward(
        self,
        emissions: Tensor,
        tags: Tensor,
        packing: Packing,
        allowed: Tensor | None = None,
        soft: TensorSoftTargets | None = None,
    ) -> Tensor:
        """Return the negative log-likelihood of each sentence, (B,).

        With `allowed`, it is that of all sequences of allowed tags together (Tsuboi et al. 2008; for O that may hide
        other labels, Greenberg et al. 2018).

        With soft targets, sentences are weighted, and the loss of those that have them is the cross-entropy between
        the teacher's distribution over taggings and this one's. The scores of the teacher's transitions are known for
        the whole batch, and are spread evenly over its sentences.

        Args:
            emissions: (N, K).
            tags: (N,) gold tags, legal under the scheme.
            packing: the order of the N tokens.
            allowed: (N, K) tags that each token may have; a legal sequence of them exists. None: only the gold tag.
            soft: a teacher's targets.
        """
        with torch.autocast(emissions.device.type, enabled=False):
            emissions = emissions if emissions.dtype == torch.float64 else emissions.float()
            transitions, start, end = self.scores()
            partition = log_partition(emissions, transitions, start, end, packing)
            sentences = len(packing.last)
            if allowed is None:
                token = emissions.gather(1, tags.unsqueeze(1)).squeeze(1)  # (N,)
                into = torch.cat([start[tags[:sentences]], transitions[tags[packing.before], tags[sentences:]]])
                gold = end[tags[packing.last]].index_add(0, packing.sentences, token + into)  # (B,)
            else:
                only = emissions.masked_fill(~allowed, FORBIDDEN)
                gold = log_partition(only, transitions, start, end, packing)
            if soft is None:
                return partition - gold
            expected = (soft.marginals * emissions).sum(dim=1)  # (N,)
            at_start, at_end = soft.marginals[:sentences] * start, soft.marginals[packing.last] * end
            expected = (at_start + at_end).sum(dim=1).index_add(0, packing.sentences, expected)  # (B,)
            losses = soft.weights * (partition - torch.where(soft.from_teacher, expected, gold))
            return losses - (soft.transitions * transitions).sum() / sentences
