"""One run from inputs to written output: blocks read, tagged by whoever does it, and written in order."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from typing import IO

from tagger.bulk.block_reader import BEGIN, BlockEnd, BlockReader
from tagger.bulk.formats.html import HtmlPage
from tagger.bulk.formats.lines import OutputFormat
from tagger.bulk.job import Counts, Hands, Job, TaggedBlock
from tagger.bulk.manifest import Manifest
from tagger.bulk.outputs import FilesOutput, Output, StreamOutput
from tagger.bulk.parts import LinesPart, PagePart, Part, TablePart
from tagger.bulk.record_readers import read_records
from tagger.bulk.records import InputFormat
from tagger.bulk.resume import History

_QUICKLY_READ = (InputFormat.TEXT, InputFormat.JSONL)  # columns take a third of the time that tagging them does
_LOOKED_AT = 1  # records of what is not quickly read


def carry_out(
    job: Job,
    hands: Hands,
    standard_input: IO[bytes],
    standard_output: IO[bytes],
    *,
    history: History | None = None,
    tell: Callable[[Counts, int], None] = lambda done, amount: None,
) -> Counts:
    """Tag the inputs and write what came of them.

    Files are read through once before anything is tagged, so that what is wrong with the last one is known before the
    first is written; pipes cannot be, and files of columns and Parquet are where standard output could not be taken
    back, else their first record is. Each output file is written whole or not at all. Standard output gets whole
    records as they are ready; an HTML page, which no part of stands alone, in one go.

    Args:
        job: what to do.
        hands: who tags, with a `BlockTagger` of the same job.
        standard_input: read where it is one of the sources.
        standard_output: written where the job names no output files.
        history: where an earlier run that wrote files was ended, to go on from there; what is done is noted in it.
        tell: called after each block with what was tagged so far, and how many bytes of input were read for it.

    Returns:
        What was tagged.

    Raises:
        UserError: something cannot be read or written, or is malformed, or the job does not fit the model.
        BrokenPipeError: nobody reads standard output any more.
    """
    history = history or History()
    mark = history.resumed.mark
    _check_inputs(job, standard_input, history.resumed.done)
    done = Counts()
    ends: deque[BlockEnd] = deque()
    with _output(job, standard_output, history) as output:

        def take(tagged: TaggedBlock) -> None:
            nonlocal done
            for source, written in tagged.parts:
                if isinstance(written, list):
                    for document in written:
                        document.source = job.sources[source].name
                output.take(source, written)
            end = ends.popleft()
            output.mark(end)
            done = Counts(*map(sum, zip(done, tagged.counts, strict=True)))
            tell(done, end.amount)

        attending = partial(hands.attending, take=take)
        reader = BlockReader(job.sources, job.reading, standard_input, attending, mark.place if mark else BEGIN)
        for block, end in reader:
            ends.append(end)
            hands.give(block, take)
        hands.finish(take)
        output.finish(reader.finished)
    return done


def _check_inputs(job: Job, standard_input: IO[bytes], begin: int) -> None:
    for number in range(begin, len(job.sources)):
        source = job.sources[number]
        if source.rereadable:
            whole = job.outputs is None or source.input_format in _QUICKLY_READ
            with source.open(standard_input) as stream:
                records = read_records(stream, source.name, source.input_format, job.reading)
                deque(islice(records, None if whole else _LOOKED_AT), maxlen=0)


@contextmanager
def _output(job: Job, standard_output: IO[bytes], history: History) -> Iterator[Output]:
    if job.outputs is None:
        with StreamOutput(standard_output, partial(HtmlPage, scores=job.scores)) as output:
            yield output
        return
    with ExitStack() as files:
        if history.manifest is None:
            history.manifest = files.enter_context(Manifest(job.outputs.folder))
        mark, history.begun = history.resumed.mark, True
        if mark is None:
            history.manifest.begin(history.asked)
        yield files.enter_context(FilesOutput(job.sources, job.outputs, partial(_part, job), history.manifest, mark))


def _part(job: Job, number: int) -> Part:
    """What writes the output of the source of this number."""
    assert job.outputs is not None
    path, source = job.outputs[number], job.sources[number]
    if job.output_format is OutputFormat.HTML:
        return PagePart(path, partial(HtmlPage, scores=job.scores))
    if job.output_format is not OutputFormat.PARQUET:
        return LinesPart(path)
    from tagger.bulk.formats.parquet import ParquetTable, id_type  # here, as its library is an extra's

    ids = None
    if source.input_format is InputFormat.PARQUET:
        with source.open(io.BytesIO()) as stream:
            ids = id_type(stream, source.name, job.reading)
    reading = job.reading
    table = ParquetTable(id_field=reading.id_field, text_field=reading.text_field, scores=job.scores, ids=ids)
    return TablePart(path, table)
