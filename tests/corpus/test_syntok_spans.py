"""syntok called for pieces and marks alone gives what it gives when called with the whole text."""

from __future__ import annotations

import random
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syntok import segmenter
from syntok.tokenizer import Tokenizer

from tagger.corpus import syntok_spans
from tagger.corpus.syntok_spans import CharSpan, SyntokTokenizer

WORDS = [
    *("I", "a", "The", "Dr", "Mr", "no", "No", "IV", "Jan", "Mai", "x1", "12", "1234", "iPhone", "don't", "we'd", "Ü"),
    *("U.S.", "e.g", "well-known", "http://a.b/c?d=e", "@user_name", "#tag", "北京。", "3.5", "(2)", "a)", "ʼn"),
    *("(", ")", "[", "]", "（", "）", "“"),
    *("”", '"', "'", "’", ".", "!", "?", ";", ":", ",", "...", "…", "--", "-", "‽"),
    *("See", "Fig", "However", "it", "was", "said", ":)", "!!", "\u200b", "\t", "\u00a0"),
]
GAPS = ["", " ", " ", " ", " ", "  ", "\n", "\n\n", "\r\n \r\n"]
TEXTS = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(GAPS)), max_size=150).map(
    lambda pairs: "".join(word + gap for word, gap in pairs)
)


def by_syntok(text: str) -> list[list[CharSpan]]:
    """syntok called with all of the text."""
    splitter = Tokenizer(emit_hyphen_or_underscore_sep=True, replace_not_contraction=False)
    found = []
    for begin, paragraph in segmenter.preprocess_with_offsets(text):
        for sentence in segmenter.segment(splitter.tokenize(paragraph)):
            spans = [(begin + token.offset, begin + token.offset + len(token.value)) for token in sentence]
            found.append([(start, end) for start, end in spans if start < end])
    return [spans for spans in found if spans]


@given(text=TEXTS)
def test_any_text_is_split_as_syntok_splits_it(text: str) -> None:
    assert list(SyntokTokenizer()(text)) == by_syntok(text)


@given(text=st.text(st.characters(exclude_characters="\x1c\x1d\x1e\x1f", exclude_categories=["Cs"])))
def test_any_characters_are_split_as_syntok_splits_them(text: str) -> None:
    assert list(SyntokTokenizer()(text)) == by_syntok(text)


@pytest.mark.parametrize("between", [0, 1, 2, 3, 4, 7, 46, 47, 48, 49, 50, 51, 52, 60])
@pytest.mark.parametrize("inside", ["word", "Word", "Word .", "[ a", "a ]"])
def test_brackets_of_any_length(between: int, inside: str) -> None:
    for text in (
        f"It was ( {inside} {'w ' * between}) here . So it ended",
        f"( {inside} {'w ' * between}. ) So it ended . ( no",
        f"He said . ( {inside} {'w ' * between}) , so it ended ) . Then",
    ):
        assert list(SyntokTokenizer()(text)) == by_syntok(text)


def test_what_is_remembered_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syntok_spans, "_MOST_PIECES", 5)
    monkeypatch.setattr(syntok_spans, "_LONGEST_PIECE", 3)
    tokenize, chooser = SyntokTokenizer(), random.Random(0)
    for _ in range(200):
        text = " ".join(chooser.choices(WORDS, k=30))
        assert list(tokenize(text)) == by_syntok(text)


def test_threads_that_share_a_tokenizer_get_what_one_alone_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syntok_spans, "_MOST_PIECES", 5)
    chooser = random.Random(0)
    texts = [" ".join(f"{word}{chooser.randrange(10**6)}" for word in chooser.choices(WORDS, k=15)) for _ in range(400)]
    texts += [" ".join(chooser.choices(WORDS, k=30)) for _ in range(400)]
    alone = SyntokTokenizer()
    expected = [list(alone(text)) for text in texts]
    shared = SyntokTokenizer()
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda text: list(shared(text)), texts * 3))
    finally:
        sys.setswitchinterval(switching)
    assert found == expected * 3
    assert len(shared._pieces) <= 5 + 8  # each thread may add one after another has counted


def test_the_marks_of_a_piece_are_known_before_another_thread_can_find_it() -> None:
    stored = []

    class Watched(syntok_spans._Pieces):
        def __setitem__(self, piece: str, placed: list[CharSpan] | None) -> None:
            stored.append((piece, "." in self.marks))
            super().__setitem__(piece, placed)

    assert Watched()["end."] == [(0, 3), (3, 4)]
    assert stored == [("end.", True)]
