"""Predictions for Label Studio, which asks a server for them as its machine-learning backend does."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from tagger.corpus.document import Document
from tagger.corpus.sentence import Entity
from tagger.errors import UserError

_CONTROLS = {"Labels": "labels", "HyperTextLabels": "hypertextlabels"}  # tag of the control, and type of its results
_DECLARED = re.compile(r"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True)
class LabelingConfig:
    """The part of a project's labelling interface that takes entities.

    Attributes:
        control: name of the control.
        shown: name of the text object it belongs to.
        kind: type of its results.
        data_field: of the task's data that has the text.
        labels: names of its labels by their lower case; empty if all are allowed.
    """

    control: str = "label"
    shown: str = "text"
    kind: str = "labels"
    data_field: str = "text"
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, xml: str | None) -> LabelingConfig:
        """Read a labelling interface; without one, take Label Studio's usual names.

        Raises:
            UserError: it is not XML, or has no labels for spans of text.
        """
        if not xml or not xml.strip():
            return cls()
        if _DECLARED.search(xml):
            raise UserError("label_config: it declares entities or a document type; leave them out")
        try:
            root = ElementTree.fromstring(xml)
        except ElementTree.ParseError as error:
            raise UserError(f"label_config: not XML: {error}") from error
        objects = {one.get("name"): one for one in root.iter() if one.tag in ("Text", "HyperText")}
        for control in root.iter():
            shown = control.get("toName", "")
            if control.tag in _CONTROLS and shown in objects:
                names = [one.get("value", "") for one in control.iter("Label")]
                value = objects[shown].get("value", "$text")
                kind = _CONTROLS[control.tag]
                return cls(
                    control.get("name", ""), shown, kind, value.lstrip("$"), {name.casefold(): name for name in names}
                )
        raise UserError("label_config: no <Labels> for a <Text>; add them, as Label Studio's template for entities has")

    def require_labels(self, known: Collection[str]) -> None:
        """Refuse a project that has none of a model's labels.

        Raises:
            UserError: it has none.
        """
        if self.labels and not self.labels.keys() & {label.casefold() for label in known}:
            raise UserError(f"label_config: the model knows {', '.join(sorted(known))}; the project has none of these "
                f"labels, but {', '.join(self.labels.values())}")  # fmt: skip

    def text_of(self, task: Mapping[str, Any], number: int) -> str:
        """Return the text of a task.

        Raises:
            UserError: it has none.
        """
        data = task.get("data")
        text = data.get(self.data_field) if isinstance(data, Mapping) else None
        if not isinstance(text, str):
            raise UserError(f"tasks[{number}]: no text in data.{self.data_field}")
        return text


def prediction(document: Document, config: LabelingConfig, model: str) -> dict[str, Any]:
    """Return the prediction of a task: a result for each entity whose label the project has, in UTF-16 units.

    Its score is the mean of those of its entities, by which Label Studio sorts tasks.
    """
    units = _utf16_positions(document.text)
    found = [(entity, label) for entity in document.entities if (label := _label(entity, config)) is not None]
    scores = [entity.score for entity, _ in found if entity.score is not None]
    return {
        "model_version": model,
        "score": sum(scores) / len(scores) if scores else 0.0,
        "result": [
            {
                "id": f"e{number}",
                "from_name": config.control,
                "to_name": config.shown,
                "type": config.kind,
                "score": entity.score,
                "value": {
                    "start": units[entity.start],
                    "end": units[entity.end],
                    "text": entity.text,
                    config.kind: [label],
                },
            }
            for number, (entity, label) in enumerate(found)
        ],
    }


def _label(entity: Entity, config: LabelingConfig) -> str | None:
    return config.labels.get(entity.label.casefold()) if config.labels else entity.label


def _utf16_positions(text: str) -> Sequence[int]:
    """Return the position of each character, and of the end, in UTF-16 units, as JavaScript counts."""
    positions = [0]
    for character in text:
        positions.append(positions[-1] + (2 if ord(character) > 0xFFFF else 1))
    return positions
