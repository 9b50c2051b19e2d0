"""What an engine is: words of a batch in, emissions out. Encoding before and decoding after are shared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """Runs a model folder's network."""

    def emissions(self, sentences: Sequence[Sequence[str]], batch_sizes: NDArray[np.int64]) -> NDArray[np.float32]:
        """How well each tag fits each token, before transitions.

        Args:
            sentences: the words of B sentences, longest first, none empty.
            batch_sizes: (T,) sentences that reach each time step, in falling order.

        Returns:
            (N, K) packed by time: the first tokens of all sentences, then the second tokens of those that have one,
            and so on.
        """
        ...


@runtime_checkable
class AheadEngine(Engine, Protocol):
    """An engine that goes on with the next batch while what it found for one is looked at.

    Attributes:
        batch_tokens: how many tokens a batch had best have.
    """

    batch_tokens: int

    def emissions_ahead(self, batches: Iterable[Sequence[Sequence[str]]]) -> Iterator[NDArray[np.float32]]:
        """Emissions of batches in their order, each as `emissions` gives them."""
        ...
