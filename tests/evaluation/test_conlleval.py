"""Compare scores of random files, well formed and malformed, with conlleval's counts."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tagger.corpus.schemes import Scheme, spans_from_tags
from tagger.evaluation.prediction_files import read_three_columns
from tagger.evaluation.scores import PRF, CharacterSpan, Scores, readable_tags, score, score_entities
from tests.helpers.conlleval import Found, conlleval

FILES = 250  # for each set of letters
TYPES = ("PER", "LOC", "a-b")
IN_CONLLEVAL = str.maketrans("LU", "ES")  # whose letters are those of BIOES


def tag_file(chance: random.Random, letters: str) -> list[str]:
    """Draw lines of word, gold tag and predicted tag. Some files hold well-formed tags, others any."""
    any_tags, density, share_right = chance.random(), chance.uniform(0.1, 0.9), chance.random()
    lines = []
    for _ in range(chance.randint(1, 6)):
        gold = _tags(chance, letters, chance.randint(1, 12), density, any_tags)
        other = _tags(chance, letters, len(gold), density, any_tags)
        predicted = [tag if chance.random() < share_right else drawn for tag, drawn in zip(gold, other, strict=True)]
        lines += [f"w {tag} {guess}" for tag, guess in zip(gold, predicted, strict=True)]
        lines += [""] * chance.randint(1, 2)
    return lines


def _tags(chance: random.Random, letters: str, length: int, density: float, any_tags: float) -> list[str]:
    tags: list[str] = []
    while len(tags) < length:
        if chance.random() > density:
            tags.append("O")
        elif chance.random() < any_tags:
            tags.append(f"{chance.choice(letters)}-{chance.choice(TYPES)}")
        else:
            tags += _entity(letters, chance.choice(TYPES), chance.randint(1, 4))
    return tags[:length]


def _entity(letters: str, kind: str, length: int) -> list[str]:
    """Write an entity in the scheme of these letters."""
    first = "B" if "B" in letters else "I"
    written = [first, *"I" * (length - 1)]
    if len(letters) == 4:
        written[-1] = letters[-1] if length == 1 else letters[-2]
    return [f"{letter}-{kind}" for letter in written]


def scores_of(found: Found) -> tuple[PRF, dict[str, PRF]]:
    def prf(correct: int, predicted: int, gold: int) -> PRF:
        precision, recall = correct / predicted if predicted else 0, correct / gold if gold else 0
        return PRF(precision, recall, 2 * correct / (predicted + gold) if predicted + gold else 0, gold)

    kinds = sorted(+found.gold | +found.predicted)
    types = {kind: prf(found.correct[kind], found.predicted[kind], found.gold[kind]) for kind in kinds}
    return prf(found.correct.total(), found.predicted.total(), found.gold.total()), types


def assert_same(found: Scores, micro: PRF, types: dict[str, PRF]) -> None:
    assert list(found.types) == list(types)
    for one, other in zip([found.micro, *found.types.values()], [micro, *types.values()], strict=True):
        assert vars(one) == pytest.approx(vars(other))


@pytest.mark.parametrize("letters", ["BI", "I", "BIES", "BILU"])
def test_scores_of_random_files_are_those_of_conlleval(letters: str, tmp_path: Path) -> None:
    path = tmp_path / "tags.txt"
    for seed in range(FILES):
        lines = tag_file(random.Random(f"{letters} {seed}"), letters)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        read = read_three_columns(path)
        translated = [_for_conlleval(line) for line in lines]
        expected = conlleval(translated)
        micro, types = scores_of(expected)
        by_seqeval = score(read.gold, read.predicted, read.scheme)
        assert_same(by_seqeval, micro, types)
        assert by_seqeval.accuracy == pytest.approx(expected.correct_tokens / expected.tokens)
        sides = (map(spans_in(read.scheme), side) for side in (read.gold, read.predicted))
        assert_same(score_entities(*sides), micro, types)


def spans_in(scheme: Scheme) -> Callable[[list[str]], set[CharacterSpan]]:
    return lambda tags: set(spans_from_tags(readable_tags(tags, scheme)))


def _for_conlleval(line: str) -> str:
    columns = [column[:1].translate(IN_CONLLEVAL) + column[1:] for column in line.split()]
    return " ".join(columns)


@pytest.mark.parametrize(
    ("tags", "chunks"),
    [
        ("B-X I-X O I-X", 2),
        ("I-X I-Y B-Y", 3),
        ("B-X E-X E-X I-X S-X", 4),
        ("S-X I-X O", 2),
        ("E-X O I-X B-X", 3),
    ],
)
def test_the_rules_of_conlleval_by_hand(tags: str, chunks: int) -> None:
    found = conlleval(f"w {tag} {tag}" for tag in tags.split())
    assert found.gold.total() == found.predicted.total() == found.correct.total() == chunks
