"""Read Label Studio's JSON exports, `JSON` or `JSON-MIN`: tasks with text and labelled regions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tagger.corpus.readers.account import MalformedError, ReadReport
from tagger.corpus.readers.annotations import Annotation, Overlap, ReadSentence, deliver, tag_text
from tagger.corpus.readers.json_list import read_json_list
from tagger.corpus.readers.records import check_encodable, make_annotation
from tagger.corpus.readers.utf16 import Utf16
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import Tokenizer

_TEXT_FIELD = "text"
_WITHOUT_LABEL = frozenset({"id", "start", "end", "startOffset", "endOffset", "globalOffsets", "text"})
_NO_TEXT = frozenset({"id", "annotator", "created_at", "updated_at", "lead_time"})  # JSON-MIN's own fields


AGREED, FIRST, LATEST = "agreed", "first", "latest"
_NOT_ANNOTATED, _PREDICTED = "tasks that nobody annotated", "tasks that were only predicted"
_CANCELLED = "tasks that all annotators skipped"


def read_labelstudio(
    path: Path,
    report: ReadReport,
    *,
    tokenizer: Tokenizer,
    text_field: str | None = None,
    tagged: bool = True,
    annotator: str = AGREED,
    overlap: Overlap = "stop",
) -> Iterator[Sentence]:
    """Read an export. The whole file is held in memory. A task counts as a line.

    Only results with labels are read. Cancelled annotations, predictions, relations and choices are counted. Tasks
    that all annotators skipped, that nobody annotated, or that were only predicted are left out and counted as
    rejected. So are repeated tasks in JSON-MIN, which has one task per annotation.

    Args:
        path: the export.
        report: counts what is read.
        tokenizer: splits the text.
        text_field: the task's field with the text. None: `text`, else the first field that is text.
        tagged: False ignores annotations and yields sentences without tags.
        annotator: which of several annotations of a task to read. `agreed`: they must be the same. `first` and
            `latest`: by the time of their last change, or by their order without one. Otherwise the number or address
            of an annotator; tasks without an annotation by this one are left out and counted.
        overlap: which of regions that share a token to keep; see `annotations.without_overlap`.

    Raises:
        UserError: the file cannot be read or is not a JSON list. With `on_error=stop`: a task is malformed.
    """
    tasks = read_json_list(path, "tasks", "export the project from Label Studio as JSON")
    reading = _Reading(tokenizer, text_field, tagged, annotator, overlap)
    if tagged and annotator in (FIRST, LATEST):
        reading.chosen = _chosen(tasks, annotator)
    for number, task in enumerate(tasks, start=1):
        place = f"{path}:task {number}"
        report.line()
        try:
            sentences = reading.task(task, place, number, report)
        except MalformedError as problem:
            report.reject(place, str(problem))
            sentences = None
        if sentences is None:
            report.close_sentence()
        else:
            yield from deliver(sentences, report)


def annotators_of(path: Path) -> list[str]:
    """Return the numbers of the annotators in an export, sorted. Raises UserError if it cannot be read."""
    tasks = read_json_list(path, "tasks", "export the project from Label Studio as JSON")
    found: set[str] = set()
    for task in tasks:
        if isinstance(task, Mapping):
            annotations = task.get("annotations", task.get("completions"))
            annotations = annotations if isinstance(annotations, list) else []
            makers = [one.get("completed_by") for one in annotations if isinstance(one, Mapping)]
            for maker in [*makers, task.get("annotator")]:
                found.update(sorted(_names(maker), key=lambda name: (not name.isdecimal(), name))[:1])
    return sorted(found)


class _Annotation(NamedTuple):
    """An annotation of a task: who made it, when it was last changed, and its results."""

    by: frozenset[str]
    changed: str
    results: Sequence[Any]


@dataclass
class _Reading:
    """Options of a reading, and the tasks of JSON-MIN so far: task number and annotations by id and text."""

    tokenizer: Tokenizer
    text_field: str | None
    tagged: bool
    annotator: str
    overlap: Overlap
    seen: dict[tuple[str, str], tuple[int, list[Annotation]]] = field(default_factory=dict)
    chosen: frozenset[int] | None = None  # of JSON-MIN, the numbers of the tasks to read; None: all

    def task(self, task: Any, place: str, number: int, report: ReadReport) -> list[ReadSentence] | None:
        """Read the sentences of a task. None if it is left out."""
        if not isinstance(task, Mapping):
            raise MalformedError("expected a task (an object); export the project from Label Studio as JSON")
        data = task.get("data", task)
        text = _text(data if isinstance(data, Mapping) else {}, self.text_field)
        annotations = self._annotations(task, text, place, number, report) if self.tagged else None
        if self.tagged and annotations is None:
            return None
        document = str(number if task.get("id") is None else task["id"])
        return tag_text(text, annotations, self.tokenizer, place=place, document=document, overlap=self.overlap)

    def _annotations(
        self, task: Mapping[str, Any], text: str, place: str, number: int, report: ReadReport
    ) -> list[Annotation] | None:
        """Return the annotations to read, in the order of the text. None, and reported, if the task is left out."""
        found = _of_minimal(task, text) if "data" not in task else _of_task(task, place, report)
        if isinstance(found, str):
            report.leave_out(place, f"one of the {found}; left out", found)
            return None
        if self.annotator not in (AGREED, FIRST, LATEST):
            found = [one for one in found if self.annotator in one.by]
            if not found:
                kind = f"tasks without an annotation by {self.annotator}"
                report.leave_out(place, f"one of the {kind}; left out", kind)
                return None
        if self.annotator == FIRST:
            found = [min(found, key=lambda one: one.changed)]
        elif self.annotator != AGREED:
            found = [max(reversed(found), key=lambda one: one.changed)]
        if self.chosen is not None and "data" not in task and number not in self.chosen:
            return self._repeated(place, report, f"the {self.annotator} annotation of its task is another one")
        others: Counter[str] = Counter()
        annotations = _agreed([_annotated(_labelled(one.results, others), text) for one in found])
        for kind, amount in others.items():
            report.ignore(place, f"results of kind {kind!r}", amount)
        if "data" not in task and task.get("id") is not None:
            before, earlier = self.seen.setdefault((str(task["id"]), text), (number, annotations))
            if before != number:
                _agreed([earlier, annotations])
                return self._repeated(place, report, f"labelled as in task {before}, which is the same")
        return annotations

    @staticmethod
    def _repeated(place: str, report: ReadReport, reason: str) -> None:
        report.leave_out(place, f"{reason}; left out", "further annotations of a task")


def _chosen(tasks: Sequence[Any], annotator: str) -> frozenset[int]:
    """Choose the first or the latest of the tasks of JSON-MIN that are the same task; return their numbers."""
    best: dict[str, tuple[int, str]] = {}
    for number, task in enumerate(tasks, start=1):
        if not isinstance(task, Mapping):
            continue
        key = str(number) if task.get("id") is None else f"id {task['id']}"
        changed = _changed(task)
        before = best.get(key)
        better = before is None or (changed < before[1] if annotator == FIRST else changed >= before[1])
        if better:
            best[key] = number, changed
    return frozenset(number for number, _ in best.values())


def _of_minimal(task: Mapping[str, Any], text: str) -> list[_Annotation]:
    """Return the annotation of a task in JSON-MIN: regions are in the task itself, under the labelling tag's name."""
    lists = [_listed(name, value) for name, value in task.items() if value != text]
    values = [{"type": "labels", "value": region} for regions in lists for region in regions if _is_region(region)]
    return [_Annotation(_names(task.get("annotator")), _changed(task), values)]


def _of_task(task: Mapping[str, Any], place: str, report: ReadReport) -> list[_Annotation] | str:
    """Return the annotations of a task that were not cancelled; why it is left out if there are none."""
    annotations = task.get("annotations", task.get("completions"))
    predictions = task.get("predictions")
    annotations = annotations if isinstance(annotations, list) else []
    if not annotations:
        return _PREDICTED if isinstance(predictions, list) and predictions else _NOT_ANNOTATED
    report.ignore(place, "predictions", len(predictions) if isinstance(predictions, list) else 0)
    objects = [annotation for annotation in annotations if isinstance(annotation, Mapping)]
    kept = [one for one in objects if not one.get("was_cancelled") and not one.get("skipped")]
    if not kept:
        return _CANCELLED
    report.ignore(place, "annotations that were cancelled", len(objects) - len(kept))
    found = []
    for one in kept:
        results = one.get("result")
        found.append(
            _Annotation(_names(one.get("completed_by")), _changed(one), results if isinstance(results, list) else [])
        )
    return found


def _names(annotator: object) -> frozenset[str]:
    """Return the names of an annotator: the number, and where it is known the address."""
    if isinstance(annotator, Mapping):
        return frozenset(str(annotator[key]) for key in ("id", "email", "username") if annotator.get(key) is not None)
    return frozenset() if annotator is None else frozenset([str(annotator)])


def _changed(annotation: Mapping[str, Any]) -> str:
    """Return when an annotation was last changed, in ISO 8601, which sorts by time; "" if that is not known."""
    return str(annotation.get("updated_at") or annotation.get("created_at") or "")


def _labelled(results: Sequence[Any], others: Counter[str]) -> list[Mapping[str, Any]]:
    """Return the regions with labels among results, and count the others by their type."""
    regions = []
    for result in results:
        value = result.get("value") if isinstance(result, Mapping) else None
        if isinstance(value, Mapping) and _is_region(value):
            regions.append(value)
        elif isinstance(result, Mapping) and result:
            others[str(result.get("type", "unknown"))[:40]] += 1
    return regions


def _text(data: Mapping[str, Any], text_field: str | None) -> str:
    candidates = [text_field] if text_field else [_TEXT_FIELD, *(key for key in data if key not in _NO_TEXT)]
    text = next((data[key] for key in candidates if isinstance(data.get(key), str)), None)
    if text is None:
        raise MalformedError(f"no text in {text_field or 'its data'!r}; set data.text_field to the field that holds it")
    check_encodable(text)
    return str(text)


def _agreed(annotations: Sequence[list[Annotation]]) -> list[Annotation]:
    """Return the annotation on which all annotators agree.

    Raises:
        MalformedError: annotations differ.
    """
    if len(set(map(tuple, annotations))) > 1:
        raise MalformedError(
            f"its {len(annotations)} annotations disagree; delete or cancel all but one in Label Studio, or set "
            "data.annotator=latest"
        )
    return annotations[0]


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
    """Convert regions to annotations, in the order of the text.

    Offsets count characters or, in older releases, UTF-16 units: what fits the texts of all regions, characters first.
    If neither fits all, each region is read as it fits.
    """
    units = Utf16(text)
    found = [_annotation(value, f"region {number}") for number, value in enumerate(regions, start=1)]
    converted = [_converted(one, units) for one in found]
    covered = [value.get("text") for value in regions]
    fits = [_fits(one, part, text) for one, part in zip(found, covered, strict=True)]
    others = [one is not None and _fits(one, part, text) for one, part in zip(converted, covered, strict=True)]
    in_units = not all(fits) and all(others)
    chosen: list[Annotation] = []
    for number, one in enumerate(found):
        other = converted[number]
        if other is not None and others[number] and (in_units or not fits[number]):
            one = other
        elif not fits[number]:
            raise MalformedError(
                f"region {number + 1}: characters {one.start}-{one.end} are {text[one.start : one.end]!r}, not "
                f"{covered[number]!r}; correct the offsets"
            )
        chosen.append(one)
    return sorted(chosen)


def _converted(annotation: Annotation, units: Utf16) -> Annotation | None:
    """Return an annotation whose offsets count UTF-16 units in characters. None if they are inside a character."""
    start, end = units.characters(annotation.start), units.characters(annotation.end)
    return None if start is None or end is None else Annotation(start, end, annotation.label)


def _fits(annotation: Annotation, covered: object, text: str) -> bool:
    """Return whether an annotation covers the text that its region has. One without text fits."""
    if not isinstance(covered, str):
        return True
    return annotation.end <= len(text) and text[annotation.start : annotation.end] == covered


def _is_region(value: object) -> bool:
    return isinstance(value, Mapping) and "start" in value and ("labels" in value or "hypertextlabels" in value)


def _annotation(value: Mapping[str, Any], where: str) -> Annotation:
    labels = value.get("labels", value.get("hypertextlabels"))
    if not isinstance(labels, list) or len(labels) != 1:
        raise MalformedError(f"{where}: expected one label, found {labels!r}")
    return make_annotation(value["start"], value.get("end"), labels[0], where)
