"""What is said of data before training: each thing where it is, and nothing of sound data."""

import pytest

from tagger.corpus.dataset import Split
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.evaluation.data_checks import findings

FILLER = [
    Sentence(f"We met Person{number} in Place{number} .".split(), ["O", "O", "B-P", "O", "B-L", "O"])
    for number in range(40)
]


def found(train: list[Sentence], test: list[Sentence] = (), scheme: Scheme = Scheme.IOB2) -> str:  # type: ignore[assignment]
    splits = {"train": Split("train", train, scheme, [])}
    if test:
        splits["test"] = Split("test", test, scheme, [])
    return "\n".join(findings(splits))


def sentence(text: str, *tags: str) -> Sentence:
    return Sentence(text.split(), list(tags) or ["O"] * len(text.split()), place="a:1")


def test_nothing_is_said_of_sound_data() -> None:
    assert found(FILLER[:30], [sentence("They met Bo .", "O", "O", "B-P", "O")]) == ""


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        ([], [FILLER[0]], "test: 1 of 1 sentences (100.0%) are in train, too"),
        ([sentence("We met Person1 in Place1 .")], [], "train: 1 sentences occur again with other labels"),
        (FILLER[:20], [], "train: 20 of 60 sentences are repetitions"),
        ([], [sentence("Bo ran off", "B-Z", "O", "O")], "test: labels that train lacks: Z; no model can find them"),
        ([sentence("Bo", "B-R")], [], "labels with fewer than 20 mentions: R (1)"),
        ([sentence("Bo", "B-p")] * 20, [], "labels that differ in case or hyphens only: P, p"),
        ([sentence(f"Rome {n}", "B-L", "O") for n in range(8)] + [sentence(f"to Rome {n}") for n in range(4)], [],
         "mentions that are often not labelled: Rome (4 of 12)"),
        ([sentence(f"Rome {n}", "B-" + "PL"[n % 2], "O") for n in range(8)], [],
         "mentions with several labels: Rome ("),
        ([sentence(" ".join(["w"] * 151))], [], "train: 1 sentences of more than 150 tokens"),
        ([sentence(" ".join(["w"] * 20), "B-P", *["I-P"] * 19)], [], "train: a span of 20 tokens, P at a:1"),
        ([sentence("a\u200bb c d")], [], "1 sentences with invisible characters"),
        ([sentence("a\ufffdb c d")], [], "1 sentences with characters that were lost"),
        ([sentence("cafÃ© c d")], [], "1 sentences with what looks like UTF-8 read as Latin-1"),
        ([sentence("cafe\u0301 c d")], [], "1 sentences with decomposed characters (NFD)"),
    ],
)  # fmt: skip
def test_what_looks_wrong_is_said(train: list[Sentence], test: list[Sentence], expected: str) -> None:
    assert expected in found([*FILLER, *train], test)


def test_data_without_labels_and_tags_read_as_plain_are_said() -> None:
    assert "train: no labelled span at all" in found([sentence("We met")])
    plain = [sentence("Bo ran", "B-P", "X")]
    assert "labels read as plain tags that look like tags of spans: B-P" in found(plain, scheme=Scheme.PLAIN)
