"""Load data sets: the sentences of each split, its tag scheme, and a report of the reading."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tagger.corpus.dataset_config import DataConfig, DocumentRanges
from tagger.corpus.labels import mark_known, names_of_labels, rename_labels
from tagger.corpus.mix import combine, named_as
from tagger.corpus.readers.account import ReadReport, counted
from tagger.corpus.sanity_checks import doubts
from tagger.corpus.schemes import IGNORED, OUTSIDE, Scheme, bare_note, detect_scheme, has_prefix, prefixed
from tagger.corpus.sentence import Sentence
from tagger.corpus.split import SPLITS, Split, SplitName
from tagger.corpus.splits import TRAIN, drawn_whole, split_by_range, split_off
from tagger.corpus.stores import Store, open_store
from tagger.errors import UserError

__all__ = [
    "SPLITS",
    "DataConfig",
    "DocumentRanges",
    "Split",
    "data_digest",
    "has_train",
    "labelled_content",
    "load_split",
    "load_splits",
]


def load_split(config: DataConfig, split: SplitName) -> Split:
    """Load one split exactly as `load_splits` does, but read only the files that it needs.

    Raises:
        UserError: the split is missing, malformed (with `on_error=stop`), or without sentences or tags.
    """
    # sentences of dev and test are left out of the train split of a mix
    wanted = SPLITS if config.format == "mix" and split == TRAIN else (split,)
    return _load(config, wanted)[split]


def load_splits(config: DataConfig) -> dict[str, Split]:
    """Load `train`, `dev` and `test`. A missing dev or test split is drawn from train, and its notes say so.

    Raises:
        UserError: as for `load_split`, or some splits have plain tags and others have spans.
    """
    splits = _load(config, SPLITS)
    if missing := _unused_labels(config, splits):
        splits[TRAIN].notes.append(missing)
    schemes = {name: split.scheme for name, split in splits.items()}
    if len({scheme is Scheme.PLAIN for scheme in schemes.values()}) > 1:
        found = ", ".join(f"{name} {scheme}" for name, scheme in schemes.items())
        raise UserError(f"data={config.title}: tags mark spans in some splits only ({found}); set data.scheme")
    _warn_of_training_files(splits)
    _drop_repeats(splits)
    return splits


def has_train(config: DataConfig) -> bool:
    """Return whether the data set has a training split.

    Raises:
        UserError: the settings name no store, or it does not exist.
    """
    return config.format == "mix" or open_store(config).has(TRAIN)


def _unused_labels(config: DataConfig, splits: Mapping[str, Split]) -> str:
    """Return a note on names in `data.labels` that occur in no split; "" if there are none."""
    found = frozenset().union(*(split.labels_read for split in splits.values()))
    unused = [name for name in config.labels or () if name not in found]
    return f"data.labels: no such label in the data: {', '.join(unused)}" if unused else ""


def _warn_of_training_files(splits: Mapping[str, Split]) -> None:
    """Add a warning to each split that reads a file of train as its own."""
    trained = {Path(report.source).resolve() for report in splits[TRAIN].reports}
    drawn_from = set(map(id, splits[TRAIN].reports))
    for name, split in splits.items():
        own = [report for report in split.reports if id(report) not in drawn_from]
        both = [report for report in own if Path(report.source).resolve() in trained]
        if both:
            split.notes.append(
                f"warning: {_sources(both)}: in data.train, too; {name} scores say nothing about new text"
            )


def _drop_repeats(splits: Mapping[str, Split]) -> None:
    """Remove the reports and notes that an earlier split has, too."""
    reports: set[int] = set()
    notes: set[str] = set()
    for split in splits.values():
        split.reports = [report for report in split.reports if id(report) not in reports]
        split.notes = [note for note in split.notes if note not in notes]
        reports.update(map(id, split.reports))
        notes.update(split.notes)


def data_digest(splits: Mapping[str, Split]) -> str:
    """Return the SHA-256 of all tokens and tags. It does not depend on where they were read from."""
    content = [list(map(labelled_content, splits[name].sentences)) for name in SPLITS]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def labelled_content(sentence: Sentence) -> tuple[Any, ...]:
    """Return what a model learns from a sentence, for digests: tokens, tags, and what the tags leave open."""
    if sentence.partial is None:
        return sentence.tokens, sentence.tags
    known = sentence.partial.known
    return sentence.tokens, sentence.tags, known if known is None else sorted(known)


def _load(config: DataConfig, wanted: Iterable[SplitName]) -> dict[str, Split]:
    if config.format == "mix":
        return _load_mix(config, tuple(wanted))
    store = open_store(config)
    missing = [split for split in ("test", "dev") if not store.has(split)]
    cut: dict[str, Split] = {}
    splits: dict[str, Split] = {}
    for name in wanted:
        whole = store.has(name) and not (name == TRAIN and missing)
        if (whole and config.documents is None) or not store.has(TRAIN):
            splits[name] = _read(store, name, config)
        else:
            cut = cut or _cut(_read(store, TRAIN, config), missing, config)
            splits[name] = cut[name]
    if TRAIN in splits and config.max_length is not None:
        _leave_out_longer(splits[TRAIN], config.max_length)
    return splits


def _load_mix(config: DataConfig, wanted: Sequence[SplitName]) -> dict[str, Split]:
    """Load what is needed of each source, and combine it."""
    parts = []
    for source in config.sources or ():
        needed = [name for name in SPLITS if any(name in source.taken(part) for part in wanted)]
        with named_as(source):
            own = source.within(config)
            read = _load(own, needed) if needed else {}
            if read and len(wanted) == len(SPLITS) and (unused := _unused_labels(own, read)):
                read[needed[0]].notes.append(unused)
        parts.append((source, read))
    splits = combine(parts, wanted, config)
    if TRAIN in splits and config.max_length is not None:
        _leave_out_longer(splits[TRAIN], config.max_length)
    return splits


def _leave_out_longer(split: Split, max_length: int) -> None:
    """Remove sentences of more than `max_length` tokens, and note how many."""
    kept = [sentence for sentence in split.sentences if len(sentence) <= max_length]
    left_out = len(split.sentences) - len(kept)
    if not kept:
        raise UserError(f"data.max_length={max_length}: every sentence of {split.name} is longer; raise it")
    if left_out:
        tokens = sum(map(len, split.sentences)) - sum(map(len, kept))
        what = f"{counted(left_out, 'sentence')} of more than {counted(max_length, 'token')}, {tokens:,} tokens in all"
        split.notes.append(f"{split.name}: left out {what} (data.max_length)")
    split.sentences = kept


def _read(store: Store, name: str, config: DataConfig) -> Split:
    """Read a split. If it has several files, document ids get the file as prefix, so that equal ids do not clash."""
    sentences: list[Sentence] = []
    notes: list[str] = []
    readings = store.read(name)
    for unread, report in readings:
        read = _some(unread, report)
        notes += doubts(read, config, report.source)
        if len(readings) > 1:
            for sentence in read:
                sentence.document = sentence.document and f"{report.source}: {sentence.document}"
        sentences += read
    reports = [report for _, report in readings]
    source = _sources(reports)
    scheme, more = _settle_scheme(sentences, config, source)
    if config.labels is None and config.labels_known is None:
        return Split(name, sentences, scheme, reports, [*notes, *more])
    names = names_of_labels(sentences, scheme)
    scheme = rename_labels(sentences, scheme, config.labels, source)
    if config.labels_known is not None:
        renamed = IGNORED in (config.labels or {}).values()
        mark_known(sentences, scheme, config.labels_known, renamed, source)
    return Split(name, sentences, scheme, reports, [*notes, *more], names)


def _some(unread: Iterable[Sentence], report: ReadReport) -> list[Sentence]:
    """Return the sentences of a file. Raises UserError if there are none."""
    read = list(unread)
    if not read and report.sentences.rejected:
        raise UserError(f"{report.source}: no sentences left, {report.sentences}; the first at {report.places[0]}")
    if not read:
        raise UserError(f"{report.source}: no sentences; is this the right file?")
    return read


def _sources(reports: Sequence[ReadReport]) -> str:
    """Name the sources in a message: the first, and the number of others."""
    return reports[0].source + (f" and {len(reports) - 1} more" if len(reports) > 1 else "")


def _cut(corpus: Split, missing: Sequence[str], config: DataConfig) -> dict[str, Split]:
    """Cut the training corpus into splits: by document number, or at random."""
    source = _sources(corpus.reports)
    if config.documents is not None:
        ranges = asdict(config.documents)
        parts = split_by_range(corpus.sentences, ranges, source)
        how = {name: f"documents {numbers} of {source}" for name, numbers in ranges.items()}
    else:
        fractions = {name: config.dev_fraction if name == "dev" else config.test_fraction for name in missing}
        parts = split_off(corpus.sentences, fractions, config.split_seed, source)
        unit = "document" if drawn_whole(one.document for one in corpus.sentences) else "sentence"
        drawn = f"drawn by {unit} (data.split_seed={config.split_seed})"
        how = {
            name: f"{len(part)} of {len(corpus.sentences)} sentences of {source}, {drawn}"
            for name, part in parts.items()
        }
        how[TRAIN] = f"{len(parts[TRAIN])} sentences, without what was drawn for {' and '.join(missing)}"
    return {
        name: replace(
            corpus,
            name=name,
            sentences=part,
            reports=list(corpus.reports),
            notes=[*corpus.notes, f"{name}: {how[name]}"],
        )
        for name, part in parts.items()
    }


def _settle_scheme(sentences: list[Sentence], config: DataConfig, source: str) -> tuple[Scheme, list[str]]:
    """Determine the tag scheme, and rewrite tags of spans in place as prefix and label. Also return notes.

    Raises:
        UserError: the tags mix schemes, or do not fit the scheme that is set.
    """
    sequences = [sentence.tags or [] for sentence in sentences]
    places = (sentence.place or source for sentence in sentences)
    scheme = detect_scheme(sequences, source, places) if config.scheme == "auto" else Scheme(config.scheme)
    without = sorted({tag for tags in sequences for tag in tags if tag != OUTSIDE and not has_prefix(tag)})
    if scheme is Scheme.PLAIN or not without:
        return scheme, []
    written = {tag: prefixed(tag, scheme) for tag in without}
    foreign = next((tag for tag in without if written[tag] == tag), None)
    if foreign is not None:
        raise UserError(
            f"{source}: tag {foreign!r} has no prefix as data.scheme={scheme} has (B-, I-); set data.scheme"
        )
    for sentence in sentences:
        sentence.tags = [written.get(tag, tag) for tag in sentence.tags or []]
    if scheme is not Scheme.IO:
        return scheme, [bare_note(without, source)]
    tag = without[0]
    return scheme, [f"{source}: labels without a prefix read as spans: {tag} as {written[tag]}, {len(without)} in all"]
