"""Rename the labels of a data set, and mark what its annotators left open (`data.labels`, `data.labels_known`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tagger.corpus.schemes import IGNORED, OUTSIDE, Scheme, is_ignored, spans_from_tags, tags_from_spans
from tagger.corpus.sentence import PartialLabels, Sentence, Span
from tagger.errors import UserError


def names_of_labels(sentences: Sequence[Sentence], scheme: Scheme) -> frozenset[str]:
    """Return what `data.labels` can name: the labels (or plain tags), and mentions as `LABEL=WORDS`."""
    if scheme is Scheme.PLAIN:
        return frozenset(tag for sentence in sentences for tag in sentence.tags or ())
    names = set()
    for sentence in sentences:
        for start, end, label in spans_from_tags(sentence.tags or ()):
            names |= {label, f"{label}={' '.join(sentence.tokens[start:end])}"}
    return frozenset(names)


def rename_labels(
    sentences: Sequence[Sentence], scheme: Scheme, labels: Mapping[str, str] | None, source: str
) -> Scheme:
    """Rename labels in place. The label `O` removes the entity; `_` (IGNORED) makes its tokens unknown.

    Tags of spans are rewritten in IOB2: in IO and IOB1, adjacent spans would become one if their labels became equal.

    Args:
        sentences: with tags as prefix and label, or plain tags.
        scheme: of these tags.
        labels: new labels by old ones; None changes nothing. Others keep their names. `LOC=American: MISC` renames
            single mentions only.
        source: name of the data, for messages.

    Returns:
        The scheme of the new tags.

    Raises:
        UserError: `_` is a label of the data, too, and not renamed.
    """
    if labels is None:
        return scheme
    if IGNORED in labels.values() and IGNORED not in labels:
        _refuse_unnamed(sentences, source)
    mark = PartialLabels()
    for sentence in sentences:
        tags = sentence.tags or []
        if scheme is Scheme.PLAIN:
            sentence.tags = [labels.get(tag, tag) for tag in tags]
        else:
            spans = [
                Span(
                    start, end, labels.get(f"{label}={' '.join(sentence.tokens[start:end])}", labels.get(label, label))
                )
                for start, end, label in spans_from_tags(tags)
            ]
            sentence.tags = tags_from_spans((span for span in spans if span.label != OUTSIDE), len(tags))
        if IGNORED in labels.values() and any(map(is_ignored, sentence.tags)):
            sentence.partial = mark
    return scheme if scheme is Scheme.PLAIN else Scheme.IOB2


def mark_known(
    sentences: Sequence[Sentence], scheme: Scheme, known: Collection[str], renamed: bool, source: str
) -> None:
    """Mark sentences in which only some labels were annotated, in place.

    Args:
        sentences: with tags of spans.
        scheme: of these tags.
        known: the labels that were annotated.
        renamed: whether `_` in the tags means unknown, by `rename_labels`.
        source: name of the data, for messages.

    Raises:
        UserError: tags are plain, or a label is not in `known`.
    """
    if scheme is Scheme.PLAIN:
        raise UserError(f"{source}: data.labels_known is for entities, and these tags are plain; leave it out")
    if not renamed:
        _refuse_unnamed(sentences, source)
    expected = {*known, IGNORED}
    for sentence in sentences:
        found = next((span for span in spans_from_tags(sentence.tags or ()) if span.label not in expected), None)
        if found is not None:
            raise UserError(
                f"{sentence.place or source}: label {found.label!r} is not in data.labels_known "
                f"({', '.join(known)}); add it there, or rename it in data.labels"
            )
    mark = PartialLabels(frozenset(known))
    for sentence in sentences:
        sentence.partial = mark


def _refuse_unnamed(sentences: Sequence[Sentence], source: str) -> None:
    """Refuse the label `_` as read, which bare tags have, where it would mean unknown."""
    for sentence in sentences:
        if any(map(is_ignored, sentence.tags or ())):
            raise UserError(
                f"{sentence.place or source}: the label {IGNORED} (that of tags without a label) would count as not "
                f"known; name it in data.labels, as in {{{IGNORED}: NAME}}"
            )


def without_ignored(sentence: Sentence) -> Sequence[str]:
    """Return the tags of a sentence without those of tokens whose labels are not known."""
    tags = sentence.tags or ()
    return tags if sentence.partial is None else [tag for tag in tags if not is_ignored(tag)]


def ignored_as_outside(sentence: Sentence) -> list[str]:
    """Return the tags of a sentence, with O for tokens whose labels are not known."""
    tags = sentence.tags or []
    return tags if sentence.partial is None else [OUTSIDE if is_ignored(tag) else tag for tag in tags]


def leaves_open(sentence: Sentence, labels: Collection[str]) -> bool:
    """Return whether a sentence's tags leave open which of these labels its tokens have."""
    partial = sentence.partial
    if partial is None:
        return False
    hidden = partial.known is not None and not partial.known.issuperset(labels)
    return hidden or any(map(is_ignored, sentence.tags or ()))
