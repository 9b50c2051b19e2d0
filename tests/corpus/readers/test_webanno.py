"""WebAnno TSV 3. Offsets count UTF-16 units, as Java does."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus.entities import entities
from tagger.corpus.readers.account import OnError, ReadReport
from tagger.corpus.readers.annotations import Overlap
from tagger.corpus.readers.utf16 import Utf16
from tagger.corpus.readers.webanno import webanno_from
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError

NAMED = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
HEAD = f"#FORMAT=WebAnno TSV 3.3\n#T_SP={NAMED}|identifier|value\n#T_RL=webanno.custom.Relation|value|BT_{NAMED}\n\n\n"
BODY = """#Text=😀 Ada Lovelace met Bo.
1-1\t0-2\t😀\t_\t_\t_\t_\t
1-2\t3-6\tAda\t*[1]\tPER[1]\t_\t_\t
1-3\t7-15\tLovelace\t*[1]\tPER[1]\tknows\t1-5\t
1-4\t16-19\tmet\t_\t_\t_\t_\t
1-5\t20-22\tBo\t*\tPER\t_\t_\t
1-6\t22-23\t.\t_\t_\t_\t_\t

#Text=In Paris.
2-1\t24-26\tIn\t_\t_\t_\t_\t
2-2\t27-32\tParis\t*\tLOC\\_x\t_\t_\t
2-3\t32-33\t.\t_\t_\t_\t_\t
"""


def read(
    content: str, layer: str | None = None, overlap: Overlap = "stop", on_error: OnError = OnError.STOP
) -> tuple[list[Sentence], ReadReport]:
    report = ReadReport("file", on_error)
    return list(webanno_from(io.BytesIO(content.encode()), report, layer=layer, overlap=overlap)), report


def test_spans_tokens_and_text() -> None:
    found, report = read(HEAD + BODY)
    marked = [[(entity.label, entity.text) for entity in entities(sentence)] for sentence in found]
    assert marked == [[("PER", "Ada Lovelace"), ("PER", "Bo")], [("LOC_x", "Paris")]]
    assert found[0].tokens == ["😀", "Ada", "Lovelace", "met", "Bo", "."]
    assert report.ignored == {"values of other layers and features": 2}
    assert report.lines.kept == (HEAD + BODY).count("\n")


def test_a_feature_is_chosen_by_the_end_of_its_name() -> None:
    head = "#FORMAT=WebAnno TSV 3.2\n#T_SP=webanno.custom.A|x\n#T_SP=webanno.custom.B|x|y\n\n"
    body = "#Text=Ada met\n1-1\t0-3\tAda\tP\tQ\tR\t\n1-2\t4-7\tmet\t_\t_\t_\t\n"
    for layer, tag in [("A.x", "B-P"), ("B.x", "B-Q"), ("y", "B-R"), (None, "B-P")]:
        (sentence,), _ = read(head + body, layer)
        assert sentence.tags == [tag, "O"]
    with pytest.raises(UserError, match=r"more than one feature 'x' .found webanno.custom.A.x, .*; set data.tag_field"):
        read(head + body, "x")
    with pytest.raises(UserError, match=r"no feature 'z'"):
        read(head + body, "z")


def test_a_layer_without_features_gives_its_own_name() -> None:
    (sentence,), _ = read("#FORMAT=WebAnno TSV 3.3\n#T_SP=webanno.custom.Gene|\n\n#Text=p53\n1-1\t0-3\tp53\t*\t\n")
    assert sentence.tags == ["B-Gene"]


STACKED = "1-1\t0-3\tAda\tPER[1]|X\t\n1-2\t4-7\tLee\tPER[1]\t\n"


@pytest.mark.parametrize(("overlap", "tags"), [("longest", ["B-PER", "I-PER"]), ("innermost", ["B-X", "O"])])
def test_stacked_spans_are_chosen(overlap: Overlap, tags: list[str]) -> None:
    head = f"#FORMAT=WebAnno TSV 3.3\n#T_SP={NAMED}|value\n\n#Text=Ada Lee\n"
    (sentence,), report = read(head + STACKED, overlap=overlap)
    assert (sentence.tags, report.ignored.total()) == (tags, 1)
    with pytest.raises(UserError, match=r"overlap; keep one of them, or set data.overlap=longest"):
        read(head + STACKED)


def test_a_span_across_sentences_joins_them_and_parts_of_tokens_become_tokens() -> None:
    head = f"#FORMAT=WebAnno TSV 3.3\n#T_SP={NAMED}|value\n\n"
    body = "#Text=New\n1-1\t0-3\tNew\tLOC[1]\t\n\n#Text=York-based\n"
    body += "2-1\t4-14\tYork-based\t_\t\n2-1.1\t4-8\tYork\tLOC[1]\t\n"
    (sentence,), report = read(head + body)
    assert (sentence.tokens, sentence.tags) == (["New", "York-based"], ["B-LOC", "I-LOC"])
    assert report.sentences.repaired == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a\tO\n", "file:1: expected #FORMAT=WebAnno TSV 3.3, found"),
        (HEAD + BODY.replace("3-6", "4-7"), "offsets do not fit: 'da ' where the token is 'Ada'"),
        (HEAD + BODY.replace("3-6", "1-6"), "offsets 1-6 are not in the text"),
        (HEAD + BODY.replace("1-2\t3-6\t", ""), "line 8: expected #Text= and then 1-1, TAB"),
        (HEAD + BODY.replace("Ada\t*[1]\tPER[1]\t_\t_\t", "Ada"), "line 8: no column of"),
        (HEAD + "#Text=a\n1-1\t99999999-99999999\ta\t_\t_\t_\t_\t\n", "too far from the one before it"),
    ],
)
def test_faults_stop_or_reject_the_document(content: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        read(content)
    if content.startswith("#"):
        found, report = read(content, on_error=OnError.SKIP)
        assert (found, report.sentences.rejected, report.lines.kept) == ([], 1, 0)


@given(st.text(st.sampled_from("aé北😀𝒳"), max_size=12))
def test_units_of_utf16_are_those_of_its_encoding(text: str) -> None:
    units = Utf16(text)
    found = [units.characters(number) for number in range(len(text.encode("utf-16-le")) // 2 + 2)]
    expected = {len(text[:number].encode("utf-16-le")) // 2: number for number in range(len(text) + 1)}
    assert found == [expected.get(number) for number in range(len(found))]
