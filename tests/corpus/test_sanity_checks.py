"""What in a data set is doubted, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tagger.corpus.dataset import DataConfig, load_split, load_splits
from tagger.files import shipped_folder

WORDS = [f"w{number}" for number in range(40)]
ORDINARY = "".join(f"{word}\tB-X\n{'' if number % 8 else chr(10)}" for number, word in enumerate(WORDS))
ELSEWHERE = "; if tokens or tags are elsewhere, set data.token_column (now 0) and data.tag_column (now {})"


def notes(tmp_path: Path, text: str, **settings: Any) -> list[str]:
    path = tmp_path / "a.conll"
    path.write_text(text)
    told = load_split(DataConfig.from_mapping({"test": str(path), **settings}), "test").notes
    return [note.removeprefix(f"warning: {path}: ") for note in told]


def test_columns_that_are_swapped(tmp_path: Path) -> None:
    swapped = "\n".join("\t".join(reversed(line.split("\t"))) for line in ORDINARY.split("\n"))
    told = "40 different tags, such as 'w0', for 1 different tokens" + ELSEWHERE.format(-1)
    assert notes(tmp_path, swapped) == [told]
    assert notes(tmp_path, swapped, token_column=1, tag_column=0) == []


def test_a_number_for_each_token(tmp_path: Path) -> None:
    numbered = "".join(f"{word}\tB-X\t{number}\n" for number, word in enumerate(WORDS))
    told = "40 different tags, such as '0', for 40 different tokens" + ELSEWHERE.format(-1)
    assert notes(tmp_path, numbered) == [told]
    assert notes(tmp_path, numbered, tag_column=1) == []


def test_tags_or_tokens_that_are_numbers(tmp_path: Path) -> None:
    numbered = "".join(f"{number % 5}\t{word}\tB-X\n" for number, word in enumerate(WORDS))
    assert notes(tmp_path, numbered) == ["every token is a number, such as '0'" + ELSEWHERE.format(-1)]
    told = "every tag is a number, such as '0'"
    assert notes(tmp_path, numbered, token_column=1, tag_column=0)[0].startswith(told)
    assert notes(tmp_path, "12 B-X\n13 O\n") == []


@pytest.mark.parametrize(("tokens", "doubted"), [(301, True), (300, False)])
def test_one_sentence_as_long_as_a_file(tmp_path: Path, tokens: int, doubted: bool) -> None:
    told = f"one sentence of {tokens} tokens; separate sentences by blank lines"
    assert notes(tmp_path, "a O\nb B-X\n" * (tokens // 2) + "a O\n" * (tokens % 2)) == [told] * doubted
    assert notes(tmp_path, "a O\n\n" + "a O\n" * tokens) == []


def test_doubts_of_a_file_that_several_splits_are_drawn_from_are_told_once(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("".join(f"{number} B-X\n\n" for number in range(40)))
    splits = load_splits(DataConfig(train=str(path)))
    told = [note for split in splits.values() for note in split.notes]
    assert [note.split(",")[0] for note in told if note.startswith("warning")] == [
        f"warning: {path}: every token is a number"
    ]
    assert splits["train"].notes[0].startswith("warning")
    assert load_split(DataConfig(train=str(path)), "test").notes[0] == splits["train"].notes[0]


def test_fields_of_records_are_named_as_such(tmp_path: Path) -> None:
    record = '{"tokens": ["a", "b"], "tags": ["t%d", "u%d"]}\n'
    (told,) = notes(tmp_path, "".join(record % (number, number) for number in range(20)), format="jsonl")
    assert told.endswith("set data.token_field and data.tag_field")


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_the_starter_corpus_is_not_doubted(split: Any) -> None:
    path = shipped_folder("data") / "starter" / f"{split}.conll"
    assert load_split(DataConfig(test=str(path)), "test").notes == []
