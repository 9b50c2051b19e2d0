"""The teacher: one model or an ensemble, whose tags are mapped to the student's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.schemes import OUTSIDE, Scheme, split_tag
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.features.soft_targets import TagDistribution
from tagger.predict import Tagger


class Teacher:
    """One tagger or several, which answer in the student's tags."""

    def __init__(
        self,
        taggers: Mapping[str, Tagger],
        tags: Sequence[str],
        scheme: Scheme,
        labels: Mapping[str, str],
        *,
        temperature: float | None,
        best_path_alone: bool,
    ) -> None:
        """
        Args:
            taggers: by name.
            tags, scheme: the student's K tags and their scheme.
            labels: the student's label, or O, for labels of the teacher that are called otherwise.
            temperature, best_path_alone: see `Tagger.distributions`.

        Raises:
            UserError: labels or schemes do not fit.
        """
        self._taggers = list(taggers.values())
        self._maps = [_tag_map(name, tagger, tags, scheme, labels) for name, tagger in taggers.items()]
        self._temperature, self._best_path_alone = temperature, best_path_alone

    def distributions(self, sentences: Sequence[Sentence]) -> list[TagDistribution]:
        """Return the distribution over the student's tags for each sentence, the mean over all taggers."""
        answers = []
        for tagger, tag_map in zip(self._taggers, self._maps, strict=True):
            found = tagger.distributions(
                sentences, temperature=self._temperature, best_path_alone=self._best_path_alone
            )
            answers.append([one.mapped(tag_map) for one in found])
        return [TagDistribution.mean(members) for members in zip(*answers, strict=True)]


def _tag_map(
    name: str, tagger: Tagger, tags: Sequence[str], scheme: Scheme, labels: Mapping[str, str]
) -> NDArray[np.float32]:
    """Return (K of the teacher, K of the student) 1 where a tag of the teacher becomes one of the student.

    Raises:
        UserError: a tag of one has none in the other, or the schemes differ.
    """
    of_teacher, its_scheme = tagger.folder.vocabularies.tags, tagger.folder.scheme
    if its_scheme is not scheme:
        raise UserError(
            f"distill.teacher: {name} has {its_scheme.value} tags, the student {scheme.value}; set decoder.scheme to "
            "the teacher's, or take a teacher of the same kind of tags"
        )
    written = [_renamed(tag, scheme, labels) for tag in of_teacher]
    known = set(tagger.labels)
    own = _labels(tags, scheme)
    if unknown := [label for label in labels if label not in known]:
        raise UserError(f"distill.labels: {name} has no label {unknown[0]}; it has {', '.join(tagger.labels)}")
    if foreign := sorted(_labels(written, scheme) - own):
        raise UserError(
            f"distill.teacher: {name} has the label {foreign[0]}, which the data lack; map it by distill.labels, to "
            f"one of {', '.join(sorted(own))} or to O"
        )
    if lacking := sorted(own - _labels(written, scheme)):
        raise UserError(
            f"distill.teacher: {name} does not know the label {lacking[0]} of the data; take another teacher, or map "
            "a label to it by distill.labels"
        )
    numbers = {tag: number for number, tag in enumerate(tags)}
    mapped = np.zeros((len(of_teacher), len(tags)), dtype=np.float32)
    mapped[np.arange(len(of_teacher)), [numbers[tag] for tag in written]] = 1
    return mapped


def _renamed(tag: str, scheme: Scheme, labels: Mapping[str, str]) -> str:
    if scheme is Scheme.PLAIN:
        return labels.get(tag, tag)
    if tag == OUTSIDE:
        return tag
    prefix, label = split_tag(tag)
    label = labels.get(label, label)
    return OUTSIDE if label == OUTSIDE else f"{prefix}-{label}"


def _labels(tags: Sequence[str], scheme: Scheme) -> set[str]:
    """Return the labels of tags: of spans, or the plain tags themselves."""
    return set(tags) if scheme is Scheme.PLAIN else {split_tag(tag)[1] for tag in tags if tag != OUTSIDE}
