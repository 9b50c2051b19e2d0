"""Raw text on disk: sentences, held-out documents, counts, and refusals."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tagger.errors import UserError
from tagger.pretraining import text_store
from tagger.pretraining.text_store import StoredText, stored_text

_REST = "\t_" * 8 + "\n"  # of a line of CoNLL-U


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGGER_CACHE", str(tmp_path / "cache"))


def articles(count: int) -> str:
    """Articles of two lines, with an empty line between them."""
    return "\n\n".join(f"article {number} begins here\nand it ends" for number in range(count)) + "\n"


def store(path: Path, held_out: float = 0.1, tokenizer: str = "whitespace", **more: list[str]) -> StoredText:
    return stored_text([str(path)], tokenizer, held_out=held_out, **more)


def test_whole_documents_are_held_out_and_the_rest_is_kept_in_order(tmp_path: Path) -> None:
    (tmp_path / "raw.txt").write_text(articles(50))
    text = store(tmp_path / "raw.txt")
    held, kept = list(text.held_out()), list(text.train())
    numbers = {sentence[1] for sentence in held if sentence[0] == "article"}
    assert [sentence[1] for sentence in kept if sentence[0] == "article"] == [
        str(number) for number in range(50) if str(number) not in numbers
    ]
    assert len(held) == 2 * len(numbers) == 2 * text.about.held_out_documents
    assert 0.05 < text.about.held_out_tokens / (text.about.tokens + text.about.held_out_tokens) < 0.15
    assert text.about.documents == 50
    assert text.words(3, 1) == {"and": 50 - len(numbers), "article": 50 - len(numbers), "begins": 50 - len(numbers)}


def test_long_sentences_are_cut_and_words_hold_no_blanks(tmp_path: Path) -> None:
    longest = text_store.LONGEST
    (tmp_path / "long.txt").write_text("x " * (2 * longest + 5) + "\n\nshort one\n")
    lengths = sorted(map(len, [*store(tmp_path / "long.txt").train(), *store(tmp_path / "long.txt").held_out()]))
    assert lengths == [2, 5, longest, longest]
    (tmp_path / "blanks.conllu").write_text("".join(f"1\t10 000{_REST}2\tword{n}{_REST}\n" for n in range(20)))
    assert next(iter(store(tmp_path / "blanks.conllu").train()))[0] == "10_000"


def test_records_and_compressed_files_are_documents(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"record {number} has words"}) for number in range(30)]
    (tmp_path / "raw.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    assert store(tmp_path / "raw.jsonl.gz").about.documents == 30


def test_blocks_make_up_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raw.txt").write_text(articles(50))
    monkeypatch.setattr(text_store, "BLOCK_TOKENS", 40)
    text = store(tmp_path / "raw.txt")
    blocks = [text.block(number) for number in range(len(text.about.train))]
    assert len(blocks) > 5
    assert [sentence for block in blocks for sentence in block] == list(text.train())


def test_counts_of_the_rarest_words_are_forgotten_where_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raw.txt").write_text("".join(f"the word{number}\n\n" for number in range(200)))
    monkeypatch.setattr(text_store, "_MOST_COUNTED", 20)
    words = store(tmp_path / "raw.txt").words(1000, 1)
    assert len(words) <= 21
    assert max(words, key=words.__getitem__) == "the"


def test_held_out_text_of_its_own_leaves_the_other_whole(tmp_path: Path) -> None:
    (tmp_path / "raw.txt").write_text(articles(5))
    (tmp_path / "dev.txt").write_text("held out\n")
    text = store(tmp_path / "raw.txt", dev=[str(tmp_path / "dev.txt")])
    assert list(text.held_out()) == [["held", "out"]]
    assert text.about.sentences == 10


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "there is no text in it"),
        (b"\n\n \n", "there is no text in it"),
        (b"one line\n", "too little text to hold out"),
        ("Málaga\n".encode("latin-1"), "UTF-8"),
        ("Málaga\n".encode("utf-16"), "UTF-8"),
        (bytes(range(256)) * 20, ""),
        (gzip.compress(b"text\n"), "gzip"),
    ],
    ids=["empty", "blank", "little", "latin", "utf16", "binary", "gzip"],
)
def test_what_is_no_text_is_refused_in_one_line(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "raw.txt").write_bytes(content)
    with pytest.raises(UserError, match=r"raw\.txt") as found:
        store(tmp_path / "raw.txt")
    assert expected in str(found.value)
    assert "\n" not in str(found.value)
    assert not list((tmp_path / "cache" / "pretraining").glob("*/*.txt"))


def test_an_endless_line_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_store, "_LONGEST_LINE", 100)
    (tmp_path / "raw.txt").write_text("x" * 101)
    with pytest.raises(UserError, match="a line of 101 characters"):
        store(tmp_path / "raw.txt")


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "raw.txt").write_text(articles(20))
    store(tmp_path / "raw.txt")
    (kept,) = (tmp_path / "cache" / "pretraining").glob("*/train.txt")
    kept.write_bytes(kept.read_bytes()[:50])
    with pytest.raises(UserError, match="remove this folder"):
        list(store(tmp_path / "raw.txt").train())
