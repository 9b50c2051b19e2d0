"""Label Studio exports."""

import json
from pathlib import Path

import pytest

from tagger.corpus.labelstudio import read_labelstudio
from tagger.corpus.reading import OnError, ReadReport
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer
from tagger.errors import UserError


def region(start: int, end: int, label: str, text: str | None = None) -> dict:
    value = {"start": start, "end": end, "labels": [label]}
    return {
        "type": "labels",
        "from_name": "label",
        "to_name": "text",
        "value": value | ({"text": text} if text else {}),
    }


def task(text: str, *regions: dict, **fields: object) -> dict:
    return {
        "id": 7,
        "data": {"text": text},
        "annotations": [{"was_cancelled": False, "result": list(regions)}],
    } | fields


def read(
    folder: Path, tasks: object, on_error: OnError = OnError.STOP, text_field: str | None = None, tagged: bool = True
) -> tuple[list[Sentence], ReadReport]:
    path = folder / "export.json"
    path.write_text(tasks if isinstance(tasks, str) else json.dumps(tasks))
    report = ReadReport(str(path), on_error)
    tokenizer = get_tokenizer("syntok")
    return list(read_labelstudio(path, report, tokenizer=tokenizer, text_field=text_field, tagged=tagged)), report


def test_regions_become_tags_and_the_task_a_document(tmp_path: Path) -> None:
    (sentence,), report = read(tmp_path, [task("Bo met Al.", region(7, 9, "PER"), region(0, 2, "PER"))])
    assert sentence.tags == ["B-PER", "O", "B-PER", "O"]
    assert (sentence.document, sentence.place) == ("7", f"{tmp_path / 'export.json'}:task 1")
    assert report.lines.kept == report.sentences.kept == 1


def test_the_short_export_reads_the_same(tmp_path: Path) -> None:
    spans = [{"start": 0, "end": 2, "text": "Bo", "labels": ["PER"]}]
    (sentence,), _ = read(tmp_path, [{"id": 7, "text": "Bo met", "label": spans, "annotator": 1}])
    assert (sentence.tags, sentence.document) == (["B-PER", "O"], "7")


def test_the_first_annotation_that_was_not_cancelled_counts(tmp_path: Path) -> None:
    annotations = [
        {"was_cancelled": True, "result": [region(0, 2, "WRONG")]},
        {"was_cancelled": False, "result": [region(0, 2, "PER"), {"type": "choices", "value": {"choices": ["x"]}}, {}]},
        {"was_cancelled": False, "result": [region(0, 2, "LATER")]},
    ]
    (sentence,), _ = read(tmp_path, [task("Bo met", annotations=annotations)])
    assert sentence.tags == ["B-PER", "O"]


def test_a_task_that_was_skipped_is_left_out_and_counted(tmp_path: Path) -> None:
    skipped = task("Bo", annotations=[{"was_cancelled": True, "result": []}])
    found, report = read(tmp_path, [skipped, task("Al")])
    assert [sentence.tokens for sentence in found] == [["Al"]]
    assert (report.sentences.kept, report.sentences.rejected) == (1, 1)
    assert "its annotators skipped it" in report.places[0]


@pytest.mark.parametrize(("field", "data"), [(None, {"n": 1, "body": "Bo"}), ("b", {"text": "no", "b": "Bo"})])
def test_the_text_may_stand_in_another_field(tmp_path: Path, field: str | None, data: dict) -> None:
    (sentence,), _ = read(tmp_path, [task("", data=data)], text_field=field)
    assert sentence.tokens == ["Bo"]


def test_offsets_that_count_utf16_units_are_understood_by_their_text(tmp_path: Path) -> None:
    (sentence,), _ = read(tmp_path, [task("😀😀 Bo met", region(5, 7, "PER", "Bo"))])
    assert sentence.tokens[sentence.tags.index("B-PER")] == "Bo"  # type: ignore[union-attr]


def test_annotations_are_left_alone_where_they_are_not_wanted(tmp_path: Path) -> None:
    (sentence,), _ = read(tmp_path, [{"data": {"text": "Bo"}}], tagged=False)
    assert sentence.tags is None


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("x", "expected a task"),
        ({"data": {"n": 1}, "annotations": []}, "no text in .*; set data.text_field"),
        (task("Bo", annotations=[]), "not annotated"),
        ({"data": {"text": "Bo"}}, "not annotated"),
        (task("Bo", region(0, 9, "PER")), "expected 0 <= start < end <= 2"),
        (task("Bo met", region(0, 2, "PER", "met")), "characters 0-2 are 'Bo', not 'met'"),
        (task("Bo", {"value": {"start": 0, "end": 2, "labels": ["A", "B"]}}), "region 1: expected one label"),
        (task("Bo", region(0, 2, "P\tR")), r"tag or label 'P\\tR' holds a control character"),
        (task("Bo", {"value": {"start": "0", "end": 2, "labels": ["A"]}}), "region 1: expected whole numbers"),
    ],
)
def test_a_malformed_task_stops_the_run_by_place_or_is_skipped(tmp_path: Path, broken: object, problem: str) -> None:
    with pytest.raises(UserError, match=f"task 2: .*{problem}"):
        read(tmp_path, [task("Al"), broken])
    found, report = read(tmp_path, [broken, task("Al")], OnError.SKIP)
    assert len(found) == report.sentences.kept == report.sentences.rejected == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "no JSON: .*; export the project from Label Studio as JSON"),
        ('{"a": 1}', "expected a list of tasks, found dict"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_is_no_export_is_told(tmp_path: Path, content: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        read(tmp_path, content)
