"""Read Hugging Face data sets, by Hub id or from a local folder. The only module that imports `datasets`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tagger.corpus.readers.account import ReadReport
from tagger.corpus.readers.dataset_folder import SAVED, STATE, check_links, check_metadata, check_resolved, check_saved
from tagger.corpus.readers.records import TAG_FIELDS, RecordFields, sentences_from
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import Tokenizer
from tagger.errors import UserError, install_command, reason_of
from tagger.files import expanded
from tagger.hub import hub_reachable

PARQUET_BRANCH = "refs/convert/parquet"  # the Hub's own Parquet conversions, a folder per subset
_SPLIT_NAMES = {"train": ("train",), "dev": ("validation", "dev", "valid", "val"), "test": ("test",)}
_LONGEST_REASON = 300

Splits = Mapping[str, Any]  # a `datasets.Dataset` or `IterableDataset` per split


def open_dataset(path: str, *, subset: str | None = None, revision: str | None = None) -> Splits:
    """Open a data set. Downloads from the Hub are cached, local folders are not copied.

    For a local folder, no file outside of it is read and nothing is downloaded, whatever its metadata say.

    If the Hub is unreachable, or `HF_HUB_OFFLINE=1` is set, only the cache is used. This is decided at once, because
    the Hub's client would retry for 23 seconds.

    Args:
        path: a Hub id, a folder written by `save_to_disk`, or a folder of Parquet, JSON or Arrow files.
        subset: the Hub's configuration name, if there are several.
        revision: branch, tag or commit on the Hub. On `refs/convert/parquet` a subset is a folder.

    Raises:
        UserError: `datasets` is not installed, or the data set is missing, unreachable, unreadable, or names files
            outside of its folder.
    """
    folder = expanded(path)
    if folder.is_dir():
        return _open_folder(folder, subset)
    if folder.is_file():
        raise UserError(f"{path}: a file; set data.path to a folder or a Hub id, or read it with data=jsonl")
    if folder.is_absolute() or path.startswith((".", "~")) or path.count("/") > 1:
        raise UserError(f"{path}: no such folder; check data.path")
    return _open_hub(path, subset, revision)


def find_split(splits: Splits, split: str, name: str | None = None) -> str | None:
    """Find a data set's name for its `train`, `dev` or `test` split. None if it has none.

    Raises:
        UserError: `name` is given, but there is no such split.
    """
    if name is not None:
        if name not in splits:
            raise UserError(f"data.{split}={name}: no such split; the data set has {', '.join(splits)}")
        return name
    return next((candidate for candidate in _SPLIT_NAMES[split] if candidate in splits), None)


def read_huggingface(
    dataset: Any, report: ReadReport, *, tokenizer: Tokenizer, fields: RecordFields | None = None
) -> Iterator[Sentence]:
    """Read one split record by record. Records without tokens are skipped. A record counts as a line.

    Args:
        dataset: a split from `open_dataset`.
        report: counts what is read.
        tokenizer: for records with running text.
        fields: names of the fields. Tags that are numbers are named by the data set's `ClassLabel`, if it has one.

    Raises:
        UserError: tags are numbers without names. With `on_error=stop`: a record is malformed.
    """
    fields = _with_tag_names(fields or RecordFields(), dataset.features or {}, report.source)
    for number, record in enumerate(_records(dataset, report.source), start=1):
        report.line()
        place = f"{report.source}:{number}"
        yield from sentences_from(record, place, number, report, fields=fields, tokenizer=tokenizer)


def _open_folder(folder: Path, subset: str | None) -> Splits:
    datasets = _import_datasets()
    with _failures_in_one_line(str(folder), "check data.path"), _quiet(datasets):
        check_links(folder)
        if any((folder / name).exists() for name in (SAVED, STATE)):
            check_saved(folder)
            opened = datasets.load_from_disk(str(folder))
        else:
            _check_metadata(datasets, folder)
            with TemporaryDirectory() as scratch:
                # absolute, because a relative path could be the name of a builder of `datasets`
                builder = datasets.load_dataset_builder(str(folder.absolute()), subset, cache_dir=scratch)
                files = [file for files in (builder.config.data_files or {}).values() for file in files]
                check_resolved(folder, type(builder).__module__.rpartition(".")[2], files)
                opened = builder.as_streaming_dataset()
    splits = opened if isinstance(opened, dict) else {"train": opened}
    return {name: _without_media(split) for name, split in splits.items()}


def _check_metadata(datasets: Any, folder: Path) -> None:
    """Check the metadata of a folder. Reads them the same way as `datasets`."""
    card, settings = folder / datasets.config.REPOCARD_FILENAME, folder / datasets.config.REPOYAML_FILENAME
    if card.is_file():
        check_metadata(card, datasets.load.DatasetCard.load(card).data.to_dict())
    if settings.is_file():
        check_metadata(settings, datasets.load.yaml.safe_load(settings.read_text(encoding="utf-8")))


def _without_media(split: Any) -> Any:
    """Return a split that does not open images, audio and similar. Records may name files or URLs for them."""
    media = [name for name, feature in (split.features or {}).items() if _is_media(feature)]
    if not media:
        return split
    return split.decode(False) if hasattr(split, "decode") else split.remove_columns(media)


def _is_media(feature: Any) -> bool:
    if isinstance(feature, (dict, list, tuple)):
        return any(map(_is_media, feature.values() if isinstance(feature, dict) else feature))
    return hasattr(feature, "decode") or (hasattr(feature, "feature") and _is_media(feature.feature))


def _open_hub(path: str, subset: str | None, revision: str | None) -> Splits:
    datasets = _import_datasets()
    where = {"data_dir": subset} if revision == PARQUET_BRANCH else {"name": subset}
    reachable = not datasets.config.HF_HUB_OFFLINE and hub_reachable(datasets.config.HF_ENDPOINT)
    converted = f"try data.revision={PARQUET_BRANCH}"
    with (
        _failures_in_one_line(path, "check data.path, data.name and data.revision", for_scripts=converted),
        _quiet(datasets),
    ):
        try:
            with _offline(datasets, not reachable):
                opened: Splits = datasets.load_dataset(path, revision=revision, **where)
        except ConnectionError:
            raise UserError(
                f"{path}: cannot reach the Hugging Face Hub ({datasets.config.HF_ENDPOINT}), and the cache does not "
                "hold it; connect, or set data.path to a local copy"
            ) from None
    return opened


def _import_datasets() -> Any:
    try:
        import datasets
    except ImportError:
        raise UserError(f"Hugging Face data sets need the extra: {install_command('train')}") from None
    return datasets


def _with_tag_names(fields: RecordFields, features: Mapping[str, Any], source: str) -> RecordFields:
    """Add the data set's names of numbered tags to `fields`, unless names are set."""
    column = fields.tags or next((name for name in TAG_FIELDS if name in features), None)
    feature = getattr(features.get(column or ""), "feature", None)
    names = getattr(feature, "names", None)
    if fields.tag_names is not None or not fields.tagged:
        return fields
    if names is None and str(getattr(feature, "dtype", "")).startswith(("int", "uint")):
        raise UserError(f"{source}: {column!r} holds numbers without names; set data.tag_names to a list, in order")
    return replace(fields, tag_names=None if names is None else tuple(names))


def _records(dataset: Any, source: str) -> Iterator[Any]:
    records = iter(dataset)
    with _quiet(_import_datasets()):
        while True:
            with _failures_in_one_line(source, "check the data set's files"):
                record = next(records, None)
            if record is None:
                return
            yield record


@contextmanager
def _failures_in_one_line(source: str, advice: str, for_scripts: str = "") -> Iterator[None]:
    """Turn any exception into a one-line UserError. `datasets` raises whatever the layers below it raise."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = reason_of(error)
        if for_scripts and "scripts are no longer supported" in reason:
            advice = for_scripts
        raise UserError(f"{source}: cannot be read as a data set: {reason[:_LONGEST_REASON]}; {advice}") from error


@contextmanager
def _offline(datasets: Any, offline: bool) -> Iterator[None]:
    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = before or offline
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


@contextmanager
def _quiet(datasets: Any) -> Iterator[None]:
    """Silence progress bars and logs. Errors are reported in one line instead."""
    shown, level = not datasets.utils.are_progress_bars_disabled(), datasets.utils.logging.get_verbosity()
    datasets.utils.disable_progress_bars()
    datasets.utils.logging.set_verbosity(datasets.utils.logging.CRITICAL)
    try:
        yield
    finally:
        datasets.utils.logging.set_verbosity(level)
        if shown:
            datasets.utils.enable_progress_bars()
