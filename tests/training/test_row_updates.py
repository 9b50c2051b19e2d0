"""Row-wise steps beside the dense optimiser: the same weights and moments once all rows are settled."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from tagger.model.row_table import RowTable
from tagger.training import row_updates
from tagger.training.row_updates import LazyAdam, by_rows, large_tables

ROWS, WIDTH = 30, 3
SETTINGS = [  # ε is the one thing in which a missed step differs
    (AdamW, {"weight_decay": 0.1, "eps": 1e-18}),
    (AdamW, {"weight_decay": 0.1, "eps": 1e-18, "fused": True}),
    (AdamW, {"betas": (0.0, 0.9), "weight_decay": 0.0, "eps": 1e-18}),
    (AdamW, {"betas": (0.99, 0.9), "eps": 1e-18}),
    (Adam, {"eps": 1e-18}),
]


class Reader(nn.Module):
    """Rows of a table, through a layer, to one number."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = RowTable(ROWS, WIDTH).double()
        self.layer = nn.Linear(WIDTH, 1).double()

    def forward(self, numbers: Tensor) -> Tensor:
        vectors = self.table.look_up(numbers, numbers.numpy())
        return self.layer(torch.tanh(vectors)).square().sum()


def numbers(step: int) -> Tensor:
    """Some rows in each step, others once in a while, the last never; some twice in one step."""
    random = np.random.default_rng(step)
    return torch.from_numpy(np.append(random.integers(0, ROWS - 1, 3) if step % 7 else [5], [0, 0, 1]))


def train(
    reader: Reader, optimizer: Optimizer, rows: LazyAdam | None, steps: range, *, at_once: int = 1, clip: float = 1.0
) -> None:
    for step in steps:
        optimizer.param_groups[0]["lr"] = 0.05 / (1 + step / 20)
        optimizer.zero_grad()
        for part in range(at_once):
            reader(numbers(step * at_once + part)).backward()
        nn.utils.clip_grad_norm_([*reader.parameters(), *(rows.leaves() if rows else ())], clip)
        optimizer.step()


def both(make: type[Optimizer], settings: dict[str, object]) -> tuple[Reader, Optimizer, Reader, Optimizer, LazyAdam]:
    dense, sparse = Reader(), Reader()
    of_dense, of_sparse = (make(reader.parameters(), **settings) for reader in (dense, sparse))  # type: ignore[call-arg]
    return dense, of_dense, sparse, of_sparse, LazyAdam(of_sparse, [sparse.table])


def assert_same(
    dense: Reader, of_dense: Optimizer, sparse: Reader, of_sparse: Optimizer, tolerance: float = 1e-9
) -> None:
    for one, other in zip(dense.parameters(), sparse.parameters(), strict=True):
        torch.testing.assert_close(other, one, atol=tolerance, rtol=tolerance)
        for name, expected in of_dense.state[one].items():
            torch.testing.assert_close(
                of_sparse.state[other][name].double(), expected.double(), atol=tolerance, rtol=tolerance
            )


@pytest.mark.parametrize(("make", "settings"), SETTINGS, ids=lambda value: str(value)[:40])
def test_weights_and_moments_are_those_of_the_dense_optimiser(
    make: type[Optimizer], settings: dict[str, object]
) -> None:
    dense, of_dense, sparse, of_sparse, rows = both(make, settings)
    train(dense, of_dense, None, range(300))
    train(sparse, of_sparse, rows, range(150))
    rows.settle()
    train(sparse, of_sparse, rows, range(150, 300))
    rows.settle()
    assert_same(dense, of_dense, sparse, of_sparse)


def test_the_usual_epsilon_makes_no_difference_that_counts() -> None:
    dense, of_dense, sparse, of_sparse, rows = both(AdamW, {"weight_decay": 0.1})
    train(dense, of_dense, None, range(300))
    train(sparse, of_sparse, rows, range(300))
    rows.settle()
    assert_same(dense, of_dense, sparse, of_sparse, tolerance=1e-4)


def test_gradients_are_accumulated_over_several_batches() -> None:
    dense, of_dense, sparse, of_sparse, rows = both(*SETTINGS[0])
    train(dense, of_dense, None, range(40), at_once=3)
    train(sparse, of_sparse, rows, range(40), at_once=3)
    rows.settle()
    assert_same(dense, of_dense, sparse, of_sparse)


def test_a_read_sees_the_dense_optimiser_s_weights() -> None:
    dense, of_dense, sparse, of_sparse, rows = both(*SETTINGS[0])
    for step in range(60):
        torch.testing.assert_close(sparse(numbers(step)), dense(numbers(step)), atol=1e-6, rtol=1e-5)
        sparse.table.reads.clear()
        train(dense, of_dense, None, range(step, step + 1))
        train(sparse, of_sparse, rows, range(step, step + 1))


def test_a_run_goes_on_from_the_optimiser_s_state_whichever_way_it_was_made() -> None:
    dense, of_dense, sparse, of_sparse, rows = both(*SETTINGS[0])
    train(dense, of_dense, None, range(100))
    train(sparse, of_sparse, rows, range(60))
    rows.settle()
    weights, state = sparse.state_dict(), of_sparse.state_dict()
    for row_wise in (True, False):
        again = Reader()
        again.load_state_dict(weights)
        optimizer = SETTINGS[0][0](again.parameters(), **SETTINGS[0][1])  # type: ignore[arg-type]
        rows_again = LazyAdam(optimizer, [again.table]) if row_wise else None
        optimizer.load_state_dict(copy.deepcopy(state))
        train(again, optimizer, rows_again, range(60, 100))
        if rows_again:
            rows_again.settle()
        assert_same(dense, of_dense, again, optimizer)


def test_a_step_leaves_rows_that_it_did_not_meet_alone() -> None:
    _, _, sparse, of_sparse, rows = both(*SETTINGS[0])
    train(sparse, of_sparse, rows, range(3))
    before = sparse.table.weight.detach().clone()
    sparse(torch.tensor([4, 9])).backward()
    assert sparse.table.weight.grad is None
    of_sparse.step()
    changed = (sparse.table.weight != before).any(dim=1).nonzero().flatten()
    assert changed.tolist() == [4, 9]


def test_rows_settled_in_many_pieces_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for at_once in (1 << 16, 7):
        monkeypatch.setattr(row_updates, "_ROWS_AT_ONCE", at_once)
        _, _, sparse, of_sparse, rows = both(*SETTINGS[0])
        train(sparse, of_sparse, rows, range(20))
        rows.settle()
        found.append(sparse.table.weight.detach())
    assert torch.equal(*found)


def test_without_training_the_table_is_read_as_it_is() -> None:
    _, _, sparse, _, rows = both(*SETTINGS[0])
    sparse.eval()(torch.tensor([1, 2]))
    with torch.no_grad():
        sparse.train()(torch.tensor([1, 2]))
    assert rows.leaves() == []


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda parameters: AdamW(parameters, fused=True), True),
        (Adam, True),
        (lambda parameters: Adam(parameters, weight_decay=0.1), False),
        (lambda parameters: AdamW(parameters, amsgrad=True), False),
        (lambda parameters: AdamW(parameters, lr=torch.tensor(0.1), foreach=False), False),
        (lambda parameters: torch.optim.SGD(parameters, lr=0.1), False),
    ],
)
def test_other_optimisers_take_their_steps_as_a_whole(
    make: Callable[[list[nn.Parameter]], Optimizer], expected: bool
) -> None:
    assert by_rows(make([nn.Parameter(torch.zeros(2))])) is expected


def test_large_tables_alone_are_updated_by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader()
    assert large_tables(reader) == []
    monkeypatch.setattr(row_updates, "_LARGE", ROWS * WIDTH)
    assert large_tables(reader) == [reader.table]
