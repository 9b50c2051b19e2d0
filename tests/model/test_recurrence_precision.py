"""PyTorch's recurrent layers compute in the type of their weights, and no less exactly than a CPU where that counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from tagger.config import Cell
from tagger.model.recurrence import bidirectional

SENTENCES, STEPS, WIDTH, HIDDEN = 3, 5, 4, 6
KINDS: list[tuple[Cell, type[nn.RNNBase]]] = [("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)]


def called(layer: nn.Module, values: Any) -> torch.Tensor:
    """The states that PyTorch's own code gives: with a state to begin with a GRU takes it on a CPU, too."""
    states = layer(values, torch.zeros(2, SENTENCES, HIDDEN))[0] if isinstance(layer, nn.GRU) else layer(values)[0]
    return states if isinstance(states, torch.Tensor) else states.data


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("cell", "theirs"), KINDS)
def test_under_autocast_nothing_is_rounded(cell: Cell, theirs: type[nn.RNNBase], packed: bool) -> None:
    torch.manual_seed(0)
    layer = bidirectional(cell, WIDTH, HIDDEN)
    other = theirs(WIDTH, HIDDEN, batch_first=True, bidirectional=True)  # type: ignore[call-arg]
    other.load_state_dict(layer.state_dict())
    values: Any = torch.randn(SENTENCES, STEPS, WIDTH).bfloat16()
    given: Any = values.float()
    if packed:
        values, given = (
            pack_padded_sequence(each, torch.tensor([5, 4, 1]), batch_first=True) for each in (values, given)
        )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = called(layer, values)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, called(other, given), rtol=0, atol=0)


@contextmanager
def half_without_gradients() -> Iterator[None]:
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        yield


@pytest.mark.parametrize(
    ("how", "allowed"),
    [(torch.enable_grad, True), (torch.no_grad, False), (torch.inference_mode, False), (half_without_gradients, True)],
)
@pytest.mark.parametrize(("cell", "theirs"), KINDS)
def test_tf32_is_for_training_and_for_lower_precision(
    cell: Cell, theirs: type[nn.RNNBase], how: Any, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, seen = bidirectional(cell, WIDTH, HIDDEN), []
    original = theirs.forward

    def forward(*given: Any) -> Any:
        seen.append((torch.backends.cudnn.allow_tf32, torch.is_autocast_enabled("cpu")))
        return original(*given)

    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setattr(theirs, "forward", forward)
    context: AbstractContextManager[object] = how()
    with context:
        called(layer, torch.randn(SENTENCES, STEPS, WIDTH))
    assert seen == [(allowed, False)]
    assert torch.backends.cudnn.allow_tf32
