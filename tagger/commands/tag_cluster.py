"""`tag.py --engine-cluster ray`: its options, and what they ask for carried out."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tagger.bulk.formats.lines import OutputFormat
from tagger.bulk.job import Job, OpenTagger
from tagger.errors import UserError

if TYPE_CHECKING:
    from tagger.bulk.executors.cluster import Tagged

BLOCKS_PER_SHARD = "16"


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Options that only a cluster has."""
    add = parser.add_argument
    add("--engine-cluster", choices=["ray"], help="have --workers tag that Ray (the extra [ray]) starts, on this "
        "machine or with --address on a cluster; --output gets shards, which `cat DIR/part-*` puts together to what "
        "one process would write; see docs/scaling.md")  # fmt: skip
    add("--address", metavar="HOST:PORT", help="ray: of a cluster that is running, or auto on one of its nodes; "
        "default: a Ray of this machine is started and ended")  # fmt: skip
    add("--blocks-per-shard", metavar="N", help="ray: blocks of some 250,000 characters in a shard, which is what is "
        f"done again when a worker is lost; default: {BLOCKS_PER_SHARD}")  # fmt: skip


def check_cluster_options(parsed: argparse.Namespace) -> None:
    """Raises UserError where options do not fit each other."""
    if parsed.engine_cluster is None:
        for option, value in (("--address", parsed.address), ("--blocks-per-shard", parsed.blocks_per_shard)):
            if value is not None:
                raise UserError(f"{option} {value} belongs to --engine-cluster ray, which is not set; set it")
    elif parsed.output is None:
        raise UserError("--engine-cluster writes shards into a folder; name it with --output")
    elif parsed.format not in (OutputFormat.JSONL, OutputFormat.CONLL):
        raise UserError(f"--engine-cluster writes lines, and {parsed.format} has none; use --format jsonl or conll")
    for option in ("resume", "progress"):
        if parsed.engine_cluster and getattr(parsed, option):
            raise UserError(f"--engine-cluster has no --{option}; leave it out, and see which shards there are")


def tag_on_cluster(
    parsed: argparse.Namespace, job: Job, open_tagger: OpenTagger, *, workers: int, threads: int, blocks_per_shard: int
) -> Tagged:
    """Tag a job by workers of a cluster. See `tag_corpus`."""
    from tagger.bulk.executors.cluster import tag_corpus  # here, as nobody else needs what a cluster does
    from tagger.bulk.executors.ray import Cluster

    for source in job.sources:
        if not source.rereadable:
            raise UserError(f"{source.name}: no file, which workers of a cluster could read; name files or folders")
    gpus = int(parsed.device.startswith("cuda"))
    places = {name: getattr(parsed, name) for name in ("model", "encoder")}
    known = {name: os.path.abspath(place) for name, place in places.items() if place and os.path.exists(place)}
    open_tagger = partial(open_tagger, **known)  # workers stand in a folder of their own
    if not gpus:
        open_tagger(job)  # what is wrong with model or options is so told at once
    cluster = Cluster(address=parsed.address, workers=workers, threads=threads, gpus=gpus)
    return tag_corpus(
        job,
        open_tagger,
        Path(parsed.output),
        cluster,
        blocks_per_shard=blocks_per_shard,
        overwrite=parsed.overwrite,
    )
