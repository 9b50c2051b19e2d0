"""Share a tagger between threads and processes: each gets what it would get alone, whatever the caches evict."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import random
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

import tagger
from tagger.corpus.sentence import Sentence
from tagger.engines import batch_encoder, numpy_engine
from tagger.engines.numpy_engine import NumpyEngine
from tagger.errors import UserError
from tagger.predict import Tagger
from tests.helpers.forking import succeeds_in_a_fork
from tests.helpers.random_models import KNOWN_AND_UNKNOWN_WORDS, random_folder

THREADS = 8
ENGINES = [("numpy", "fp32"), ("numpy", "int16"), ("torch", "fp32"), ("onnx", "fp32")]
KNOWN = [word for word in KNOWN_AND_UNKNOWN_WORDS if word.strip("\u200b")]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder that every engine opens."""
    place = tmp_path_factory.mktemp("threads") / "model"
    random_folder(hidden=8, parts=("word", "characters", "shape", "affixes", "static")).save(place, "")
    return place


@pytest.fixture(autouse=True)
def small_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have caches turn over all the time."""
    monkeypatch.setattr(numpy_engine, "_CACHE_BYTES", 1 << 16)
    monkeypatch.setattr(batch_encoder, "_CACHE_BYTES", 64 * 600)


def texts_of_new_words(count: int, seed: int = 0) -> list[str]:
    """Texts of a sentence each, half of whose words no other text has."""
    chance = random.Random(seed)
    texts = []
    for number in range(count):
        words = [
            chance.choice([chance.choice(KNOWN), f"New{number}x{place}"]) for place in range(chance.randint(1, 12))
        ]
        texts.append(" ".join(words))
    return texts


def rounded(sentences: Sequence[Sentence]) -> list[object]:
    """Tags exactly, probabilities to what engines of several threads agree in."""

    def scores(values: Sequence[float | None] | None) -> object:
        return None if values is None else [value and round(value, 3) for value in values]

    return [
        (one.tokens, one.tags, scores(one.scores), [scores([each.score]) for each in one.alternatives or []])
        for one in sentences
    ]


def tag_texts(shared: Tagger, texts: Sequence[str]) -> list[object]:
    return [rounded(shared.tag(text, scores=True, n_best=2).sentences) for text in texts]


def tag_sentences(shared: Tagger, texts: Sequence[str]) -> list[object]:
    sentences = [Sentence(text.split()) for text in texts]
    return rounded(list(shared.tag_sentences(sentences, scores=True, n_best=2)))


def assert_threads_agree(model: Path, engine: str, precision: str, count: int) -> None:
    """Every thread tags its own share, by either method, all at the same time."""
    # opened with other settings, so that the two share nothing
    alone, shared = (tagger.load(model, engine=engine, precision=precision, threads=threads) for threads in (1, None))
    assert alone.engine is not shared.engine
    shares = [texts_of_new_words(count // THREADS, seed) for seed in range(THREADS)]
    ways = [tag_texts if number % 2 else tag_sentences for number in range(THREADS)]
    expected = [way(alone, share) for way, share in zip(ways, shares, strict=True)]
    together = threading.Barrier(THREADS)

    def work(number: int) -> list[object]:
        together.wait()
        return ways[number](shared, shares[number])

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(work, range(THREADS)))
    for number in range(THREADS):
        assert found[number] == expected[number]
    again = texts_of_new_words(40, seed=0)
    assert tag_texts(shared, again) == tag_texts(alone, again)  # nothing wrong stayed behind


@pytest.mark.parametrize(("engine", "precision"), ENGINES)
def test_threads_get_what_one_thread_gets(model: Path, engine: str, precision: str) -> None:
    assert_threads_agree(model, engine, precision, 400)


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "precision"), ENGINES)
def test_a_hundred_thousand_sentences(model: Path, engine: str, precision: str) -> None:
    assert_threads_agree(model, engine, precision, 100_000)


def test_a_pickled_tagger_tags_alike(model: Path) -> None:
    opened = tagger.load(model, precision="int16")
    again = pickle.loads(pickle.dumps(opened))
    texts = texts_of_new_words(20)
    assert tag_texts(again, texts) == tag_texts(opened, texts)
    assert again.engine is opened.engine


@pytest.mark.extended
@pytest.mark.parametrize(("engine", "precision"), ENGINES)
def test_spawned_processes_get_the_tagger_and_tag_alike(model: Path, engine: str, precision: str) -> None:
    opened = tagger.load(model, engine=engine, precision=precision, threads=1)
    shares = [texts_of_new_words(10, seed) for seed in range(4)]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(partial(tag_texts, opened), shares))
    assert found == [tag_texts(opened, share) for share in shares]


@pytest.mark.extended
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("precision", ["fp32", "int16"])
def test_processes_forked_while_threads_tag_do_so_too(model: Path, precision: str) -> None:
    opened = tagger.load(model, precision=precision)
    share = texts_of_new_words(10, seed=99)
    expected = tag_texts(opened, share)
    ended = threading.Event()

    def keep_tagging(seed: int) -> None:
        while not ended.is_set():
            tag_texts(opened, texts_of_new_words(5, seed))
            seed += 4

    with ThreadPoolExecutor(4) as pool:
        threads = [pool.submit(keep_tagging, seed) for seed in range(4)]
        try:
            assert all(succeeds_in_a_fork(lambda: tag_texts(opened, share) == expected) for _ in range(20))
        finally:
            ended.set()
    assert all(thread.exception() is None for thread in threads)


def test_a_pickle_of_a_model_that_has_changed_since_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "model"
    random_folder(seed=1).save(place, "")
    pickled = pickle.dumps(tagger.load(place))
    random_folder(seed=2).save(place, "")
    with pytest.raises(UserError, match="model: not the model that was pickled; load it again and pickle that"):
        pickle.loads(pickled)


def test_a_tagger_that_was_not_loaded_says_why_it_cannot_be_pickled() -> None:
    folder = random_folder()
    with pytest.raises(UserError, match=r"only taggers that tagger\.load opened can be pickled"):
        pickle.dumps(Tagger(folder, NumpyEngine(folder)))


def test_taggers_of_a_folder_share_what_is_only_read(model: Path) -> None:
    first, second = tagger.load(model), tagger.load(model)
    assert first.folder is second.folder
    assert first.engine is second.engine
    assert tagger.load(model, precision="int16").engine is not first.engine


def test_a_model_in_use_is_not_read_again(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tagger.load(model)
    monkeypatch.setattr("tagger.model_folder.folder.load_file", lambda path: pytest.fail("read again"))
    assert tagger.load(model).engine is first.engine


def test_threads_that_load_a_model_together_share_it(model: Path) -> None:
    together = threading.Barrier(THREADS)

    def load(_: int) -> Tagger:
        together.wait()
        return tagger.load(model)

    with ThreadPoolExecutor(THREADS) as pool:
        loaded = list(pool.map(load, range(THREADS)))
    assert len({id(one.engine) for one in loaded}) == 1


def test_a_folder_that_changed_is_not_taken_for_the_one_that_is_open(tmp_path: Path) -> None:
    place = tmp_path / "model"
    random_folder(seed=1).save(place, "")
    first = tagger.load(place)
    random_folder(seed=2).save(place, "")
    second = tagger.load(place)
    assert first.folder is not second.folder
    assert first.engine is not second.engine


def test_lazy_tagging_may_be_left_and_taken_up_by_other_threads(model: Path) -> None:
    shared = tagger.load(model)
    sentences = [Sentence(text.split()) for text in texts_of_new_words(60)]
    expected = rounded(list(shared.tag_sentences(sentences)))
    stream = shared.tag_sentences(sentences)
    found = list(islice(stream, 20))
    with ThreadPoolExecutor(1) as pool:
        found += pool.submit(list, stream).result()
    assert rounded(found) == expected
