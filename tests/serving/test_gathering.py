"""Texts of several requests are tagged together; each request gets its own, in order, whatever happens to others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tagger.corpus.document import Document
from tagger.serving.batching import Batcher, BusyError, How


class Recorder:
    """Gives each text a document, records which texts came together, and may wait or fail."""

    def __init__(self) -> None:
        self.batches: list[tuple[list[str], How]] = []
        self.free = threading.Event()
        self.free.set()

    def pipe(self, texts: Iterable[str], *, scores: bool = False, n_best: int = 0) -> Iterator[Document]:
        together = list(texts)
        self.batches.append((together, How(scores, n_best)))
        assert self.free.wait(30)
        if "fail" in together:
            raise RuntimeError("failed")
        return (Document(text, []) for text in together)


def run(check: Callable[[Batcher, Recorder], Awaitable[None]], **how: float) -> Recorder:
    """Run a check with a batcher at work."""
    recorder = Recorder()

    async def whole() -> None:
        with ThreadPoolExecutor(1) as thread:
            batcher = Batcher(recorder, thread, seconds=how.get("seconds", 0), most_waiting=int(how.get("most", 100)))
            task = asyncio.create_task(batcher.run())
            try:
                await check(batcher, recorder)
            finally:
                recorder.free.set()
                task.cancel()

    asyncio.run(whole())
    return recorder


def texts_of(documents: list[Document]) -> list[str]:
    return [one.text for one in documents]


async def held(batcher: Batcher, recorder: Recorder) -> asyncio.Task[list[Document]]:
    """Begin a request that is being tagged until `free` is set."""
    recorder.free.clear()
    first = asyncio.create_task(batcher.tag(["first"]))
    while not recorder.batches:
        await asyncio.sleep(0.001)
    return first


def test_what_comes_while_others_are_tagged_is_tagged_together() -> None:
    async def check(batcher: Batcher, recorder: Recorder) -> None:
        first = await held(batcher, recorder)
        others = [asyncio.create_task(batcher.tag([f"{n}a", f"{n}b"])) for n in range(3)]
        await asyncio.sleep(0)
        recorder.free.set()
        assert texts_of(await first) == ["first"]
        assert [texts_of(await one) for one in others] == [[f"{n}a", f"{n}b"] for n in range(3)]

    assert [len(texts) for texts, _ in run(check).batches] == [1, 6]


def test_texts_with_other_wishes_are_tagged_apart_and_in_order() -> None:
    async def check(batcher: Batcher, recorder: Recorder) -> None:
        first = await held(batcher, recorder)
        wishes = [How(), How(scores=True), How(), How(n_best=2)]
        others = [asyncio.create_task(batcher.tag([str(n)], how)) for n, how in enumerate(wishes)]
        await asyncio.sleep(0)
        recorder.free.set()
        await first
        assert [texts_of(await one) for one in others] == [["0"], ["1"], ["2"], ["3"]]

    found = run(check).batches[1:]
    assert found == [(["0", "2"], How()), (["1"], How(scores=True)), (["3"], How(n_best=2))]


def test_a_request_that_has_ended_is_passed_over() -> None:
    async def check(batcher: Batcher, recorder: Recorder) -> None:
        first = await held(batcher, recorder)
        gone, kept = (asyncio.create_task(batcher.tag([name])) for name in ("gone", "kept"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        recorder.free.set()
        await first
        assert texts_of(await kept) == ["kept"]

    assert [texts for texts, _ in run(check).batches] == [["first"], ["kept"]]


def test_a_failure_reaches_its_requests_and_the_next_ones_are_tagged() -> None:
    async def check(batcher: Batcher, recorder: Recorder) -> None:
        with pytest.raises(RuntimeError, match="failed"):
            await batcher.tag(["a", "fail"])
        assert texts_of(await batcher.tag(["b"])) == ["b"]

    run(check)


def test_more_than_may_wait_is_refused() -> None:
    async def check(batcher: Batcher, recorder: Recorder) -> None:
        first = await held(batcher, recorder)
        second = asyncio.create_task(batcher.tag(["a", "b"]))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await batcher.tag(["c"])
        recorder.free.set()
        await first
        assert texts_of(await second) == ["a", "b"]

    run(check, most=2)


def test_long_texts_are_not_put_together_without_bound() -> None:
    async def check(batcher: Batcher, recorder: Recorder) -> None:
        texts = ["x" * 20_000] * 4
        assert texts_of(await batcher.tag(texts)) == texts

    assert max(sum(map(len, texts)) for texts, _ in run(check).batches) <= 1 << 15


def test_no_text_needs_no_batch() -> None:
    async def check(batcher: Batcher, recorder: Recorder) -> None:
        assert await batcher.tag([]) == []

    assert run(check).batches == []
