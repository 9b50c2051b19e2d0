"""Run a job: parts to an executor, finished parts in order to the output."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tagger.bulk.executors.base import Executor
from tagger.bulk.job import BadRecordError, Counts, FinishedPart
from tagger.bulk.outputs import Account, Output
from tagger.bulk.parts import Part
from tagger.bulk.run_state import RunState

Tell = Callable[[Counts, int, int], None]


def run_job(
    parts: Iterable[Part | None],
    executor: Executor,
    output: Output,
    account: Account,
    *,
    state: RunState | None = None,
    tell: Tell = lambda counts, amount, kept: None,
) -> None:
    """Tag parts and put them together.

    Args:
        parts: in order; None waits for all parts before it.
        executor: tags them.
        output: takes them in order.
        account: what was read and written is entered there.
        state: of a run that can be continued.
        tell: called after each part with what was tagged so far, the bytes of input that were read for it, and those
            that an earlier run had tagged.

    Raises:
        UserError: something cannot be read or written, or is malformed.
        WorkerLostError: a worker process was ended.
    """
    amounts: deque[int] = deque()
    done = kept = finished = 0
    try:
        for part in _in_order(parts, executor, amounts, state):
            amount = amounts.popleft()
            output.add(part, account.enter(part))
            finished += 1
            done, kept = (done, kept + amount) if part.is_kept else (done + amount, kept)
            tell(account.counts, done, kept)
    except BadRecordError as error:
        if state is not None:
            state.forget_from(finished)
        raise account.located(error) from error
    counts = account.counts
    assert counts.records == counts.tagged + counts.empty + counts.rejected, "records are missing"
    output.finish()


def _in_order(
    parts: Iterable[Part | None], executor: Executor, amounts: deque[int], state: RunState | None
) -> Iterator[FinishedPart]:
    for part in parts:
        if part is None:
            yield from executor.finish()
            continue
        amounts.append(sum(piece.amount for piece in part.pieces))
        task: Any = part if state is None else state.task(part)
        yield from executor.submit(task)
    yield from executor.finish()
