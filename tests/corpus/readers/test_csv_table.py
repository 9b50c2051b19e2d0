"""CSV with columns by name."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus.entities import entities
from tagger.corpus.readers.account import OnError, ReadReport
from tagger.corpus.readers.csv_rows import CsvRows, split_row
from tagger.corpus.readers.csv_table import CsvLayout, csv_from
from tagger.corpus.readers.records import RecordFields
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer
from tagger.errors import UserError

CELLS = st.text(st.sampled_from('ab ,;"\t\n\ré😀'), max_size=6)


def read(
    content: str, layout: CsvLayout | None = None, on_error: OnError = OnError.STOP
) -> tuple[list[Sentence], ReadReport]:
    report = ReadReport("file", on_error)
    stream = io.BytesIO(content.encode())
    return list(csv_from(stream, report, tokenizer=get_tokenizer("syntok"), layout=layout)), report


KAGGLE = 'Sentence #,Word,POS,Tag\nSentence: 1,Ada,NNP,B-per\n,met,VBD,O\n,",",",",O\nSentence: 2,Bo,NNP,B-per\n'


def test_a_word_a_row_with_sentence_numbers() -> None:
    found, report = read(KAGGLE)
    assert [sentence.tokens for sentence in found] == [["Ada", "met", ","], ["Bo"]]
    assert [sentence.tags for sentence in found] == [["B-per", "O", "O"], ["B-per"]]
    assert [sentence.place for sentence in found] == ["file:2", "file:5"]
    assert (report.sentences.kept, report.lines.kept) == (2, 5)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("before", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_marks_and_line_ends_are_recognised(separator: str, before: str, end: str) -> None:
    rows = [["word", "x", "tag"], ["Ada", "1", "B-P"], ["is", "", "O"], ["", "", ""], ["Bo", "2", "B-P"], []]
    found, report = read(before + end.join(separator.join(row) for row in rows))
    assert [sentence.tokens for sentence in found] == [["Ada", "is"], ["Bo"]]
    assert report.sentences.read == 2
    assert report.lines.read == 5


def test_columns_are_chosen_by_name() -> None:
    layout = CsvLayout(fields=RecordFields(tokens="Wort", tags="Art"), sentence="nr")
    found, _ = read("nr;Wort;tag;Art\n1;Ada;X;B-P\n1;sah;X;O\n2;Bo;X;B-P\n", layout)
    assert [(sentence.tokens, sentence.tags) for sentence in found] == [
        (["Ada", "sah"], ["B-P", "O"]),
        (["Bo"], ["B-P"]),
    ]


@pytest.mark.parametrize(
    ("labels", "tags"),
    [
        ('"[[0, 3, ""PER""]]"', ["B-PER", "O", "O"]),
        ("\"[(0, 3, 'PER')]\"", ["B-PER", "O", "O"]),
        ("\"['B-PER', 'O', 'O']\"", ["B-PER", "O", "O"]),
        ("B-PER O O", ["B-PER", "O", "O"]),
        ("[]", ["O", "O", "O"]),
        ("", ["O", "O", "O"]),
    ],
)
def test_a_text_a_row_with_its_labels(labels: str, tags: list[str]) -> None:
    (sentence,), _ = read(f"id,text,labels\n7,Ada met Bo,{labels}\n")
    assert (sentence.tokens, sentence.tags, sentence.text) == (["Ada", "met", "Bo"], tags, "Ada met Bo")


def test_cells_with_line_ends_and_quotes() -> None:
    found, report = read('text,spans\n"Ada said\r\n""hi"" to Bo","[[0, 3, ""PER""], [18, 20, ""PER""]]"\nBo,[]\n')
    assert [[entity.text for entity in entities(sentence)] for sentence in found] == [["Ada", "Bo"], []]
    assert found[0].text == 'Ada said\r\n"hi" to Bo'
    assert (report.lines.read, found[1].place) == (4, "file:4")


def test_cells_with_lists_of_words() -> None:
    (sentence,), _ = read("tokens;ner_tags\n['Ada', 'met'];['B-PER', 'O']\n")
    assert (sentence.tokens, sentence.tags) == (["Ada", "met"], ["B-PER", "O"])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a,b\n1,2\n", "file: no column of words or text .found 'a', 'b'.; set data.token_field or data.text_field"),
        ("word,b\n1,2\n", "file: no column of tags .found 'word', 'b'.; set data.tag_field"),
        ("word,tag,tag\n1,2,3\n", "file: two columns 'tag'"),
        ("word,tag\nAda,O\nBo\n", "file:3: 1 cell where the header has 2"),
        ("a,word\nAda\n", "file: no column of tags"),
        ("tag,word\nAda\n", "file:2: 1 cell where the header has 2"),
        ('word,tag\n5" pipe,O\n', "file:2: a quotation mark in a cell that is not quoted"),
        ('word,tag\n",O\nBo,B-P\n",O\n', "file:2: a word with a line end"),
        ('word,tag\n",O\nBo,B-P\n', "file:2: a quotation mark"),
        ("word,tag\n,O\n", "file:2: no word in column 'word'"),
        ("word,tag\nAda,\n", "file:2: no tag in column 'tag'"),
        ("text,tags\nAda Bo,O\n", "file:2: 2 tokens but 1 tags"),
        ("text,labels\nAda,[1\n", "file:2: column 'labels': a list that is neither JSON nor Python"),
    ],
)
def test_faults_are_named_by_their_place(content: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        read(content)


def test_a_faulty_row_rejects_its_own_sentence_alone() -> None:
    found, report = read("sentence_id,word,tag\n1,Ada,O\n2,Bo,\n2,Cy,O\n3,Di,O\n", on_error=OnError.SKIP)
    assert [sentence.tokens for sentence in found] == [["Ada"], ["Di"]]
    assert (report.sentences.rejected, report.lines.rejected) == (1, 2)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=5), st.sampled_from(",;\t"))
def test_rows_are_those_that_python_wrote(rows: list[list[str]], separator: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
    found = CsvRows(io.BytesIO(buffer.getvalue().encode()), ReadReport("file"))
    assert [row.cells for row in found] == rows
    assert (found.names, found.separator) == (["a", "b"], separator)


@given(st.lists(CELLS, min_size=1, max_size=4))
def test_a_row_is_split_as_python_does(cells: list[str]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    assert split_row(buffer.getvalue().removesuffix("\r\n"), ",") == cells
