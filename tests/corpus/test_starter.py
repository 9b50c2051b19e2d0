"""The bundled corpus is what its README says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import pytest

from tagger.corpus.dataset import DataConfig, load_splits
from tagger.corpus.schemes import Scheme, count_illegal, spans_from_tags
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer
from tagger.files import shipped_folder

SPLITS = ("train", "dev", "test")
FOLDER = shipped_folder("data") / "starter"


@pytest.fixture(scope="module")
def splits() -> dict[str, list[Sentence]]:
    files = {split: str(FOLDER / f"{split}.conll") for split in SPLITS}
    return {name: split.sentences for name, split in load_splits(DataConfig(**files)).items()}


def mentions(sentences: Iterable[Sentence]) -> list[tuple[str, ...]]:
    """(label, word, word, …) of every mention."""
    return [
        (label, *sentence.tokens[start:end])
        for sentence in sentences
        for start, end, label in spans_from_tags(sentence.tags or [])
    ]


def counted(sentences: list[Sentence]) -> dict[str, int]:
    found = mentions(sentences)
    labels = Counter(mention[0] for mention in found)
    texts = ["".join(sentence.tokens) for sentence in sentences]
    lettered = [text for text in texts if any(map(str.isalpha, text))]
    return {
        "documents": len({sentence.document for sentence in sentences}),
        "sentences": len(sentences),
        "sentences without an entity": sum(set(sentence.tags or []) == {"O"} for sentence in sentences),
        "tokens": sum(map(len, sentences)),
        "mentions": len(found),
        **labels,
        "distinct mentions": len(set(found)),
        "mentions of one token": sum(len(mention) == 2 for mention in found),
        "mentions of four tokens or more": sum(len(mention) >= 5 for mention in found),
        "sentences of fewer than 10 tokens": sum(len(sentence) < 10 for sentence in sentences),
        "sentences of 30 tokens or more": sum(len(sentence) >= 30 for sentence in sentences),
        "sentences in lower case": sum(text == text.lower() for text in lettered),
        "sentences in capitals": sum(text == text.upper() for text in lettered),
    }


def test_counts_are_those_of_the_readme(splits: dict[str, list[Sentence]]) -> None:
    written: dict[str, list[int]] = {}
    for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines():
        if row := re.fullmatch(r"\| ([^|]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|", line):
            written[row[1]] = [int(number) for number in row.groups()[1:]]
    parts = [counted(splits[split]) for split in SPLITS] + [counted([s for part in splits.values() for s in part])]
    assert written == {name: [part[name] for part in parts] for name in parts[0]}


def test_is_large_enough_and_its_types_are_balanced(splits: dict[str, list[Sentence]]) -> None:
    everything = [sentence for part in splits.values() for sentence in part]
    assert len(everything) >= 1200
    assert sum(map(len, everything)) >= 20_000
    labels = Counter(mention[0] for mention in mentions(everything))
    assert set(labels) == {"PER", "ORG", "LOC", "MISC"}
    assert min(labels.values()) > 0.2 * labels.total()


def test_no_six_tokens_in_a_row_stand_in_more_than_three_sentences(splits: dict[str, list[Sentence]]) -> None:
    holders: Counter[tuple[str, ...]] = Counter()
    for part in splits.values():
        for sentence in part:
            tokens = sentence.tokens
            holders.update({tuple(tokens[start : start + 6]) for start in range(len(tokens) - 5)})
    assert max(holders.values()) <= 3


def test_splits_share_no_document_and_most_test_mentions_are_new(splits: dict[str, list[Sentence]]) -> None:
    documents = [{sentence.document for sentence in splits[split]} for split in SPLITS]
    assert not documents[0] & documents[1]
    assert not (documents[0] | documents[1]) & documents[2]
    train, test = set(mentions(splits["train"])), set(mentions(splits["test"]))
    assert round(100 * len(test - train) / len(test)) == 89


def test_tags_are_legal_iob2(splits: dict[str, list[Sentence]]) -> None:
    assert sum(count_illegal(s.tags or [], Scheme.IOB2) for part in splits.values() for s in part) == 0


def test_tokens_are_those_of_the_default_tokenizer(splits: dict[str, list[Sentence]]) -> None:
    """A token, alone, is a token to the tokenizer too, but for full stops that belong to abbreviations."""
    tokenize = get_tokenizer("syntok")
    words = {token for part in splits.values() for sentence in part for token in sentence.tokens}
    cut = [word for word in words if sum(map(len, tokenize(word))) != 1]
    assert len(cut) < 0.02 * len(words)
