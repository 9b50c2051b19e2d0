"""Read Label Studio's JSON exports, `JSON` or `JSON-MIN`: tasks with text and labelled regions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tagger.corpus.readers.account import MalformedError, ReadReport
from tagger.corpus.readers.annotations import Annotation, ReadSentence, deliver, tag_text
from tagger.corpus.readers.json_list import read_json_list
from tagger.corpus.readers.records import check_encodable, make_annotation
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import Tokenizer

_TEXT_FIELD = "text"
_WITHOUT_LABEL = frozenset({"id", "start", "end", "startOffset", "endOffset", "globalOffsets", "text"})
_Seen = dict[tuple[str, str], tuple[int, list[Annotation]]]  # id and text → task number and annotations
_NO_TEXT = frozenset({"id", "annotator", "created_at", "updated_at", "lead_time"})  # JSON-MIN's own fields


def read_labelstudio(
    path: Path, report: ReadReport, *, tokenizer: Tokenizer, text_field: str | None = None, tagged: bool = True
) -> Iterator[Sentence]:
    """Read an export. The whole file is held in memory. A task counts as a line.

    Only results with labels are read, never cancelled annotations or predictions. If a task has several annotations,
    they must agree. Tasks that all annotators skipped are left out and counted as rejected. So are repeated tasks in
    JSON-MIN, which has one task per annotation.

    Args:
        path: the export.
        report: counts what is read.
        tokenizer: splits the text.
        text_field: the task's field with the text. None: `text`, else the first field that is text.
        tagged: False ignores annotations and yields sentences without tags.

    Raises:
        UserError: the file cannot be read or is not a JSON list. With `on_error=stop`: a task is malformed.
    """
    seen: _Seen = {}
    advice = "export the project from Label Studio as JSON"
    for number, task in enumerate(read_json_list(path, "tasks", advice), start=1):
        place = f"{path}:task {number}"
        report.line()
        try:
            sentences = _read_task(task, place, number, report, tokenizer, text_field, tagged, seen)
        except MalformedError as problem:
            report.reject(place, str(problem))
            sentences = None
        if sentences is None:
            report.close_sentence()
        else:
            yield from deliver(sentences, report)


def _read_task(
    task: Any,
    place: str,
    number: int,
    report: ReadReport,
    tokenizer: Tokenizer,
    text_field: str | None,
    tagged: bool,
    seen: _Seen,
) -> list[ReadSentence] | None:
    """Read the sentences of a task. None if it was skipped or repeats an earlier task; it is then left out."""
    if not isinstance(task, Mapping):
        raise MalformedError("expected a task (an object); export the project from Label Studio as JSON")
    data = task.get("data", task)
    text = _text(data if isinstance(data, Mapping) else {}, text_field)
    annotations = None
    if tagged:
        annotations = _agreed([_annotated(regions, text) for regions in _regions(task, text)])
        if annotations is None:
            report.leave_out(place, "its annotators skipped it; left out")
            return None
        if "data" not in task and task.get("id") is not None:
            before, earlier = seen.setdefault((str(task["id"]), text), (number, annotations))
            if before != number:
                _agreed([earlier, annotations])
                report.leave_out(place, f"labelled as in task {before}, which is the same; left out")
                return None
    document = task.get("id")
    return tag_text(text, annotations, tokenizer, place=place, document=str(number if document is None else document))


def _text(data: Mapping[str, Any], text_field: str | None) -> str:
    candidates = [text_field] if text_field else [_TEXT_FIELD, *(key for key in data if key not in _NO_TEXT)]
    text = next((data[key] for key in candidates if isinstance(data.get(key), str)), None)
    if text is None:
        raise MalformedError(f"no text in {text_field or 'its data'!r}; set data.text_field to the field that holds it")
    check_encodable(text)
    return str(text)


def _agreed(annotations: Sequence[list[Annotation]]) -> list[Annotation] | None:
    """Return the annotation on which all annotators agree. None if there is none.

    Raises:
        MalformedError: annotations differ.
    """
    if len(set(map(tuple, annotations))) > 1:
        raise MalformedError(
            f"its {len(annotations)} annotations disagree; delete or cancel all but one in Label Studio"
        )
    return annotations[0] if annotations else None


def _regions(task: Mapping[str, Any], text: str) -> list[list[Mapping[str, Any]]]:
    """List the labelled regions of each annotation of a task, except cancelled annotations."""
    if "data" not in task:  # JSON-MIN: regions are in the task itself, under the name of the labelling tag
        lists = [_listed(name, value) for name, value in task.items() if value != text]
        return [[region for regions in lists for region in regions if _is_region(region)]]
    annotations = task.get("annotations", task.get("completions"))
    if not isinstance(annotations, list) or not annotations:
        raise MalformedError("not annotated; annotate the task or leave it out of the export")
    regions = []
    for annotation in annotations:
        if isinstance(annotation, Mapping) and not annotation.get("was_cancelled") and not annotation.get("skipped"):
            results = annotation.get("result") or []
            values = [result.get("value", {}) for result in results if isinstance(result, Mapping)]
            regions.append([value for value in values if _is_region(value)])
    return regions


def _listed(name: str, value: object) -> list[Any]:
    """Return a field of JSON-MIN as a list. It may have been written as a string of JSON.

    Raises:
        MalformedError: the string is not JSON, or a region has no label.
    """
    if isinstance(value, str) and value.lstrip().startswith("[") and '"start"' in value:
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise MalformedError(f"field {name!r}: regions that are no JSON; export the project again") from None
    if not isinstance(value, list):
        return []
    bare = next((number for number, region in enumerate(value, start=1) if _is_unlabelled(region)), None)
    if bare is not None:
        raise MalformedError(f"field {name!r}: region {bare} has no label; label it or remove it")
    return value


def _is_unlabelled(value: object) -> bool:
    if not isinstance(value, Mapping) or "start" not in value or isinstance(value.get("text"), list):
        return False  # not a region: a comment on a region has a list of texts
    return value.keys() <= _WITHOUT_LABEL


def _annotated(regions: Sequence[Mapping[str, Any]], text: str) -> list[Annotation]:
    """Convert regions to annotations, in the order of the text."""
    return sorted(_annotation(value, f"region {number}", text) for number, value in enumerate(regions, start=1))


def _is_region(value: object) -> bool:
    return isinstance(value, Mapping) and "start" in value and ("labels" in value or "hypertextlabels" in value)


def _annotation(value: Mapping[str, Any], where: str, text: str) -> Annotation:
    labels = value.get("labels", value.get("hypertextlabels"))
    if not isinstance(labels, list) or len(labels) != 1:
        raise MalformedError(f"{where}: expected one label, found {labels!r}")
    annotation = make_annotation(value["start"], value.get("end"), labels[0], where)
    covered = value.get("text")
    if not isinstance(covered, str) or text[annotation.start : annotation.end] == covered:
        return annotation
    start, end = _from_utf16(text, annotation.start), _from_utf16(text, annotation.end)
    if start is None or end is None or text[start:end] != covered:
        raise MalformedError(
            f"{where}: characters {annotation.start}-{annotation.end} are "
            f"{text[annotation.start : annotation.end]!r}, not {covered!r}; correct the offsets"
        )
    return Annotation(start, end, annotation.label)


def _from_utf16(text: str, units: int) -> int | None:
    """Convert an offset in UTF-16 units, as JavaScript counts, to characters. None if it is inside a character."""
    position = 0
    for index, character in enumerate(text):
        if position == units:
            return index
        position += 2 if ord(character) > 0xFFFF else 1
    return len(text) if position == units else None
