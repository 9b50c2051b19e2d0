"""Turn the command line of `tag.py` into a job."""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from tagger.bulk.formats.lines import REASON, OutputFormat, WriteOptions
from tagger.bulk.inputs import Source
from tagger.bulk.job import Job, OnError
from tagger.bulk.min_scores import MinimumScores
from tagger.bulk.records import ID_COLUMN, ReadOptions, Unit
from tagger.errors import UserError
from tagger.model_folder.contents import CONFIG
from tagger.model_folder.named import local_folder

_MOST_ALTERNATIVES = 100
_LARGEST_PART = 1 << 40
_SUFFIXES = {"K": 10, "M": 20, "G": 30}
_LINES_AND_TABLES = (OutputFormat.JSONL, OutputFormat.PARQUET, OutputFormat.CSV)
_SHAPING = (  # options that the output depends on
    *("format", "tokens", "scores", "min_score", "n_best", "input_format", "unit", "tokenizer", "text_field"),
    *("id_column", "token_column", "separator", "comment_prefix", "on_error", "part_size", "shards"),
    *("engine", "device", "precision", "threads", "encoder"),
)
_PACKAGES = ("tagger", "numpy", "numba", "syntok", "spacy", "torch", "transformers", "onnxruntime", "pyarrow")


def job_of(parsed: argparse.Namespace) -> Job:
    """Read the job from the command line.

    Raises:
        UserError: options do not go together.
    """
    output_format = OutputFormat(parsed.format)
    n_best = 0 if parsed.n_best is None else whole_number("--n-best", parsed.n_best, _MOST_ALTERNATIVES)
    _require_fitting(parsed, output_format)
    _require_free_names(parsed, output_format, n_best)
    reading = ReadOptions(
        unit=Unit(parsed.unit),
        text_field=parsed.text_field,
        id_column=parsed.id_column,
        token_column=parsed.token_column,
        separator=parsed.separator,
        comment_prefix=parsed.comment_prefix,
    )
    writing = WriteOptions(
        tokens=parsed.tokens,
        scores=parsed.scores,
        alternatives=n_best > 0,
        text_field=reading.text_field,
        id_field=reading.id_field,
    )
    return Job(
        reading=reading,
        tokenizer=parsed.tokenizer,
        output_format=output_format,
        writing=writing,
        minimum=MinimumScores.parse(parsed.min_score) if parsed.min_score else None,
        n_best=n_best,
        on_error=OnError(parsed.on_error),
    )


def whole_number(option: str, text: str, most: int) -> int:
    """Read the number that an option was given, from 1 to `most`. Raises UserError where it is none."""
    if not text.isdecimal() or not 1 <= int(text[:20]) <= most:
        raise UserError(f"{option} {text}: expected a whole number from 1 to {most}")
    return int(text)


def byte_count(option: str, text: str) -> int:
    """Read a number of bytes, as 500K or 2M. Raises UserError where it is none."""
    shift = _SUFFIXES.get(text[-1:].upper(), 0)
    digits = text[:-1] if shift else text
    if not digits.isdecimal() or not 1 <= int(digits[:20]) << shift <= _LARGEST_PART:
        raise UserError(f"{option} {text}: expected a number of bytes, as 500K or 2M")
    return int(digits) << shift


def asked_of(parsed: argparse.Namespace, sources: Sequence[Source], compiled: bool) -> dict[str, Any]:
    """Collect all that the output depends on but the content of inputs, as JSON: `--resume` requires the same."""
    config = local_folder(parsed.model) / CONFIG  # it holds the checksums of the model's other files
    listing = hashlib.sha256()
    for source in sources:
        listing.update(os.fsencode(source.name) + b"\0")
    return {
        "model": hashlib.sha256(config.read_bytes()).hexdigest() if config.is_file() else None,
        **{"--" + name.replace("_", "-"): getattr(parsed, name) for name in _SHAPING},
        "processor": platform.machine(),
        "compiled loops": compiled,
        **{name: _version(name) for name in _PACKAGES},
        "inputs": len(sources),
        "listing": listing.hexdigest(),
    }


def size_of(sources: Iterable[Source]) -> int | None:
    """Add up the bytes in files; None where there are pipes among them."""
    size = 0
    for source in sources:
        if source.path is None or not source.rereadable:
            return None
        with suppress(OSError):  # reported when it is read
            size += os.stat(source.path).st_size
    return size


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version  # it takes time

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _require_fitting(parsed: argparse.Namespace, output_format: OutputFormat) -> None:
    """Refuse options that do not go together."""
    for option, given in (("--tokens", parsed.tokens), ("--n-best", parsed.n_best)):
        if given and output_format not in _LINES_AND_TABLES:
            *others, last = _LINES_AND_TABLES
            formats = f"{', '.join(others)} and {last}"
            raise UserError(f"{option} belongs to --format {formats}, not to {output_format}; leave one of them out")
    if parsed.on_error == OnError.NULL and output_format is not OutputFormat.JSONL:
        raise UserError(f"--on-error null: {output_format} has no place for a reason; use --on-error skip, or jsonl")
    if parsed.shards and output_format is OutputFormat.HTML:
        raise UserError("--shards: a page is not made of parts; use --format jsonl, conll or parquet")
    if parsed.address is not None and parsed.executor != "ray":
        raise UserError(f"--address {parsed.address} belongs to --executor ray, which is not set; set it")
    if parsed.output is not None:
        return
    if parsed.executor == "ray":
        raise UserError("--executor ray writes into a folder; name it with --output")
    if parsed.shards:
        raise UserError("--shards leaves parts in the folder --output, which is not set; set it")
    if parsed.overwrite:
        raise UserError("--overwrite replaces files in the folder --output, which is not set; set it")
    if parsed.resume:
        raise UserError("--resume continues with the files in the folder --output, which is not set; set it")
    if output_format is OutputFormat.PARQUET:
        raise UserError("--format parquet is written to files; name a folder for them with --output")


def _require_free_names(parsed: argparse.Namespace, output_format: OutputFormat, n_best: int) -> None:
    """Refuse names of fields that are read where others of that name are written."""
    written = ["entities", "tokens", "tags", *["scores"] * parsed.scores, *["alternatives"] * (n_best > 0)]
    written += ["fields"] * (output_format in (OutputFormat.PARQUET, OutputFormat.CSV)) + [REASON] * (
        parsed.on_error == OnError.NULL
    )
    for option, name in (("--text-field", parsed.text_field), ("--id-column", parsed.id_column)):
        if name in written:
            raise UserError(f"{option} {name}: {name} are written there; rename what is read from there")
    ids = parsed.id_column or (ID_COLUMN if output_format is OutputFormat.PARQUET else None)
    if parsed.text_field == ids:
        raise UserError(f"--text-field {ids}: the ids have that name too; name theirs with --id-column")
