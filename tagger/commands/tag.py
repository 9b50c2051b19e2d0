"""`tag.py`: text in, entities out; a filter in a pipe, or file by file into a folder."""

from __future__ import annotations

import argparse
import contextlib
import io
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import IO, Any, NoReturn

from tagger.commands.main import let_go_of_output
from tagger.commands.on_cluster import BLOCKS_PER_SHARD, add_cluster_options, check_cluster_options, tag_on_cluster
from tagger.corpus.tokenizers import NAMES
from tagger.errors import UserError
from tagger.inference.cluster import OpenTagger
from tagger.inference.compression import COMPRESSED
from tagger.inference.documents import InputFormat, ReadOptions, Unit
from tagger.inference.sources import EXTENSIONS, find_sources, plan_outputs
from tagger.inference.tagging import BlockTagger, Counts, Job, OwnHands, carry_out
from tagger.inference.thresholds import MinimumScores
from tagger.inference.workers import WorkerLostError, Workers
from tagger.inference.writers import OutputFormat

_PIPE_CLOSED = 128 + 13  # what a shell reports of a program that SIGPIPE ended
_INTERRUPTED = 130
_MOST_ALTERNATIVES = 100
_MOST_WORKERS = 256
_MOST_OF_A_CLUSTER = 100_000  # of workers, and of blocks in a shard
_OUT_OF_MEMORY = "out of memory; a record is held whole: cut records that are very long, or use fewer --workers"

_DESCRIPTION = """\
Tag the tokens of text and mark the entities in it.

Without FILE, or where FILE is -, standard input is read, so that it works as a filter in a pipe. A folder stands for
every file of a known extension below it, in the order of their paths; hidden files are left out, and how many of other
extensions were is said on standard error. Patterns the shell did not expand (in quotes, also **) are.
"""

_EPILOG = f"""\
examples:
  echo "Ada Lovelace met Charles Babbage in London." | python tag.py --model runs/latest/model
  python tag.py --model runs/wnut/model notes/*.txt --output tagged/ --format jsonl
  python tag.py --model runs/wnut/model 'notes/**/*.txt' --format html > notes.html
  zcat news.jsonl.gz | python tag.py --model runs/wnut/model --input-format jsonl --text-field body

input:
  UTF-8; a byte-order mark is passed over. Known extensions:
    text    {" ".join(EXTENSIONS[InputFormat.TEXT])}, every other extension, and standard input
    conll   {" ".join(EXTENSIONS[InputFormat.CONLL])}
            a token a line, sentences parted by blank lines; tags in further columns are not looked at
    conllu  {" ".join(EXTENSIONS[InputFormat.CONLLU])}
            the syntactic words; tags are not looked at
    jsonl   {" ".join(EXTENSIONS[InputFormat.JSONL])}
            an object a line with text, or with a list "tokens", which is tagged as it is
    parquet {" ".join(EXTENSIONS[InputFormat.PARQUET])}
            a record a row, of a column with text or, where there is none, with lists "tokens"; its id is passed on
  Any but parquet may be compressed: {" ".join(COMPRESSED)} behind the extension, as in news.jsonl.gz. parquet and
  {COMPRESSED[1]} need the extra [corpus].

output:
  jsonl   A record per unit of text, per sentence of conll and conllu, per record of jsonl, in their order:
            {{"text": "Ada met Bob.", "entities": [{{"start": 0, "end": 3, "label": "PER", "text": "Ada"}}, ...]}}
          Characters count from 0 in the record's text, the end is not included. An empty line is a record with empty
          text, so that record n is line n. The text is what was read but for its line end, which unit file keeps;
          where only tokens are known, these joined by single blanks. Other fields of jsonl input pass through.
          "tokens" and "tags" (B-PER, I-PER, O) are two flat lists, written with --tokens, by models of plain tags
          (parts of speech), which give no entities, and for records that have "tokens". What is written replaces
          fields of those names.
  conll   A line "token TAB tag" per token and an empty line behind each sentence. Characters that would break this
          (TAB, line breaks and the like inside tokens of jsonl input) become U+FFFD, and so does an empty token.
  html    A page that needs nothing else, entities marked. On standard output one page for all inputs.

probabilities:
  Exact under the model, at the temperature fitted to its dev split. An entity's is that of just these tokens, with
  just these ends, being an entity of that label, whatever the rest of the sentence is.
  --scores     jsonl: "score" in each entity; of plain tags a list "scores" beside "tags". conll: a column before the
               tag, "_" outside entities. html: shown where the pointer rests on a mark.
  --min-score  Leaves out entities that are less probable. LABEL=P goes before P; labels without either are kept.
  --n-best K   jsonl: the K most probable ways to tag each sentence, all different, best first; fewer where there are
               fewer. In each record, with an object per sentence:
                 "alternatives": [{{"start": 0, "end": 9, "taggings": [{{"score": 0.7, "entities": []}}, ...]}}, ...]
               The sentence's ends and its entities' count characters of the record's text; "score" is the probability
               of the whole tagging. Of plain tags, "tags" in place of "entities". --min-score leaves them as they are.

errors: one line on standard error. Missing, unreadable, empty and binary files are found before anything is tagged;
no file and no record is left half-written.

speed and memory: input is read and tagged in blocks of some 250,000 characters, the first ones shorter, so that the
first records are written early; memory does not grow with the input. A record (of text a line, or what --unit says) is
never cut, and takes some 60 times its size of memory while it is tagged. Output does not depend on --workers.

exit code: 0 done; 1 a worker process was ended, or memory ran out; 2 wrong use or bad input; 130 stopped by Ctrl-C;
141 the reader of standard output went away.
"""


def main(arguments: Sequence[str] | None = None, program: str = "tag.py") -> int:
    """Entry point; returns the exit code."""
    parsed = _parser(program).parse_intermixed_args(arguments)
    try:
        with _ended_by_exception():
            return _run(parsed, program)
    except UserError as error:
        _say(program, str(error))
        let_go_of_output(flush=True)
        return 2
    except KeyboardInterrupt:
        _say(program, "stopped")
        let_go_of_output(flush=True)
        return _INTERRUPTED
    except BrokenPipeError:
        let_go_of_output(flush=False)
        return _PIPE_CLOSED
    except (WorkerLostError, MemoryError) as error:
        _say(program, str(error) or _OUT_OF_MEMORY)
        let_go_of_output(flush=True)
        return 1


def _run(parsed: argparse.Namespace, program: str) -> int:
    check_cluster_options(parsed)
    workers = _whole_number("--workers", parsed.workers, _MOST_OF_A_CLUSTER if parsed.engine_cluster else _MOST_WORKERS)
    threads = None if workers == 1 and not parsed.engine_cluster else 1
    if parsed.threads is not None:
        threads = _whole_number("--threads", parsed.threads, _MOST_WORKERS)
    job, notes = _job(parsed)
    standard_input: IO[bytes] = sys.stdin.buffer if sys.stdin else io.BytesIO()
    if parsed.output is None and sys.stdout is None:
        raise UserError("standard output is closed; write to a folder with --output")
    if any(source.path is None for source in job.sources) and standard_input.isatty():
        notes.append("reading from the terminal; end with Ctrl-D")
    for note in [] if parsed.quiet else notes:
        _say(program, note)

    settings = {name: getattr(parsed, name) for name in ("engine", "device", "precision", "encoder")}
    settings["threads"] = threads
    if parsed.engine_cluster:
        open_it = partial(_open_tagger, model=parsed.model, **settings)
        _run_on_cluster(parsed, program, job, open_it, workers, threads or 1)
        return 0
    open_tagger = partial(_open_tagger, job, parsed.model, **settings)
    with nullcontext(OwnHands(open_tagger())) if workers == 1 else Workers(workers, open_tagger) as hands:
        begin = time.perf_counter()
        counts = carry_out(job, hands, standard_input, sys.stdout.buffer if sys.stdout else io.BytesIO())
    if job.outputs and not parsed.quiet:
        told = _summary(len(job.sources), counts, time.perf_counter() - begin)
        _say(program, f"{told}, written to {parsed.output}")
    return 0


def _run_on_cluster(
    parsed: argparse.Namespace, program: str, job: Job, open_it: OpenTagger, workers: int, threads: int
) -> None:
    blocks = _whole_number("--blocks-per-shard", parsed.blocks_per_shard or BLOCKS_PER_SHARD, _MOST_OF_A_CLUSTER)
    begin = time.perf_counter()
    done = tag_on_cluster(parsed, job, open_it, workers=workers, threads=threads, blocks_per_shard=blocks)
    if not parsed.quiet:
        again = f", {done.lost:,} of them begun anew as workers were lost" if done.lost else ""
        told = _summary(len(job.sources), done.counts, time.perf_counter() - begin)
        _say(program, f"{told}, written to {parsed.output} in {done.shards:,} shards{again}")


def _open_tagger(job: Job, model: str, **settings: Any) -> BlockTagger:
    """What tags blocks; worker processes call this too."""
    import tagger  # here, so that --help and wrong use answer at once

    return BlockTagger(job, tagger.load(model, **settings))


def _job(parsed: argparse.Namespace) -> tuple[Job, list[str]]:
    """The job that the command line asks for, its inputs and outputs looked up, and what there is to say of them."""
    output = None if parsed.output is None else Path(parsed.output)
    output_format = OutputFormat(parsed.format)
    if parsed.tokens and output_format is not OutputFormat.JSONL:
        raise UserError(f"--tokens belongs to --format jsonl, not to {output_format}; leave one of them out")
    if parsed.overwrite and output is None:
        raise UserError("--overwrite replaces files in the folder --output, which is not set; set it")
    n_best = 0 if parsed.n_best is None else _whole_number("--n-best", parsed.n_best, _MOST_ALTERNATIVES)
    if n_best and output_format is not OutputFormat.JSONL:
        raise UserError(f"--n-best belongs to --format jsonl, not to {output_format}; leave one of them out")
    written = ["entities", "tokens", "tags", *["scores"] * parsed.scores, *["alternatives"] * (n_best > 0)]
    for option, name in (("--text-field", parsed.text_field), ("--id-column", parsed.id_column)):
        if name in written:
            raise UserError(f"{option} {name}: {name} are written there; rename what is read from there")
    if parsed.text_field == parsed.id_column:
        raise UserError(f"--id-column {parsed.id_column}: holds the text; name the column of ids, or leave it out")
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
        outputs=None
        if output is None or parsed.engine_cluster
        else plan_outputs(sources, output, output_format, overwrite=parsed.overwrite),
        reading=reading,
        tokenizer=parsed.tokenizer,
        output_format=output_format,
        tokens=parsed.tokens,
        scores=parsed.scores,
        minimum=MinimumScores.parse(parsed.min_score) if parsed.min_score else None,
        n_best=n_best,
    )
    return job, notes


def _whole_number(option: str, text: str, most: int) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= most:
        raise UserError(f"{option} {text}: expected a whole number from 1 to {most}")
    return int(text)


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("inputs", nargs="*", metavar="FILE", help="file, folder, pattern, or - for standard input")
    add("--model", required=True, metavar="DIR", help="the model folder that training wrote, as runs/latest/model, "
        "or hub:ORG/NAME@REVISION, one on the Hugging Face Hub")  # fmt: skip
    add("--encoder", metavar="PATH", help="where the model's contextual encoder lies, if it has one and it lies "
        "elsewhere than in training: a folder or an id of the Hugging Face Hub")  # fmt: skip
    add("--output", metavar="DIR", help="write a file per input into this folder, each whole or not at all: the "
        "input's name with the format's extension, in the sub-folder it had below a named folder or pattern; "
        "default: standard output")  # fmt: skip
    add("--overwrite", action="store_true", help="replace output files that are there already (never an input)")
    add("--format", choices=[*map(str, OutputFormat)], default="jsonl", help="of the output; default: jsonl")
    add("--tokens", action="store_true", help="jsonl: write tokens and tags too")
    add("--scores", action="store_true", help="write how probable each entity (or plain tag) is")
    add("--min-score", action="append", metavar="P", help="leave out entities less probable than P, from 0 to 1; "
        "LABEL=P for one label; may be repeated")  # fmt: skip
    add("--n-best", metavar="K", help="jsonl: write the K most probable taggings of each sentence too")
    add("--input-format", choices=[*map(str, InputFormat)], help="of all inputs; default: by extension")
    _add_reading(parser)
    _add_running(parser)
    add_cluster_options(parser)
    add("--quiet", action="store_true", help="no summary and no notes on standard error, only errors")
    return parser


def _add_running(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--engine", choices=["auto", "numpy", "torch", "onnx"], default="auto", help="what runs the model: numpy, on "
        "the CPU; torch (the extra [train]); onnx (the extra [onnx]; python scripts/export_onnx.py --model DIR comes "
        "first); default: auto, torch for models with an encoder and for GPUs, numpy otherwise")  # fmt: skip
    add("--device", default="cpu", metavar="NAME", help="torch: a PyTorch device, such as cuda; default: cpu")
    add("--precision", choices=["fp32", "bf16", "fp16"], default="fp32", help="torch: what products are computed in; "
        "with bf16 and fp16, which GPUs are fast in, a tag in a thousand may differ; default: fp32")  # fmt: skip
    add("--workers", default="1", metavar="N", help="tag in N processes, each with the model in its memory; the "
        "output is the same to the byte; default: 1")  # fmt: skip
    add("--threads", metavar="N", help="torch, onnx: threads of each process (numpy has one); default: 1, but for "
        "torch in a single process as many as PyTorch takes")  # fmt: skip


def _add_reading(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--unit", choices=[*map(str, Unit)], default="line",
        help="text: what makes a record: each line, also an empty one (default; works on streams without end), each "
        "paragraph (lines between blank lines, which belong to none), or the whole file")  # fmt: skip
    add("--tokenizer", metavar="NAME", help=f"what splits text into sentences and tokens: {NAMES} (the last needs "
        "the extra [spacy]); no character is changed; default: the one the model is meant for")  # fmt: skip
    add("--text-field", "--text-column", default="text", metavar="NAME", help="jsonl, parquet: the field or column "
        "that holds the text; default: text")  # fmt: skip
    add("--id-column", metavar="NAME", help="parquet: the column of ids, which are passed on; default: id, if there is "
        "one; of jsonl all fields are")  # fmt: skip
    add("--token-column", type=int, metavar="N", help="conll, conllu: the tokens' column, from 0, or negative from "
        "the last; default: 0, and 1 in conllu")  # fmt: skip
    add("--separator", choices=["auto", "tab", "blanks"], default="auto",
        help="conll: what parts columns; default: auto, tab where the first line has one, else blanks")  # fmt: skip
    add("--comment-prefix", metavar="TEXT", help="conll: lines that begin with it are comments; default: none are")


@contextlib.contextmanager
def _ended_by_exception() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise SystemExit, so that what is half-written is removed."""
    replaced = []
    for number in (signal.SIGTERM, signal.SIGHUP):
        # One that is ignored (nohup) stays so, and only the main thread may set any.
        if signal.getsignal(number) is signal.SIG_DFL and threading.current_thread() is threading.main_thread():
            signal.signal(number, _end)
            replaced.append(number)
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _summary(files: int, counts: Counts, seconds: float) -> str:
    speed = counts.tokens / seconds if seconds else 0
    amounts = [(files, "file"), (counts.records, "record"), (counts.sentences, "sentence"), (counts.tokens, "token")]
    told = ", ".join(f"{amount:,} {name}{'' if amount == 1 else 's'}" for amount, name in amounts)
    return f"{told} in {seconds:.1f} s ({speed:,.0f} tokens/s)"


def _say(program: str, message: str) -> None:
    if sys.stderr is not None:  # print() would take standard output instead
        with contextlib.suppress(OSError):
            print(f"{program}: {message}", file=sys.stderr, flush=True)
