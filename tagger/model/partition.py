"""The log partition sum of a linear chain, step by step or by halves.

Σ_i exp(left_i + right_ij) is computed as a matrix product of exponentials relative to the largest: K² multiplications
instead of K² exponentials. A term too small for the type, relative to the largest, counts as its smallest number.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tagger.model.packing import Packing

_NEVER = -1e4  # a logarithm whose exponential is zero, and whose gradient is still a number
_AT_ONCE = 1 << 27  # elements of all steps' matrices, half a gigabyte; above it, go step by step on any device


def log_partition(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, packing: Packing) -> Tensor:
    """Return log Σ exp(score) over all tag sequences of each sentence, (B,), the way that is faster on the device.

    Args:
        emissions: (N, K).
        transitions, start, end: (K, K) from row to column, (K,), (K,).
        packing: the order of the N tokens.
    """
    steps, sentences, tags = len(packing.batch_sizes), len(packing.last), emissions.shape[1]
    if emissions.device.type == "cpu" or steps * sentences * tags**2 > _AT_ONCE:
        found: Tensor = StepByStep.apply(emissions, transitions, start, end, packing)
        return found
    return by_halves(emissions, transitions, start, end, packing)


class StepByStep(torch.autograd.Function):
    """The forward algorithm: N K² multiplications in T steps. The gradients are the backward algorithm's marginals."""

    @staticmethod
    def forward(
        ctx: Any, emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, packing: Packing
    ) -> Tensor:
        sizes, factors = packing.sizes, transitions.exp()  # (K, K), 0 where forbidden
        smallest = torch.finfo(emissions.dtype).tiny
        first, *later = emissions.split(sizes)
        alpha = start + first  # (B, K); for a sentence that has ended, that of its last token
        relative, sums = emissions.new_empty(2, len(emissions) - sizes[0], emissions.shape[1])
        for now, weights, total in zip(later, relative.split(sizes[1:]), sums.split(sizes[1:]), strict=True):
            reached = alpha[: len(now)]
            largest = reached.amax(dim=1, keepdim=True)
            torch.sub(reached, largest, out=weights).exp_()
            torch.mm(weights, factors, out=total).clamp_min_(smallest)
            torch.log(total, out=reached).add_(largest).add_(now)
        ended = alpha + end
        ctx.save_for_backward(relative, sums, factors, ended.softmax(dim=1))
        ctx.sizes = sizes
        return torch.logsumexp(ended, dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        relative, sums, factors, last = ctx.saved_tensors
        sizes: list[int] = ctx.sizes
        at_end = last * gradient.unsqueeze(1)
        of_alpha = at_end.clone()  # (B, K), of the last tokens in the beginning, of the first ones in the end
        marginals = last.new_empty(sum(sizes), last.shape[1])
        first, *later = marginals.split(sizes)
        of_sums = torch.empty_like(sums)
        divisors = sums.masked_fill(sums <= torch.finfo(sums.dtype).tiny, torch.inf)
        parts = (later, *(part.split(sizes[1:]) for part in (relative, divisors, of_sums)))
        for marginal, weights, divisor, of_sum in reversed(list(zip(*parts, strict=True))):
            reached = of_alpha[: len(marginal)]
            marginal.copy_(reached)
            torch.div(reached, divisor, out=of_sum)
            torch.mm(of_sum, factors.T, out=reached).mul_(weights)
        first.copy_(of_alpha)
        return marginals, factors * (relative.T @ of_sums), of_alpha.sum(dim=0), at_end.sum(dim=0), None


def by_halves(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, packing: Packing) -> Tensor:
    """Compute `log_partition` in about log₂ T rounds, each multiplying neighbouring matrices (K, K) of the steps.

    This is an associative scan (Särkkä & García-Fernández 2021, arXiv:1905.13002) that returns only its last value. It
    needs K times the multiplications of `StepByStep`, but no step waits for the one before.
    """
    steps, sentences = len(packing.batch_sizes), len(packing.last)
    at = (packing.steps, packing.sentences)
    padded = emissions.new_zeros(steps, sentences, emissions.shape[1]).index_put(at, emissions)
    inside = torch.zeros(steps, sentences, dtype=torch.bool, device=emissions.device).index_put(
        at, packing.steps.new_ones((), dtype=torch.bool)
    )
    nothing = torch.full_like(transitions, _NEVER).fill_diagonal_(0.0)  # the identity's logarithm
    chain = torch.where(inside[1:, :, None, None], transitions + padded[1:, :, None, :], nothing)  # (T-1, B, K, K)
    while len(chain) > 1:
        pairs = len(chain) // 2 * 2
        chain = torch.cat([_product(chain[0:pairs:2], chain[1:pairs:2]), chain[pairs:]])
    alpha = (start + padded[0]).unsqueeze(2)  # (B, K, 1)
    whole = alpha + chain[0] if len(chain) else alpha + nothing
    return torch.logsumexp(whole + end, dim=(1, 2))


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Return the logarithm of the product of two matrices' exponentials, (…, K, K)."""
    by_row, by_column = left.detach().amax(dim=-1, keepdim=True), right.detach().amax(dim=-2, keepdim=True)
    product = (left - by_row).exp() @ (right - by_column).exp()
    return product.clamp_min(torch.finfo(product.dtype).tiny).log() + by_row + by_column
