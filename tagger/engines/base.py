"""The interface of an engine: words of a batch in, emissions out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """Runs a model folder's network."""

    def emissions(self, sentences: Sequence[Sequence[str]], batch_sizes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Compute how well each tag fits each token, before transitions.

        Args:
            sentences: the words of B sentences, longest first, none empty.
            batch_sizes: (T,) sentences at each time step, in falling order.

        Returns:
            (N, K) packed by time: the first tokens of all sentences, then the second tokens of those that have one,
            and so on.
        """
        ...


@runtime_checkable
class AheadEngine(Engine, Protocol):
    """An engine that starts the next batch while the caller works on the emissions of the one before.

    Attributes:
        batch_tokens: the best number of tokens per batch.
    """

    batch_tokens: int

    def emissions_ahead(self, batches: Iterable[Sequence[Sequence[str]]]) -> Iterator[NDArray[np.float32]]:
        """Yield the emissions of batches in order, each as from `emissions`."""
        ...
