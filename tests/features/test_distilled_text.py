"""Raw text with soft targets on disk: shares of epochs, and what a part gives back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.features.distilled_text import About, DistilledText, part_path, read_state, write_about, write_part
from tagger.features.soft_targets import TagDistribution

TAGS = ("O", "B-X", "I-X")


def sentence_of(number: int) -> Sentence:
    return Sentence([f"w{number}"] * (1 + number % 3))


def target_of(sentence: Sentence, number: int) -> TagDistribution:
    random = np.random.default_rng(number)
    marginals = random.dirichlet(np.ones(len(TAGS)), len(sentence)).astype(np.float32)
    transitions = np.full((len(TAGS), len(TAGS)), (len(sentence) - 1) / 9, dtype=np.float32)
    return TagDistribution(marginals, transitions, 0.5, True)


def text_of(folder: Path, parts: list[int]) -> DistilledText:
    """Parts of so many sentences; sentence n has 1 + n % 3 tokens."""
    number, tokens = 0, []
    for part, size in enumerate(parts):
        sentences = [sentence_of(number + one) for one in range(size)]
        targets = [target_of(sentence, number + place) for place, sentence in enumerate(sentences)]
        write_part(part_path(folder, part), sentences, targets, {"given": number + size})
        tokens.append(sum(map(len, sentences)))
        number += size
    write_about(folder, About("d", ("teacher",), ("raw.txt",), TAGS, number, sum(tokens), tuple(tokens), {}), {"w0": 1})
    return DistilledText(folder)


@pytest.mark.parametrize("epoch_tokens", [1, 7, 20, 37, 1000])
def test_epochs_follow_on_each_other_until_every_sentence_was_given(tmp_path: Path, epoch_tokens: int) -> None:
    text = text_of(tmp_path, [7, 1, 5, 6])
    whole = text.about.tokens
    epochs = whole // np.gcd(whole, min(epoch_tokens, whole))  # then epochs and readings of the text end together
    given = [text.share(epoch, epoch_tokens, seed=3, weight=1.0, tags=TAGS) for epoch in range(epochs)]
    words = [sentence.tokens[0] for sentences, _ in given for sentence in sentences]
    readings = epochs * min(epoch_tokens, whole) // whole
    for reading in range(readings):
        once = words[reading * 19 : (reading + 1) * 19]
        assert sorted(once) == sorted(f"w{number}" for number in range(19))
    for sentences, _ in given:
        assert abs(sum(map(len, sentences)) - min(epoch_tokens, whole)) <= 3


def test_soft_targets_stay_with_their_sentences(tmp_path: Path) -> None:
    text = text_of(tmp_path, [4, 5, 6])
    for epoch in range(5):
        sentences, soft = text.share(epoch, 11, seed=1, weight=0.5, tags=TAGS)
        lengths = np.array([len(sentence) for sentence in sentences])
        batch = soft.take(np.arange(len(sentences)), lengths)
        rows = np.split(batch.marginals, np.cumsum(lengths)[:-1])
        for sentence, found in zip(sentences, rows, strict=True):
            expected = target_of(sentence, int(sentence.tokens[0][1:]))
            np.testing.assert_allclose(found, expected.marginals, atol=2e-3)
        assert batch.transitions.sum() == pytest.approx(0.5 * (lengths - 1).sum(), rel=1e-5)
        assert batch.weights.tolist() == [0.5] * len(sentences)


def test_targets_go_to_the_student_s_tags_by_name(tmp_path: Path) -> None:
    text = text_of(tmp_path, [4])
    student = ("B-Y", "I-X", "O", "I-Y", "B-X")  # as of a model to start from
    (sentences, own), (_, placed) = (text.share(0, 99, seed=1, weight=1.0, tags=tags) for tags in (TAGS, student))
    numbers, lengths = np.arange(len(sentences)), np.array([len(one) for one in sentences])
    expected, found = (soft.take(numbers, lengths) for soft in (own, placed))
    order = [student.index(tag) for tag in TAGS]
    np.testing.assert_array_equal(found.marginals[:, order], expected.marginals)
    np.testing.assert_array_equal(found.transitions[np.ix_(order, order)], expected.transitions)
    assert found.marginals.sum() == expected.marginals.sum()
    assert found.transitions.sum() == expected.transitions.sum()


def test_a_teacher_that_knows_nothing_of_many_tags_gives_numbers(tmp_path: Path) -> None:
    tags = tuple(f"T{number}" for number in range(2000))
    even = np.full((1, len(tags)), 1 / len(tags), dtype=np.float32)
    target = TagDistribution(even, np.zeros((len(tags), len(tags)), dtype=np.float32), 0.0, True)
    write_part(part_path(tmp_path, 0), [Sentence(["w"])], [target], {"given": 1})
    write_about(tmp_path, About("d", ("teacher",), ("raw.txt",), tags, 1, 1, (1,), {}), {})
    _, soft = DistilledText(tmp_path).share(0, 1, seed=1, weight=1.0, tags=tags)
    np.testing.assert_allclose(soft.marginals, even, rtol=1e-2)


def test_sentences_with_gold_tags_have_no_soft_targets(tmp_path: Path) -> None:
    sentences, soft = text_of(tmp_path, [4]).share(0, 100, seed=1, weight=0.5, tags=TAGS)
    first = len(sentences[0])
    batch = soft.take(np.array([-1, 0]), np.array([2, first]))
    assert batch.from_teacher.tolist() == [False, True]
    assert batch.weights.tolist() == [1.0, 0.5]
    assert not batch.marginals[:2].any()
    np.testing.assert_allclose(batch.marginals[2:].sum(axis=1), 1, atol=2e-3)


def test_another_seed_gives_another_order_and_the_same_one_the_same(tmp_path: Path) -> None:
    text = text_of(tmp_path, [3] * 8)
    orders = {
        seed: [one.tokens for one in text.share(0, 50, seed=seed, weight=1.0, tags=TAGS)[0]] for seed in (1, 1, 2)
    }
    assert orders[1] != orders[2]
    assert orders[1] == [one.tokens for one in text.share(0, 50, seed=1, weight=1.0, tags=TAGS)[0]]


def test_a_part_keeps_the_state_of_the_reading(tmp_path: Path) -> None:
    text_of(tmp_path, [3])
    assert read_state(part_path(tmp_path, 0)) == {"given": 3}


@pytest.mark.parametrize("name", ["about.json", "part-00000.npz"])
def test_damage_is_reported_in_one_line(tmp_path: Path, name: str) -> None:
    text_of(tmp_path, [3])
    (tmp_path / name).write_bytes(b"[1")
    with pytest.raises(UserError, match=r"damaged .*it is made again"):
        DistilledText(tmp_path).share(0, 10, seed=1, weight=1.0, tags=TAGS)
