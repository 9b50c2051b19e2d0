"""Settings that threads share, and locks in forked children."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import tagger
from tagger import predict
from tagger.engines.word_cache import WordCache
from tagger.kernels import loader
from tagger.kernels.loader import KernelLoader
from tagger.kernels.packed_weights import Floats
from tagger.shared_state import ProcessSetting
from tests.helpers.forking import succeeds_in_a_fork
from tests.helpers.random_models import random_folder

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


class Held:
    """Something that another thread is doing, until it may go on."""

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        assert self.may_end.wait(60)

    @contextmanager
    def in_a_thread(self, target: object, *arguments: object) -> Iterator[None]:
        """Have a thread call `target`, which calls this object, and hold it there."""
        thread = threading.Thread(target=target, args=arguments)  # type: ignore[arg-type]
        thread.start()
        try:
            assert self.begun.wait(60)
            yield
        finally:
            self.may_end.set()
            thread.join()


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def setting(log: list[str]) -> ProcessSetting:
    @contextmanager
    def change() -> Iterator[None]:
        log.append("changed")
        yield
        log.append("restored")

    return ProcessSetting(change)


def test_a_setting_holds_until_the_last_thread_has_left(setting: ProcessSetting, log: list[str]) -> None:
    other = Held()

    def work() -> None:
        with setting:
            other()

    with setting:
        first = other.in_a_thread(work)
        first.__enter__()
    assert log == ["changed"]
    first.__exit__(None, None, None)
    assert log == ["changed", "restored"]
    with setting:
        assert log == ["changed", "restored", "changed"]


def test_a_setting_that_cannot_be_changed_is_tried_again(log: list[str]) -> None:
    @contextmanager
    def change() -> Iterator[None]:
        log.append("tried")
        raise OSError("no such setting")
        yield

    setting = ProcessSetting(change)
    for _ in range(2):
        with pytest.raises(OSError, match="no such setting"), setting:
            pass
    assert log == ["tried", "tried"]


@needs_fork
def test_a_forked_child_restores_a_setting_of_another_thread(setting: ProcessSetting, log: list[str]) -> None:
    other = Held()

    def work() -> None:
        with setting:
            other()

    def restored_and_usable() -> bool:
        before = list(log)
        with setting:
            pass
        return before == ["changed", "restored"] and log == before * 2

    with other.in_a_thread(work):
        assert succeeds_in_a_fork(restored_and_usable)
        assert log == ["changed"]


@needs_fork
def test_a_forked_child_uses_a_cache_that_another_thread_was_changing() -> None:
    other = Held()

    def lengths(words: Sequence[str]) -> list[Floats]:
        if "held" in words and threading.current_thread() is not threading.main_thread():
            other()
        return [np.array([[len(word)] for word in words], dtype=np.float32).reshape(-1, 1)]

    cache = WordCache(lengths, 1 << 16)

    def look_up(*words: str) -> list[float]:
        (array,), rows = cache.lookup(words)
        return array[rows, 0].tolist()

    look_up("known")
    with other.in_a_thread(look_up, "held"):
        assert succeeds_in_a_fork(lambda: look_up("known", "held", "new") == [5, 4, 3])
    assert succeeds_in_a_fork(lambda: len(cache) == 2)  # nothing was changing: the child keeps what is cached


@needs_fork
def test_a_forked_child_gets_loops_that_another_thread_was_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Held()
    kernels = KernelLoader()

    def load(self: KernelLoader) -> None:
        if threading.current_thread() is not threading.main_thread():
            other()
        self.problem = "asked"

    monkeypatch.setattr(loader.KernelLoader, "_load", load)
    with other.in_a_thread(kernels):
        assert succeeds_in_a_fork(lambda: kernels() is None and kernels.problem == "asked")


@needs_fork
def test_a_forked_child_loads_a_model_while_another_thread_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random_folder().save(tmp_path / "model", "")
    loader.kernels()  # compiling in the child would take long
    other, make = Held(), predict.NumpyEngine

    def engine(*arguments: object) -> object:
        if threading.current_thread() is not threading.main_thread():
            other()
        return make(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(predict, "NumpyEngine", engine)
    with other.in_a_thread(tagger.load, tmp_path / "model"):
        assert succeeds_in_a_fork(lambda: len(tagger.load(tmp_path / "model").tag("New York").sentences) == 1)
