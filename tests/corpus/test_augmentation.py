"""Mention replacement: what stays, what changes, and what may come in."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus.augmentation import MentionReplacement, recased
from tagger.corpus.schemes import Scheme, spans_from_tags, tags_from_spans
from tagger.corpus.sentence import Sentence, Span

SENTENCES = [
    Sentence(["Anna", "met", "Bob", "Stone", "in", "Rome", "."], ["B-PER", "O", "B-PER", "I-PER", "O", "B-LOC", "O"]),
    Sentence(["New", "York", "is", "larger", "."], ["B-LOC", "I-LOC", "O", "O", "O"]),
    Sentence(["nothing", "here"], ["O", "O"]),
    Sentence([], []),
]


def mentions(sentence: Sentence) -> list[tuple[str, tuple[str, ...]]]:
    spans = spans_from_tags(sentence.tags or [])
    return [(span.label, tuple(sentence.tokens[span.start : span.end])) for span in spans]


def outside(sentence: Sentence) -> list[str]:
    return [token for token, tag in zip(sentence.tokens, sentence.tags or [], strict=True) if tag == "O"]


@given(seed=st.integers(0, 2**40), probability=st.floats(0, 1))
def test_labels_and_the_words_around_stay_and_mentions_come_from_the_same_label(seed: int, probability: float) -> None:
    known = {mention for sentence in SENTENCES for mention in mentions(sentence)}
    drawn = MentionReplacement(SENTENCES, probability).draw(seed)
    assert len(drawn) == len(SENTENCES)
    for before, after in zip(SENTENCES, drawn, strict=True):
        assert outside(after) == outside(before)
        assert [label for label, _ in mentions(after)] == [label for label, _ in mentions(before)]
        assert set(mentions(after)) <= known


def test_probability_zero_changes_no_token() -> None:
    drawn = MentionReplacement(SENTENCES, 0.0).draw(1)
    assert [sentence.tokens for sentence in drawn] == [sentence.tokens for sentence in SENTENCES]
    assert [mentions(sentence) for sentence in drawn] == [mentions(sentence) for sentence in SENTENCES]


def test_the_same_seed_draws_the_same_and_another_another() -> None:
    replacement = MentionReplacement(SENTENCES, 0.5)
    assert replacement.draw(3) == replacement.draw(3)
    assert any(replacement.draw(seed) != replacement.draw(3) for seed in range(4, 9))


def test_every_distinct_mention_of_a_label_is_drawn_equally_often() -> None:
    repeated = [Sentence(["Rome"], ["B-LOC"])] * 9 + [Sentence(["New", "York"], ["B-LOC", "I-LOC"])]
    replacement = MentionReplacement(repeated, 1.0)
    drawn = Counter(sentence.tokens[0] for seed in range(300) for sentence in replacement.draw(seed))
    assert drawn["Rome"] / 3000 == pytest.approx(0.5, abs=0.05)


def test_neighbouring_mentions_stay_apart() -> None:
    spans = [Span(0, 1, "PER"), Span(1, 3, "PER")]
    touching = Sentence(["Ann", "Bob", "Stone"], tags_from_spans(spans, 3, Scheme.BIOES))
    for seed in range(20):
        (drawn,) = MentionReplacement([touching], 1.0).draw(seed)
        assert {mention for _, mention in mentions(drawn)} <= {("Ann",), ("Bob", "Stone")}
        assert len(mentions(drawn)) == 2


def test_recasing_changes_case_alone_and_only_in_its_share() -> None:
    sentences = [Sentence(["Ada", "met", "B.B.", "in", "Oslo", str(n)], ["B-PER", "O", "B-PER", "O", "B-LOC", "O"])
                 for n in range(2000)]  # fmt: skip
    drawn = recased(sentences, 0.3, seed=5)
    assert [one.tags for one in drawn] == [one.tags for one in sentences]
    assert [[token.casefold() for token in one.tokens] for one in drawn] == [
        [token.casefold() for token in one.tokens] for one in sentences
    ]
    kinds = Counter(" ".join(one.tokens[:5]) for one in drawn)
    expected = {"Ada met B.B. in Oslo": 1400, "ada met b.b. in oslo": 200, "ADA MET B.B. IN OSLO": 200,
                "Ada Met B.B. In Oslo": 200}  # fmt: skip
    assert kinds.keys() == expected.keys()
    assert all(abs(kinds[text] - count) < 75 for text, count in expected.items())
    assert recased(sentences, 0.3, seed=5) == drawn != recased(sentences, 0.3, seed=6)
