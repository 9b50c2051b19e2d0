"""The one prediction path: as many tags as tokens, in order, whatever comes in, and light on imports."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import tagger
from tagger import predict as tagger_module
from tagger.corpus.schemes import Scheme, convert_tags
from tagger.corpus.sentence import Sentence
from tagger.engines.numpy_engine import NumpyEngine
from tagger.errors import UserError
from tagger.predict import Tagger, load
from tests.helpers.random_models import random_folder, random_words

SCHEMES = [Scheme.IOB2, Scheme.BIOES, Scheme.PLAIN]
LENGTHS = [3, 0, 11, 1, 1, 0, 7, 2, 25, 0]
TEXT = "Anna Smith lives in New York .\n\nΟ Γιώργος μένει στην Αθήνα .\n  北京 🙂 don't\tAcme-3  \n"


class WordEngine:
    """Emissions that depend on the word alone, exactly: plain tag number `len(word) % K`."""

    def __init__(self, tags: int) -> None:
        self.batches: list[list[int]] = []
        self._tags = tags

    def emissions(self, sentences: Sequence[Sequence[str]], batch_sizes: NDArray[np.int64]) -> NDArray[np.float32]:
        self.batches.append([len(sentence) for sentence in sentences])
        words = [sentence[step] for step, count in enumerate(batch_sizes) for sentence in sentences[:count]]
        return np.eye(self._tags, dtype=np.float32)[[len(word) % self._tags for word in words]]


def random_tagger(scheme: Scheme = Scheme.BIOES, **settings: int | str) -> Tagger:
    folder = random_folder(scheme=scheme, **settings)  # type: ignore[arg-type]
    return Tagger(folder, NumpyEngine(folder))


def plain_tagger() -> tuple[Tagger, WordEngine, list[str]]:
    folder = random_folder(scheme=Scheme.PLAIN, decoder="softmax")
    engine = WordEngine(len(folder.vocabularies.tags))
    return Tagger(folder, engine), engine, folder.vocabularies.tags


def sentences_of(lengths: Sequence[int]) -> list[Sentence]:
    return [Sentence(words) for words in random_words(lengths)]


def tags_of(sentences: Iterator[Sentence]) -> list[list[str]]:
    return [sentence.tags or [] for sentence in sentences]


@given(
    st.lists(st.lists(st.text(max_size=9), max_size=6), max_size=20),
    st.integers(1, 12),
    st.integers(1, 30),
    st.integers(1, 8),
)
def test_every_token_gets_its_tag_in_order_whatever_the_windows(
    words: list[list[str]], batch_tokens: int, window_tokens: int, window_sentences: int
) -> None:
    tagging, engine, tags = plain_tagger()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tagger_module, "_BATCH_TOKENS", batch_tokens)
        patched.setattr(tagger_module, "_WINDOW_TOKENS", window_tokens)
        patched.setattr(tagger_module, "_WINDOW_SENTENCES", window_sentences)
        tagged = list(tagging.tag_sentences(Sentence(tokens) for tokens in words))
    assert [sentence.tokens for sentence in tagged] == words
    assert tags_of(iter(tagged)) == [[tags[len(word) % len(tags)] for word in tokens] for tokens in words]
    assert all(len(batch) == 1 or sum(batch) <= batch_tokens for batch in engine.batches)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_tags_are_as_many_as_tokens_and_legal(scheme: Scheme) -> None:
    sentences = sentences_of(LENGTHS)
    tagged = list(random_tagger(scheme).tag_sentences(sentences))
    assert [sentence.tokens for sentence in tagged] == [sentence.tokens for sentence in sentences]
    for sentence in tagged:
        assert sentence.tags is not None
        assert len(sentence.tags) == len(sentence.tokens)
        if scheme is not Scheme.PLAIN:
            assert convert_tags(sentence.tags, Scheme.IOB2) == sentence.tags
    assert {tag[:2] for sentence in tagged for tag in sentence.tags or []} > (
        set() if scheme is Scheme.PLAIN else {"B-"}
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_small_batches_and_windows_change_no_tag(scheme: Scheme, monkeypatch: pytest.MonkeyPatch) -> None:
    sentences = sentences_of(LENGTHS * 3)
    expected = tags_of(random_tagger(scheme).tag_sentences(sentences))
    monkeypatch.setattr(tagger_module, "_BATCH_TOKENS", 5)
    monkeypatch.setattr(tagger_module, "_WINDOW_TOKENS", 17)
    assert tags_of(random_tagger(scheme).tag_sentences(sentences)) == expected
    alone = [tags_of(random_tagger(scheme).tag_sentences([sentence]))[0] for sentence in sentences]
    assert alone == expected


def test_reading_ahead_ends_with_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagger_module, "_WINDOW_SENTENCES", 3)
    tagging, _, _ = plain_tagger()
    taken = 0

    def stream() -> Iterator[Sentence]:
        nonlocal taken
        while True:
            taken += 1
            yield Sentence(["word"])

    tagged = tagging.tag_sentences(stream())
    for _ in range(4):
        next(tagged)
    assert taken == 6


@pytest.mark.parametrize("sentences", [[], [Sentence([])], [Sentence([]), Sentence([])]])
def test_nothing_in_gives_nothing_out(sentences: list[Sentence]) -> None:
    assert tags_of(random_tagger().tag_sentences(sentences)) == [[] for _ in sentences]


def test_the_input_stays_as_it_was() -> None:
    sentences = [Sentence(["Anna", "x"], ["B-LOC", "O"], document="d", place="file:3"), Sentence(["y"])]
    before = copy.deepcopy(sentences)
    tagged = list(random_tagger().tag_sentences(sentences))
    assert sentences == before
    assert tagged[0] is not sentences[0]
    assert (tagged[0].document, tagged[0].place) == ("d", "file:3")


def test_gold_tags_of_the_input_are_not_looked_at() -> None:
    words = random_words([9, 4])
    tagging = random_tagger()
    bare = tags_of(tagging.tag_sentences(Sentence(tokens) for tokens in words))
    assert tags_of(tagging.tag_sentences(Sentence(tokens, ["B-LOC"] * len(tokens)) for tokens in words)) == bare


def test_a_very_long_sentence_is_tagged() -> None:
    sentences = sentences_of([100_000, 3])
    tagged = tags_of(random_tagger(hidden=3).tag_sentences(sentences))
    assert [len(tags) for tags in tagged] == [100_000, 3]
    assert convert_tags(tagged[0], Scheme.IOB2) == tagged[0]
    assert tagged[1] == tags_of(random_tagger(hidden=3).tag_sentences(sentences[1:]))[0]


def test_a_very_long_token_is_tagged() -> None:
    words = ["Anna", "x" * 1_000_000, "Smith"]
    (tagged,) = random_tagger().tag_sentences([Sentence(words)])
    assert tagged.tokens == words
    assert len(tagged.tags or []) == 3


@pytest.mark.parametrize("scheme", SCHEMES)
def test_both_engines_give_the_same_tags(scheme: Scheme, tmp_path: Path) -> None:
    random_folder(scheme=scheme, layers=2).save(tmp_path / "model", "")
    sentences = sentences_of(LENGTHS * 4)
    by_engine = [load(tmp_path / "model", engine=engine).tag_sentences(sentences) for engine in ("numpy", "torch")]
    one, other = map(tags_of, by_engine)
    assert one == other


def test_a_bioes_model_gives_iob2_tags() -> None:
    folder = random_folder(scheme=Scheme.BIOES)
    assert {tag[0] for tag in folder.vocabularies.tags} == set("BIESO")
    tagged = random_tagger(Scheme.BIOES).tag_sentences(sentences_of([40] * 5))
    assert {tag[0] for tags in tags_of(tagged) for tag in tags} == set("BIO")


def test_a_plain_model_gives_plain_tags_and_no_entities() -> None:
    tagging = random_tagger(Scheme.PLAIN)
    document = tagging.tag(TEXT)
    tags = {tag for sentence in document.sentences for tag in sentence.tags or []}
    assert tags
    assert tags <= {"DET", "INTJ", "NOUN", "PROPN", "PUNCT", "VERB"}
    assert document.entities == []
    assert tagging.plain


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        (Scheme.BIOES, ["LOC", "ORG", "PER"]),
        (Scheme.IOB2, ["LOC", "ORG", "PER"]),
        (Scheme.PLAIN, ["DET", "INTJ", "NOUN", "PROPN", "PUNCT", "VERB"]),
    ],
)
def test_a_tagger_knows_its_labels(scheme: Scheme, expected: list[str]) -> None:
    assert random_tagger(scheme).labels == expected


def test_entities_are_stretches_of_the_text(tmp_path: Path) -> None:
    random_folder().save(tmp_path / "model", "")
    model = tagger.load(tmp_path / "model")
    document = model.tag(TEXT)
    assert document.text == TEXT
    assert len(document.entities) > 2
    for entity in document.entities:
        assert TEXT[entity.start : entity.end] == entity.text != ""
        assert entity.label in model.labels
    for sentence in document.sentences:
        assert [TEXT[start:end] for start, end in sentence.offsets or []] == sentence.tokens
    assert [token for sentence in document.sentences for token in sentence.tokens] == TEXT.split()


@pytest.mark.parametrize("text", ["", " \n\n\t", "\n"])
def test_text_without_tokens_has_no_entities(text: str) -> None:
    document = random_tagger().tag(text)
    assert (document.text, document.sentences, document.entities) == (text, [], [])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_scores_and_alternatives_come_beside_the_same_tags(scheme: Scheme, decoder: str) -> None:
    tagging = random_tagger(scheme, decoder=decoder)
    sentences = sentences_of(LENGTHS)
    plain = list(tagging.tag_sentences(sentences))
    found = list(tagging.tag_sentences(sentences, scores=True, n_best=3))
    assert tags_of(iter(found)) == tags_of(iter(plain))
    assert all((sentence.scores, sentence.alternatives) == (None, None) for sentence in plain)
    for sentence in found:
        assert sentence.scores is not None
        assert sentence.alternatives is not None
        assert [score is None for score in sentence.scores] == [tag == "O" for tag in sentence.tags or []]
        assert all(0 <= score <= 1 for score in sentence.scores if score is not None)
        assert sentence.alternatives[0].tags == sentence.tags
        assert 1 <= len(sentence.alternatives) <= 3
        probabilities = [score for _, score in sentence.alternatives]
        assert probabilities == sorted(probabilities, reverse=True)
        assert 0 < sum(probabilities) <= 1 + 1e-9


def test_a_score_does_not_depend_on_what_else_is_tagged(monkeypatch: pytest.MonkeyPatch) -> None:
    sentences = sentences_of(LENGTHS * 2)
    together = list(random_tagger().tag_sentences(sentences, scores=True))
    monkeypatch.setattr(tagger_module, "_BATCH_TOKENS", 7)
    for sentence, other in zip(together, random_tagger().tag_sentences(sentences, scores=True), strict=True):
        assert [score or 0 for score in sentence.scores or []] == pytest.approx([x or 0 for x in other.scores or []])


def test_an_entity_s_score_is_that_of_its_tokens() -> None:
    document = random_tagger().tag(TEXT, scores=True)
    assert document.entities
    by_sentence = [score for sentence in document.sentences for score in dict.fromkeys(sentence.scores or []) if score]
    assert [entity.score for entity in document.entities] == by_sentence
    assert [entity[:4] for entity in random_tagger().tag(TEXT).entities] == [one[:4] for one in document.entities]
    assert {entity.score for entity in random_tagger().tag(TEXT).entities} == {None}


def test_the_temperature_of_the_model_makes_its_scores() -> None:
    folder = random_folder()
    warm = replace(folder, temperature=4.0)
    cold, mild = (
        [entity.score or 0 for entity in Tagger(one, NumpyEngine(one)).tag(TEXT, scores=True).entities]
        for one in (folder, warm)
    )
    assert len(cold) == len(mild)
    assert sum(cold) > sum(mild)


def test_a_negative_number_of_alternatives_is_told() -> None:
    with pytest.raises(UserError, match="n_best: must be at least 0, not -1"):
        random_tagger().tag(TEXT, n_best=-1)


def test_an_unknown_engine_is_told(tmp_path: Path) -> None:
    random_folder().save(tmp_path / "model", "")
    with pytest.raises(UserError, match="engine 'tpu' is unknown; use auto, numpy, torch, onnx"):
        load(tmp_path / "model", engine="tpu")


def test_a_path_may_be_text(tmp_path: Path) -> None:
    random_folder().save(tmp_path / "model", "")
    assert load(str(tmp_path / "model")).language == "en"


def test_public_names_are_there_and_others_are_not() -> None:
    for name in tagger.__all__:
        assert getattr(tagger, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tagger.nothing  # noqa: B018


_PROGRAM = """
import json, sys
import tagger
begin = sorted({name.split(".")[0] for name in sys.modules})
document = tagger.load(sys.argv[1]).tag("Anna lives in New York .")
assert sum(map(len, document.sentences)) == 6
print(json.dumps([begin, sorted({name.split(".")[0] for name in sys.modules})]))
"""
_HEAVY = {
    "torch",
    "pytorch_lightning",
    "lightning",
    "hydra",
    "omegaconf",
    "datasets",
    "seqeval",
    "spacy",
    "pandas",
    "sklearn",
}


@pytest.mark.parametrize("tokenizer", ["whitespace", "syntok"])
def test_tagging_imports_no_framework(tokenizer: str, tmp_path: Path) -> None:
    folder = random_folder()
    type(folder)(folder.config, folder.vocabularies, folder.scheme, folder.tensors, tokenizer, folder.language).save(
        tmp_path / "model", ""
    )
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path / "model")],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(tagger.__file__).parent.parent), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    by_import_alone, in_the_end = json.loads(done.stdout)
    assert "tagger" in by_import_alone
    assert _HEAVY.isdisjoint(in_the_end)
    assert {"numpy", "safetensors"} <= set(in_the_end) - set(by_import_alone)


@pytest.mark.parametrize("engine", ["numpy", "onnx"])
def test_a_device_is_refused_by_engines_that_know_none(engine: str, tmp_path: Path) -> None:
    random_folder().save(tmp_path / "model", "")
    with pytest.raises(UserError, match=f"engine {engine} runs on cpu; leave device out, or use engine torch"):
        load(tmp_path / "model", engine=engine, device="cuda")


@pytest.mark.parametrize(
    ("engine", "known", "precision"),
    [("numpy", "fp32, int16", "bf16"), ("onnx", "fp32", "int16"), ("torch", "fp32, bf16, fp16", "int16")],
)
def test_a_precision_is_refused_by_engines_that_have_another(
    engine: str, known: str, precision: str, tmp_path: Path
) -> None:
    random_folder().save(tmp_path / "model", "")
    with pytest.raises(UserError, match=f"engine {engine} computes in {known}, not in {precision}; use one of these"):
        load(tmp_path / "model", engine=engine, precision=precision)


@pytest.mark.parametrize("engine", ["numpy", "onnx"])
def test_an_encoder_is_refused_by_engines_that_run_none(engine: str, tmp_path: Path) -> None:
    random_folder().save(tmp_path / "model", "")
    with pytest.raises(UserError, match=f"engine {engine} runs no contextual encoder; leave encoder out"):
        load(tmp_path / "model", engine=engine, encoder="/nowhere")


def test_pipe_gives_a_document_for_each_text_as_tag_does() -> None:
    model = random_tagger()
    texts = [TEXT, "", "Anna", TEXT * 3]
    found = list(model.pipe(texts, scores=True, n_best=2))
    expected = [model.tag(text, scores=True, n_best=2) for text in texts]
    assert [one.text for one in found] == texts
    assert [[s.tags for s in one.sentences] for one in found] == [[s.tags for s in one.sentences] for one in expected]
    assert all(s.alternatives for one in found for s in one.sentences)


@pytest.mark.parametrize("missing", [None, float("nan"), np.float64("nan"), pandas.NA, pandas.NaT])
def test_a_missing_text_gives_an_empty_document_in_its_place(missing: object) -> None:
    found = list(random_tagger().pipe(["Anna .", missing, "Smith ."]))  # type: ignore[list-item]
    assert [one.text for one in found] == ["Anna .", "", "Smith ."]
    assert found[1].sentences == []


@pytest.mark.parametrize("text", ["", "Anna lives ."])
def test_pipe_reads_ahead_no_more_than_a_window(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagger_module, "_WINDOW_SENTENCES", 4)
    read = 0

    def texts() -> Iterator[str]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield text

    found = random_tagger().pipe(texts())
    next(found)
    assert read <= 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: model.tag(["a"]), "tag: expected a text, got a list; for many texts use pipe"),
        (lambda model: model.tag(None), "tag: expected a text, got a NoneType"),
        (lambda model: model.pipe("text"), "pipe: expected many texts, got a single text; for one text use tag"),
        (lambda model: model.pipe(7), "pipe: expected many texts, got an int"),
        (lambda model: list(model.pipe(["a", 7])), "pipe: text 2 is an int"),
        (lambda model: model.pipe(["a"], n_best="2"), "n_best: expected a whole number, got a single text"),
        (lambda model: list(model.tag_sentences(["a"])), "tag_sentences: expected sentences"),
        (lambda model: load(7), "load: expected the path or the name of a model, got an int"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_type_is_a_line(call: Callable[[Tagger], object], message: str) -> None:
    with pytest.raises(UserError) as raised:
        call(random_tagger())
    assert str(raised.value).startswith(message)


def test_repr_names_model_labels_and_engine(tmp_path: Path) -> None:
    random_folder().save(tmp_path / "m", "")
    assert repr(load(tmp_path / "m")) == f"Tagger('{tmp_path / 'm'}', labels=['LOC', 'ORG', 'PER'], engine='numpy')"
    assert repr(random_tagger()) == "Tagger(labels=['LOC', 'ORG', 'PER'], engine='numpy')"
