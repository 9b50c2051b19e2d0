"""Label Studio exports."""

import json
from pathlib import Path

import pytest

from tagger.corpus.readers.account import OnError, ReadReport
from tagger.corpus.readers.labelstudio import read_labelstudio
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


def test_cancelled_annotations_and_predictions_are_never_read(tmp_path: Path) -> None:
    annotations = [
        {"was_cancelled": True, "result": [region(0, 2, "WRONG")]},
        {"skipped": True, "result": [region(0, 2, "WRONG")]},
        {"was_cancelled": False, "result": [region(0, 2, "PER"), {"type": "choices", "value": {"choices": ["x"]}}, {}]},
    ]
    predictions = [{"result": [region(3, 6, "WRONG")]}]
    (sentence,), _ = read(tmp_path, [task("Bo met", annotations=annotations, predictions=predictions)])
    assert sentence.tags == ["B-PER", "O"]


@pytest.mark.parametrize("other", [[], [region(0, 2, "ORG")], [region(0, 6, "PER")]])
def test_annotators_who_disagree_stop_the_run_or_the_task_is_counted(tmp_path: Path, other: list[dict]) -> None:
    split = task("Bo met", annotations=[{"result": [region(0, 2, "PER")]}, {"result": other}])
    with pytest.raises(UserError, match=r"task 2: its 2 annotations disagree; delete or cancel all but one"):
        read(tmp_path, [task("Al"), split])
    found, report = read(tmp_path, [task("Al"), split], OnError.SKIP)
    assert [sentence.tokens for sentence in found] == [["Al"]]
    assert report.sentences.rejected == 1
    assert "annotations disagree" in report.places[0]


def test_annotators_who_agree_in_any_order_are_one(tmp_path: Path) -> None:
    regions = [region(0, 2, "PER"), region(7, 9, "PER")]
    (sentence,), _ = read(tmp_path, [task("Bo met Al", annotations=[{"result": regions}, {"result": regions[::-1]}])])
    assert sentence.tags == ["B-PER", "O", "B-PER"]


def short(label: object, **fields: object) -> dict:
    return {"id": 7, "text": "Bo met", "label": label, "annotator": 1} | fields


def test_a_task_that_the_short_export_repeats_for_each_annotator_is_read_once(tmp_path: Path) -> None:
    per, org = ([{"start": 0, "end": 2, "labels": [label]}] for label in ("PER", "ORG"))
    found, report = read(tmp_path, [short(per), short(per, annotator=2), short(org, id=8)])
    assert [sentence.tags for sentence in found] == [["B-PER", "O"], ["B-ORG", "O"]]
    assert (report.sentences.kept, report.sentences.rejected) == (2, 1)
    assert "task 2: labelled as in task 1, which is the same; left out" in report.places[0]
    with pytest.raises(UserError, match=r"task 2: its 2 annotations disagree"):
        read(tmp_path, [short(per), short(org, annotator=2)])


def test_regions_that_the_short_export_holds_as_a_string_are_read(tmp_path: Path) -> None:
    (sentence,), _ = read(tmp_path, [short(json.dumps([{"start": 0, "end": 2, "labels": ["PER"]}]))])
    assert sentence.tags == ["B-PER", "O"]


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ('[{"start":0}]', "field 'label': region 1 has no label"),
        ([{"start": 0, "end": 2, "text": "Bo"}], "field 'label': region 1 has no label"),
        ('[{"start":0', "field 'label': regions that are no JSON"),
    ],
)
def test_regions_of_the_short_export_without_a_label_are_refused(tmp_path: Path, label: object, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        read(tmp_path, [short(label)])


def test_choices_and_comments_on_regions_are_no_entities(tmp_path: Path) -> None:
    place = {"start": 0, "end": 2}
    (sentence,), _ = read(
        tmp_path, [short([], sure=[place | {"choices": ["no"]}], note=[place | {"text": ["a comment"]}])]
    )
    assert sentence.tags == ["O", "O"]


def test_a_task_that_was_skipped_is_left_out_and_counted(tmp_path: Path) -> None:
    skipped = task("Bo", annotations=[{"was_cancelled": True, "result": []}])
    found, report = read(tmp_path, [skipped, task("Al")])
    assert [sentence.tokens for sentence in found] == [["Al"]]
    assert (report.sentences.kept, report.sentences.rejected) == (1, 1)
    assert report.skipped == {"tasks that all annotators skipped": 1}


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


def annotated_by(name: object, *regions: dict, changed: str = "", **fields: object) -> dict:
    return {"completed_by": name, "updated_at": changed, "result": list(regions)} | fields


SEVERAL = [
    annotated_by(1, region(0, 2, "PER"), changed="2024-03-02T10:00:00Z"),
    annotated_by({"id": 2, "email": "b@c.d"}, region(0, 2, "ORG"), changed="2024-03-05T10:00:00Z"),
    annotated_by(3, region(0, 2, "LOC"), changed="2024-03-09T10:00:00Z", was_cancelled=True),
    annotated_by(4, changed="2024-03-01T10:00:00Z"),
]


@pytest.mark.parametrize(
    ("annotator", "tags"),
    [("first", ["O", "O"]), ("latest", ["B-ORG", "O"]), ("1", ["B-PER", "O"]), ("b@c.d", ["B-ORG", "O"])],
)
def test_of_several_annotators_one_is_chosen(tmp_path: Path, annotator: str, tags: list[str]) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps([task("Bo met", annotations=SEVERAL)]))
    report = ReadReport(str(path))
    (sentence,) = read_labelstudio(path, report, tokenizer=get_tokenizer("syntok"), annotator=annotator)
    assert sentence.tags == tags
    assert report.ignored == {"annotations that were cancelled": 1}


def test_tasks_without_the_annotator_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps([task("Bo met", annotations=SEVERAL), task("Al", annotations=SEVERAL[:1])]))
    report = ReadReport(str(path))
    found = list(read_labelstudio(path, report, tokenizer=get_tokenizer("syntok"), annotator="2"))
    assert [sentence.tokens for sentence in found] == [["Bo", "met"]]
    assert report.skipped == {"tasks without an annotation by 2": 1}


@pytest.mark.parametrize(("annotator", "tag"), [("first", "B-PER"), ("latest", "B-ORG"), ("8", "B-ORG")])
def test_the_short_export_has_a_task_for_each_annotator(tmp_path: Path, annotator: str, tag: str) -> None:
    path = tmp_path / "export.json"
    spans = [{"start": 0, "end": 2, "text": "Bo", "labels": ["PER"]}]
    first = {"id": 7, "text": "Bo met", "label": spans, "annotator": 5, "updated_at": "2024-01-01"}
    second = {**first, "label": [spans[0] | {"labels": ["ORG"]}], "annotator": 8, "updated_at": "2024-01-02"}
    path.write_text(json.dumps([second, first]))
    report = ReadReport(str(path))
    (sentence,) = read_labelstudio(path, report, tokenizer=get_tokenizer("syntok"), annotator=annotator)
    assert sentence.tags == [tag, "O"]
    assert report.sentences.rejected == report.skipped.total() == 1


def test_what_is_no_annotated_task_is_counted_by_its_kind(tmp_path: Path) -> None:
    relation = {"type": "relation", "from_id": "a", "to_id": "b"}
    tasks = [
        task("Bo met", region(0, 2, "PER"), relation, relation, {"type": "choices", "value": {"choices": ["x"]}}),
        task("Al", annotations=[]),
        task("Cy", annotations=[], predictions=[{"result": [region(0, 2, "PER")]}]),
        task("Di", annotations=[{"was_cancelled": True, "result": []}]),
    ]
    found, report = read(tmp_path, tasks)
    assert [sentence.tokens for sentence in found] == [["Bo", "met"]]
    assert report.ignored == {"results of kind 'relation'": 2, "results of kind 'choices'": 1}
    assert report.skipped.total() == len(report.skipped) == report.sentences.rejected == 3
    assert "2 results of kind 'relation'" in report.summary()
