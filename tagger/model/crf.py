"""The linear-chain CRF's loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tagger.corpus.schemes import Scheme, may_follow

FORBIDDEN = -1e4  # a score no sum of others makes up for, and which float32 and bfloat16 hold


def transition_mask(tags: list[str], scheme: Scheme) -> tuple[Tensor, Tensor, Tensor]:
    """Which transitions the scheme allows: (K, K) from row to column, (K,) to begin with, (K,) to end with."""
    between = torch.tensor([[may_follow(scheme, before, after) for after in tags] for before in tags])
    begin = torch.tensor([may_follow(scheme, None, tag) for tag in tags])
    end = torch.tensor([may_follow(scheme, tag, None) for tag in tags])
    return between, begin, end


class LinearChainCRF(nn.Module):
    """Negative log-likelihood of tag sequences (Lafferty et al. 2001; Lample et al. 2016, arXiv:1603.01360).

    The score of a sequence y is start[y_1] + Σ emission[t, y_t] + Σ transition[y_{t-1}, y_t] + end[y_T], with the
    transitions that the scheme forbids held at FORBIDDEN, so that they have no part in the partition sum.
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
        """Transition (K, K), start (K,) and end (K,) scores, the forbidden ones FORBIDDEN."""
        return (
            self.transitions.masked_fill(~self._between, FORBIDDEN),
            self.start.masked_fill(~self._begin, FORBIDDEN),
            self.end.masked_fill(~self._finish, FORBIDDEN),
        )

    def possible(self, mask: Tensor) -> Tensor:
        """(B, T, K) which tags may stand in a place: some can neither begin nor end a sentence.

        Args:
            mask: (B, T) as `forward` takes it.
        """
        possible = mask.new_ones(*mask.shape, len(self._begin))
        possible[:, 0] &= self._begin
        last = mask.sum(dim=1) - 1
        possible[torch.arange(len(mask), device=mask.device), last] &= self._finish
        return possible

    def forward(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Negative log-likelihood of each sentence, (B,).

        Args:
            emissions: (B, T, K).
            tags: (B, T) gold tags, legal under the scheme.
            mask: (B, T) True inside a sentence; sentences longest first, each at least one token long.
        """
        with torch.autocast(emissions.device.type, enabled=False):
            emissions = emissions.float()
            return self._log_partition(emissions, mask) - self._path_score(emissions, tags, mask)

    def _path_score(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        transitions, start, end = self.scores()
        emitted = emissions.gather(2, tags.unsqueeze(2)).squeeze(2) * mask  # (B, T)
        moved = transitions[tags[:, :-1], tags[:, 1:]] * mask[:, 1:]  # (B, T-1)
        last = tags.gather(1, mask.sum(dim=1, keepdim=True) - 1).squeeze(1)  # (B,)
        return start[tags[:, 0]] + emitted.sum(dim=1) + moved.sum(dim=1) + end[last]

    def _log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The forward algorithm over the sentences still running at each step.

        Σ_i exp(alpha_i + transition_ij) is taken as a matrix product of exponentials, alpha relative to its largest
        element: K² multiplications per token instead of K² exponentials. What is smaller than the largest by a factor
        that float32 cannot hold counts as that smallest number.
        """
        transitions, start, end = self.scores()
        factors = transitions.exp()  # (K, K), 0 where forbidden
        smallest = torch.finfo(factors.dtype).tiny
        running = mask.sum(dim=0).tolist()  # sentences at each time step, falling
        emitted = emissions.unbind(dim=1)  # not a slice per step: each one's gradient would be as large as the whole
        alpha = start + emitted[0]  # (B, K)
        finished: list[Tensor] = []
        for count, now in zip(running[1:], emitted[1:], strict=True):
            if count < alpha.shape[0]:
                finished.append(alpha[count:])
                alpha = alpha[:count]
            largest = alpha.max(dim=1, keepdim=True).values.detach()
            sums = (alpha - largest).exp() @ factors  # (n, K)
            alpha = sums.clamp_min(smallest).log() + largest + now[:count]
        alpha = torch.cat([alpha, *reversed(finished)])  # (B, K) at each sentence's last token
        return torch.logsumexp(alpha + end, dim=1)
