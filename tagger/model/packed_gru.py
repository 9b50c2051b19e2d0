"""Bidirectional GRUs over packed sentences on a CPU, with gradients written out.

Both directions advance together, with one batched product per step. All that depends on no state, and on no gradient of
a state, is computed for all tokens at once. Autograd would keep a node for each operation of each step.

`engines.reference_cells` has the equations. W x with its bias is called the projection. Arrays (2, N, …) are packed by
time in each direction's own order, longest sentences first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from tagger.features.batching import reversed_positions
from tagger.model.transfer import on_device


class Order(NamedTuple):
    """The order of N packed tokens.

    Attributes:
        sizes: number of sentences at each of T steps, in falling order.
        backward: (N,) position of the reverse direction's k-th token. The same array maps positions back.
        before: (N - B,) position of the preceding token, for the tokens after the first step.
    """

    sizes: list[int]
    backward: Tensor
    before: Tensor

    @classmethod
    def of(cls, batch_sizes: Tensor, device: torch.device) -> Order:
        """Make the order from the number of sentences that reach each step, (T,), on the CPU."""
        counts = batch_sizes.numpy()
        before = np.arange(counts[0], counts.sum()) - np.repeat(counts[:-1], counts[1:])
        return cls(counts.tolist(), *on_device([reversed_positions(counts), before], device))


class Weights(NamedTuple):
    """The parameters of a layer in the order of `nn.GRU`: (3H, E), (3H, H), (3H,), (3H,) for each direction."""

    input: Tensor
    recurrent: Tensor
    input_bias: Tensor
    recurrent_bias: Tensor
    input_reverse: Tensor
    recurrent_reverse: Tensor
    input_bias_reverse: Tensor
    recurrent_bias_reverse: Tensor

    def both_recurrent(self) -> Tensor:
        """Stack the recurrent weights of both directions: (2, 3H, H)."""
        return torch.stack([self.recurrent, self.recurrent_reverse])

    def both_biases(self) -> tuple[Tensor, Tensor]:
        """Stack the biases of both directions: (2, 3H) of the input, (2, 3H) of the state."""
        return (
            torch.stack([self.input_bias, self.input_bias_reverse]),
            torch.stack([self.recurrent_bias, self.recurrent_bias_reverse]),
        )


class ResetAfter(torch.autograd.Function):
    """PyTorch's GRU: the reset gate acts after the matrix product."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, order: Order, products: torch.dtype | None, frozen: int, *parameters: Tensor
    ) -> Tensor:
        """Return the states, with the two directions side by side: (N, E) → (N, 2H).

        Args:
            values, parameters: the inputs that get gradients. The parameters have the order of `Weights`.
            order: the order of the tokens.
            products: type of the products with the input weights; None for their own type.
            frozen: number of last values among the E that need no gradient, and get zero.
        """
        weights, sizes = Weights(*parameters), order.sizes
        hidden = weights.recurrent.shape[1]
        bias, recurrent_bias = weights.both_biases()
        bias[:, : 2 * hidden] += recurrent_bias[:, : 2 * hidden]
        gates = _projected(values, weights, bias, order, products)  # (2, N, 3H); turned into r, z and n below
        recurrent = weights.both_recurrent().transpose(1, 2)  # (2, H, 3H)
        outside = recurrent_bias[:, None, 2 * hidden :]
        gated, states = (values.new_empty(2, len(values), hidden) for _ in range(2))  # U_n h + b, and h
        scratch = values.new_empty(2, sizes[0], 3 * hidden)
        parts = (gates[..., : 2 * hidden], *gates.chunk(3, dim=2), gated, states)
        state = values.new_zeros(2, sizes[0], hidden)
        for both, reset, update, candidate, product, out in _steps(parts, sizes):
            state = state[:, : out.shape[1]]
            multiplied = torch.bmm(state, recurrent, out=scratch[:, : out.shape[1]])
            both.add_(multiplied[..., : 2 * hidden]).sigmoid_()
            torch.add(multiplied[..., 2 * hidden :], outside, out=product)
            candidate.addcmul_(reset, product).tanh_()
            state = torch.lerp(candidate, state, update, out=out)
        ctx.save_for_backward(values, gates, gated, states, *parameters)
        ctx.order, ctx.products, ctx.frozen = order, products or values.dtype, frozen
        return _side_by_side(states, order)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        values, gates, gated, states, *parameters = ctx.saved_tensors
        order, weights = ctx.order, Weights(*parameters)
        reset, update, candidate = gates.chunk(3, dim=2)
        before, keep = _before(states, order), 1 - update
        to_candidate = keep * (1 - candidate.square())
        factors = gates.new_empty(*states.shape[:2], 3, states.shape[2])  # (2, N, 3, H), factors of a state's gradient
        torch.mul(to_candidate, reset, out=factors[:, :, 2])
        torch.mul((1 - reset).mul_(gated), factors[:, :, 2], out=factors[:, :, 0])
        torch.mul(before - candidate, keep.mul_(update), out=factors[:, :, 1])
        flat, recurrent = factors.flatten(2), weights.both_recurrent()
        of_states = _by_direction(gradient, order)  # (2, N, H); those of later steps are added to it
        carried = gradient.new_zeros(2, 0, states.shape[2])
        parts = (of_states, factors, flat, update)
        for of_state, factor, of_product, passed in reversed(_steps(parts, order.sizes)):
            of_state[:, : carried.shape[1]] += carried
            factor *= of_state.unsqueeze(2)  # now the gradients of U h
            carried = torch.baddbmm(of_state * passed, of_product, recurrent)
        of_recurrent, of_bias = torch.bmm(flat.transpose(1, 2), before), flat.sum(dim=1)
        torch.mul(of_states, to_candidate, out=factors[:, :, 2])  # now the gradients of the projection
        return _gradients(ctx, values, weights, flat, (of_recurrent, of_bias))


class ResetBefore(torch.autograd.Function):
    """The GRU of Cho et al. 2014: the reset gate acts before the matrix product."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, order: Order, products: torch.dtype | None, frozen: int, *parameters: Tensor
    ) -> Tensor:
        """Return the states; see `ResetAfter.forward`."""
        weights, sizes = Weights(*parameters), order.sizes
        hidden = weights.recurrent.shape[1]
        gates = _projected(values, weights, torch.stack(weights.both_biases()).sum(dim=0), order, products)
        for_gates, for_candidate = weights.both_recurrent().transpose(1, 2).split([2 * hidden, hidden], dim=2)
        states = values.new_empty(2, len(values), hidden)
        state = values.new_zeros(2, sizes[0], hidden)
        parts = (gates[..., : 2 * hidden], *gates.chunk(3, dim=2), states)
        for both, reset, update, candidate, out in _steps(parts, sizes):
            state = state[:, : out.shape[1]]
            both.baddbmm_(state, for_gates).sigmoid_()
            candidate.baddbmm_(reset * state, for_candidate).tanh_()
            state = torch.lerp(candidate, state, update, out=out)
        ctx.save_for_backward(values, gates, states, *parameters)
        ctx.order, ctx.products, ctx.frozen = order, products or values.dtype, frozen
        return _side_by_side(states, order)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        values, gates, states, *parameters = ctx.saved_tensors
        order, weights = ctx.order, Weights(*parameters)
        hidden = states.shape[2]
        reset, update, candidate = gates.chunk(3, dim=2)
        before, keep = _before(states, order), 1 - update
        factors = gates.new_empty(*states.shape[:2], 3, hidden)  # (2, N, 3, H)
        torch.mul(keep, 1 - candidate.square(), out=factors[:, :, 2])
        torch.mul((1 - reset).mul_(reset), before, out=factors[:, :, 0])
        torch.mul(before - candidate, keep.mul_(update), out=factors[:, :, 1])
        flat, recurrent = factors.flatten(2), weights.both_recurrent()
        for_gates, for_candidate = recurrent.split([2 * hidden, hidden], dim=1)
        of_states = _by_direction(gradient, order)
        carried = gradient.new_zeros(2, 0, hidden)
        parts = (of_states, factors, flat, reset, update)
        for of_state, factor, of_product, opened, passed in reversed(_steps(parts, order.sizes)):
            of_state[:, : carried.shape[1]] += carried
            factor[:, :, 1:] *= of_state.unsqueeze(2)
            of_opened = torch.bmm(factor[:, :, 2], for_candidate)  # of r ⊙ h
            factor[:, :, 0] *= of_opened
            carried = torch.addcmul(of_state * passed, of_opened, opened)
            carried.baddbmm_(of_product[..., : 2 * hidden], for_gates)
        of_gates = torch.bmm(flat[..., : 2 * hidden].transpose(1, 2), before)
        of_candidate = torch.bmm(flat[..., 2 * hidden :].transpose(1, 2), reset * before)
        of_recurrent = torch.cat([of_gates, of_candidate], dim=1)
        return _gradients(ctx, values, weights, flat, (of_recurrent, flat.sum(dim=1)))


def _steps(parts: Sequence[Tensor], sizes: list[int]) -> list[tuple[Tensor, ...]]:
    """Split each part into views (2, n, …), one per step."""
    return list(zip(*(part.split(sizes, dim=1) for part in parts), strict=True))


def _projected(values: Tensor, weights: Weights, bias: Tensor, order: Order, products: torch.dtype | None) -> Tensor:
    """Compute W x + b for each token, (2, N, 3H). The reverse direction has its own order."""
    found = values.new_empty(2, len(values), bias.shape[1])
    products = products or values.dtype
    read = values.to(products)
    for target, weight, added in zip(found, (weights.input, weights.input_reverse), bias, strict=True):
        torch.add(read @ weight.to(products).T, added, out=target)
    found[1] = found[1][order.backward]
    return found


def _gradients(
    ctx: Any, values: Tensor, weights: Weights, of_projection: Tensor, of_recurrent: tuple[Tensor, Tensor]
) -> tuple[Tensor | None, ...]:
    """Compute what `backward` returns from the gradients of projections (2, N, 3H), recurrent weights and biases."""
    read, products = values.to(ctx.products), ctx.products
    of_projections = (of_projection[0], of_projection[1][ctx.order.backward])
    of_bias = of_projection.sum(dim=1)
    lower = [gradient.to(products) for gradient in of_projections]
    of_input = [(gradient.T @ read).to(values.dtype) for gradient in lower]
    of_values = None
    if ctx.needs_input_grad[0]:
        wanted = slice(values.shape[1] - ctx.frozen)
        forward, reverse = (
            gradient @ weight[:, wanted].to(products)
            for gradient, weight in zip(lower, (weights.input, weights.input_reverse), strict=True)
        )
        of_values = functional.pad(forward.to(values.dtype).add_(reverse), (0, ctx.frozen))
    of_parameters = [(of_input[way], of_recurrent[0][way], of_bias[way], of_recurrent[1][way]) for way in (0, 1)]
    return of_values, None, None, None, *of_parameters[0], *of_parameters[1]


def _before(states: Tensor, order: Order) -> Tensor:
    """Return the state before each token, (2, N, H); zeros before the first one."""
    found = torch.zeros_like(states)
    found[:, order.sizes[0] :] = states[:, order.before]
    return found


def _side_by_side(states: Tensor, order: Order) -> Tensor:
    """Join the directions: (2, N, H) in each direction's order → (N, 2H) in the order of the tokens."""
    return torch.cat([states[0], states[1][order.backward]], dim=1)


def _by_direction(values: Tensor, order: Order) -> Tensor:
    """Split the directions: (N, 2H) in the order of the tokens → (2, N, H) in each direction's order."""
    forward, reverse = values.chunk(2, dim=1)
    return torch.stack([forward, reverse[order.backward]])
