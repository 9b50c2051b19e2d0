"""Gather the texts of several requests, and tag them together in a thread of their own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import NamedTuple, Protocol

from tagger.corpus.document import Document

_MOST_CHARACTERS = 1 << 15  # of texts that are tagged together; a longer text is tagged alone
_MOST_TEXTS = 512


class How(NamedTuple):
    """What is wanted beside tags. Texts with the same wishes are tagged together."""

    scores: bool = False
    n_best: int = 0


class TextTagger(Protocol):
    """What tags texts, as `tagger.Tagger` does."""

    def pipe(self, texts: Iterable[str], *, scores: bool = False, n_best: int = 0) -> Iterator[Document]:
        """Yield the tagged document of each text, in order."""
        ...


class BusyError(Exception):
    """Too many texts wait to be tagged."""


class _Request:
    """The texts of a request, and what has become of them."""

    def __init__(self, texts: Sequence[str], how: How) -> None:
        self.texts, self.how = texts, how
        self.documents: list[Document | None] = [None] * len(texts)
        self.left = len(texts)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Batcher:
    """Tags texts of requests that come at the same time together.

    A request that comes alone is tagged at once. Where the batch before held several requests, others are waited for.
    """

    def __init__(
        self,
        tagger: TextTagger,
        thread: Executor,
        *,
        seconds: float,
        most_waiting: int,
        on_batch: Callable[[int], None] = lambda texts: None,
    ) -> None:
        """
        Args:
            tagger: tags the texts.
            thread: an executor with one thread.
            seconds: time to wait for other requests.
            most_waiting: texts that may wait.
            on_batch: called with the number of texts of each batch.
        """
        self._tagger, self._thread, self._seconds = tagger, thread, seconds
        self._most_waiting, self._on_batch = most_waiting, on_batch
        self._waiting: deque[tuple[_Request, int]] = deque()
        self._wake = asyncio.Event()
        self._several = False  # requests in the last batch

    async def tag(self, texts: Sequence[str], how: How = How()) -> list[Document]:  # noqa: B008
        """Tag texts; returns a document for each.

        Raises:
            BusyError: too many texts wait already.
        """
        if not texts:
            return []
        if len(self._waiting) + len(texts) > self._most_waiting:
            raise BusyError
        request = _Request(texts, how)
        self._waiting.extend((request, number) for number in range(len(texts)))
        self._wake.set()
        await request.done  # cancelled with the request, whose texts are then passed over
        return [document for document in request.documents if document is not None]

    async def run(self) -> None:
        """Tag what comes, until cancelled."""
        while True:
            await self._wake.wait()
            if self._several and self._seconds:
                await asyncio.sleep(self._seconds)
            batch = self._take()
            if not self._waiting:
                self._wake.clear()
            if not batch:
                continue
            self._several = len({id(request) for request, _ in batch}) > 1
            self._on_batch(len(batch))
            await self._tag(batch)

    def _take(self) -> list[tuple[_Request, int]]:
        """Take the first texts that wait and have the same wishes, without those of requests that have ended."""
        batch: list[tuple[_Request, int]] = []
        kept: deque[tuple[_Request, int]] = deque()
        characters = 0
        while self._waiting and len(batch) < _MOST_TEXTS:
            request, number = self._waiting.popleft()
            if request.done.done():
                continue
            if batch and request.how != batch[0][0].how:
                kept.append((request, number))
                continue
            characters += len(request.texts[number])
            if batch and characters > _MOST_CHARACTERS:
                kept.append((request, number))
                break
            batch.append((request, number))
        self._waiting.extendleft(reversed(kept))
        return batch

    async def _tag(self, batch: Sequence[tuple[_Request, int]]) -> None:
        texts = [request.texts[number] for request, number in batch]
        how = batch[0][0].how
        loop = asyncio.get_running_loop()
        try:
            documents = await loop.run_in_executor(self._thread, self._documents, texts, how)
        except Exception as error:
            for request, _ in batch:
                if not request.done.done():
                    request.done.set_exception(error)
            return
        for (request, number), document in zip(batch, documents, strict=True):
            request.documents[number] = document
            request.left -= 1
            if not request.left and not request.done.done():
                request.done.set_result(None)

    def _documents(self, texts: Sequence[str], how: How) -> list[Document]:
        return list(self._tagger.pipe(texts, scores=how.scores, n_best=how.n_best))
