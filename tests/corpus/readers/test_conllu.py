"""CoNLL-U."""

import io

import pytest

from tagger.corpus.readers.account import OnError, ReadReport
from tagger.corpus.readers.conllu import conllu_from
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError


def word(number: str, form: str, upos: str = "NOUN", xpos: str = "NN") -> str:
    return "\t".join([number, form, form, upos, xpos, "_", "_", "_", "_", "_"]) + "\n"


def read(text: str, on_error: OnError = OnError.STOP, **columns: int | None) -> list[Sentence]:
    return list(conllu_from(io.BytesIO(text.encode()), ReadReport("file", on_error), **columns))  # type: ignore[arg-type]


CONTRACTED = (
    "# newdoc id = d\n# text = vámonos al mar\n"
    + word("1-2", "vámonos", "_")
    + word("1", "vamos", "VERB")
    + word("2", "nos", "PRON")
    + word("2.1", "elided", "VERB")
    + word("3", "mar")
)


def test_words_are_read_and_ranges_and_empty_nodes_passed_over() -> None:
    (sentence,) = read(CONTRACTED)
    assert sentence.tokens == ["vamos", "nos", "mar"]
    assert sentence.tags == ["VERB", "PRON", "NOUN"]
    assert (sentence.document, sentence.text, sentence.place) == ("d", None, "file:3")


def test_running_text_is_kept_where_the_words_stand_in_it() -> None:
    (sentence,) = read(
        "# text = don't go\n" + word("1-2", "don't") + word("1", "do") + word("2", "n't") + word("3", "go")
    )
    assert sentence.text == "don't go"
    assert sentence.offsets == [(0, 2), (2, 5), (6, 8)]


def test_text_of_an_earlier_comment_block_is_not_carried_over() -> None:
    (sentence,) = read("# text = a\n\n" + word("1", "a"))
    assert sentence.text is None


@pytest.mark.parametrize(("column", "tags"), [(4, ["NN"]), (-6, ["NN"]), (None, None)])
def test_another_column_or_none_can_be_the_tag(column: int | None, tags: list[str] | None) -> None:
    assert read(word("1", "a"), tag_column=column)[0].tags == tags


def test_words_may_hold_blanks() -> None:
    assert read(word("1", "10 000"))[0].tokens == ["10 000"]


@pytest.mark.parametrize(
    ("text", "columns", "problem"),
    [
        ("1\ta\tO\n", {}, "file:1: expected 10 columns separated by TABs, found 3"),
        (word("1", "a") + word("x", "b"), {}, "file:2: expected a word's number in the first column, found 'x'"),
        (word("1", "a", ""), {}, "file:1: no tag in column 3; write _ where there is none"),
        (word("1", "a", "N\u2028N"), {}, r"file:1: tag or label 'N\\u2028N' holds a control character"),
        (word("1", "a"), {"tag_column": 10}, "file:1: found 10 columns; set data.token_column and data.tag_column"),
        (word("1-2", "a"), {}, "file:1: a sentence without words"),
    ],
)
def test_a_malformed_line_stops_the_run_by_place(text: str, columns: dict, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        read(text, **columns)


def test_skipping_drops_the_whole_sentence() -> None:
    assert [s.tokens for s in read(word("1", "a") + "oops\n\n" + word("1", "b"), OnError.SKIP)] == [["b"]]
