"""Combine several data sets to one (`data=mix`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random

from tagger.corpus.dataset_config import DataConfig, SourceConfig
from tagger.corpus.readers.account import ReadReport, counted
from tagger.corpus.schemes import Scheme, convert_tags
from tagger.corpus.sentence import Sentence
from tagger.corpus.split import Split
from tagger.corpus.splits import TRAIN
from tagger.errors import UserError

Part = tuple[SourceConfig, Mapping[str, Split]]  # a source, and its splits that were loaded


@contextmanager
def named_as(source: SourceConfig) -> Iterator[None]:
    """Put the name of the source before the message of a UserError."""
    try:
        yield
    except UserError as error:
        raise UserError(f"source {source.named}: {error}") from error


def combine(parts: Sequence[Part], wanted: Sequence[str], config: DataConfig) -> dict[str, Split]:
    """Combine the splits of several sources.

    Document ids get the source as prefix. Tags of spans are written in IOB2. Sentences with the words of a sentence of
    dev or test are left out of train. The rest is in train as often as the weight of its source says.

    Args:
        parts: the sources, each with the splits that the wanted ones need.
        wanted: `train`, `dev`, `test`. If `train` is among them, so are the others.
        config: the settings of the mix.

    Raises:
        UserError: a split would have no sentences, or some sources have plain tags and others have spans.
    """
    scheme = _common_scheme(parts, config)
    for source, splits in parts:
        for split in splits.values():
            _settle(split, source, scheme)
    combined = {name: _joined(name, parts, scheme) for name in wanted if name != TRAIN}
    if TRAIN in wanted:
        held_out = {tuple(sentence.tokens) for split in combined.values() for sentence in split.sentences}
        combined[TRAIN] = _training_split(parts, scheme, held_out, config.split_seed)
    for name, split in combined.items():
        if not split.sentences:
            raise UserError(f"data={config.title}: no source has sentences for {name}; see splits in data.sources")
    return {name: combined[name] for name in wanted}


def _common_scheme(parts: Sequence[Part], config: DataConfig) -> Scheme:
    if not parts:
        raise UserError(
            f"data={config.title}: data.sources is empty; list the data sets, as in "
            "'data.sources=[{preset: wnut17, dir: PATH}, {preset: starter}]'"
        )
    plain = {source.named: split.scheme is Scheme.PLAIN for source, splits in parts for split in splits.values()}
    if len(set(plain.values())) > 1:
        of_tags = next(name for name, is_plain in plain.items() if is_plain)
        of_spans = next(name for name, is_plain in plain.items() if not is_plain)
        raise UserError(f"data={config.title}: source {of_tags} has plain tags, source {of_spans} has entities; "
            "a mix needs one kind")  # fmt: skip
    return Scheme.PLAIN if True in plain.values() else Scheme.IOB2


def _settle(split: Split, source: SourceConfig, scheme: Scheme) -> None:
    """Write a source's tags, document ids and notes as the mix has them, in place."""
    for sentence in split.sentences:
        sentence.tags = convert_tags(sentence.tags or [], scheme)
        sentence.document = sentence.document and f"{source.named}: {sentence.document}"
    split.notes = [f"{source.named}: {note}" for note in split.notes]


def _of_source(name: str, source: SourceConfig, splits: Mapping[str, Split]) -> list[Sentence]:
    return [sentence for taken in source.taken(name) for sentence in splits[taken].sentences]


def _joined(name: str, parts: Sequence[Part], scheme: Scheme) -> Split:
    """Join what all sources have for a split, without a change."""
    sentences: list[Sentence] = []
    reports: dict[int, ReadReport] = {}  # several splits may be drawn from one file
    notes: list[str] = []
    counts: list[str] = []
    for source, splits in parts:
        own = _of_source(name, source, splits)
        sentences += own
        for split in map(splits.__getitem__, source.taken(name)):
            reports |= {id(report): report for report in split.reports}
            notes += split.notes
        if own:
            counts.append(f"{source.named} {len(own):,}")
    notes.append(f"{name}: sentences by source: {', '.join(counts)}")
    return Split(name, sentences, scheme, list(reports.values()), list(dict.fromkeys(notes)))


def _training_split(parts: Sequence[Part], scheme: Scheme, held_out: set[tuple[str, ...]], seed: int) -> Split:
    """Join the training split: without held-out sentences, and with each source as often as its weight says."""
    split = _joined(TRAIN, parts, scheme)
    split.sentences = []
    for source, splits in parts:
        own = _of_source(TRAIN, source, splits)
        kept = [sentence for sentence in own if tuple(sentence.tokens) not in held_out]
        if len(kept) < len(own):
            left_out = counted(len(own) - len(kept), "sentence")
            split.notes.append(f"{TRAIN}: {source.named}: left out {left_out} whose words are also in dev or test")
        weighted = _weighted(kept, source.weight, seed)
        if source.weight != 1 and own:
            split.notes.append(f"{TRAIN}: {source.named}: {len(weighted):,} sentences by its weight {source.weight:g}")
        split.sentences += weighted
    return split


def _weighted(sentences: Sequence[Sentence], weight: float, seed: int) -> list[Sentence]:
    """Repeat sentences as often as the weight says. Of its fraction, draw that share of them."""
    whole = int(weight)
    keys = Random(seed)
    order = sorted(range(len(sentences)), key=[keys.random() for _ in sentences].__getitem__)
    drawn = sorted(order[: round((weight - whole) * len(sentences))])
    return [*sentences] * whole + [sentences[number] for number in drawn]
