"""From the command line of `tag.py` to the job that it asks for."""

from __future__ import annotations

import argparse
import hashlib
import platform
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tagger.bulk.formats.lines import OutputFormat
from tagger.bulk.inputs import Source, find_sources
from tagger.bulk.job import Job
from tagger.bulk.min_scores import MinimumScores
from tagger.bulk.output_paths import plan_outputs
from tagger.bulk.records import ID_COLUMN, InputFormat, ReadOptions, Unit
from tagger.bulk.resume import listing_of
from tagger.errors import UserError
from tagger.model_folder.contents import CONFIG
from tagger.model_folder.from_hub import local_folder

_MOST_ALTERNATIVES = 100
_LONG = 1 << 16  # bytes of input for which compiling loops, once for each processor, is worth waiting
_LINES_AND_TABLES = (OutputFormat.JSONL, OutputFormat.PARQUET)
_SHAPING = (  # the options that output depends on
    *("format", "tokens", "scores", "min_score", "n_best", "input_format", "unit", "tokenizer", "text_field"),
    *("id_column", "token_column", "separator", "comment_prefix"),
    *("engine", "device", "precision", "threads", "encoder"),
)
_PACKAGES = ("tagger", "numpy", "numba", "syntok", "spacy", "torch", "transformers", "onnxruntime", "pyarrow")


def job_of(parsed: argparse.Namespace) -> tuple[Job, list[str]]:
    """The job that the command line asks for, its inputs and outputs looked up, and what there is to say of them.

    Raises:
        UserError: options do not go together, or inputs or outputs are not as they should be.
    """
    output = None if parsed.output is None else Path(parsed.output)
    output_format = OutputFormat(parsed.format)
    n_best = 0 if parsed.n_best is None else whole_number("--n-best", parsed.n_best, _MOST_ALTERNATIVES)
    _require_fitting(parsed, output_format)
    _require_free_names(parsed, output_format, n_best)
    sources, notes = find_sources(
        parsed.inputs, parsed.input_format and InputFormat(parsed.input_format), leave_out=output
    )
    reading = ReadOptions(
        unit=Unit(parsed.unit),
        text_field=parsed.text_field,
        id_column=parsed.id_column,
        token_column=parsed.token_column,
        separator=parsed.separator,
        comment_prefix=parsed.comment_prefix,
    )
    job = Job(
        sources=sources,
        outputs=None if output is None or parsed.engine_cluster else plan_outputs(sources, output, output_format),
        reading=reading,
        tokenizer=parsed.tokenizer,
        output_format=output_format,
        tokens=parsed.tokens,
        scores=parsed.scores,
        minimum=MinimumScores.parse(parsed.min_score) if parsed.min_score else None,
        n_best=n_best,
        settled=parsed.workers != "1" or output is not None or (size_of(sources) or 0) >= _LONG,
    )
    return job, notes


def whole_number(option: str, text: str, most: int) -> int:
    """The number that an option was given, from 1 to `most`. Raises UserError where it is none."""
    if not text.isdecimal() or not 1 <= int(text[:9]) <= most:
        raise UserError(f"{option} {text}: expected a whole number from 1 to {most}")
    return int(text)


def asked_of(parsed: argparse.Namespace, job: Job) -> dict[str, Any]:
    """All that the output depends on but what is in the inputs, as JSON: a run resumes only one that asked the same."""
    config = local_folder(parsed.model) / CONFIG  # it holds the checksums of the model's other files
    return {
        "model": hashlib.sha256(config.read_bytes()).hexdigest() if config.is_file() else None,
        **{"--" + name.replace("_", "-"): getattr(parsed, name) for name in _SHAPING},
        "processor": platform.machine(),
        "compiled loops": job.settle(),
        **{name: _version(name) for name in _PACKAGES},
        "inputs": len(job.sources),
        "listing": listing_of(job.sources),
    }


def size_of(sources: Iterable[Source]) -> int | None:
    """Bytes in files; None where there are pipes among them."""
    size = 0
    for source in sources:
        if source.path is None or not source.rereadable:
            return None
        with suppress(OSError):  # told by who reads it
            size += source.path.stat().st_size
    return size


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version  # here, as it takes its time

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _require_fitting(parsed: argparse.Namespace, output_format: OutputFormat) -> None:
    """Refuse options that do not go together."""
    for option, given in (("--tokens", parsed.tokens), ("--n-best", parsed.n_best)):
        if given and output_format not in _LINES_AND_TABLES:
            formats = " and ".join(_LINES_AND_TABLES)
            raise UserError(f"{option} belongs to --format {formats}, not to {output_format}; leave one of them out")
    if parsed.output is not None:
        return
    if parsed.overwrite:
        raise UserError("--overwrite replaces files in the folder --output, which is not set; set it")
    if parsed.resume:
        raise UserError("--resume goes on with the files in the folder --output, which is not set; set it")
    if output_format is OutputFormat.PARQUET:
        raise UserError("--format parquet is written to files; name a folder for them with --output")


def _require_free_names(parsed: argparse.Namespace, output_format: OutputFormat, n_best: int) -> None:
    """Refuse names of fields that are read where others of that name are written."""
    written = ["entities", "tokens", "tags", *["scores"] * parsed.scores, *["alternatives"] * (n_best > 0)]
    written += ["fields"] * (output_format is OutputFormat.PARQUET)
    for option, name in (("--text-field", parsed.text_field), ("--id-column", parsed.id_column)):
        if name in written:
            raise UserError(f"{option} {name}: {name} are written there; rename what is read from there")
    ids = parsed.id_column or (ID_COLUMN if output_format is OutputFormat.PARQUET else None)
    if parsed.text_field == ids:
        raise UserError(f"--text-field {ids}: the ids have that name too; name theirs with --id-column")
