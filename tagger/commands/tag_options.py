"""Define the options of `tag.py`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from tagger.bulk.compression import COMPRESSED
from tagger.bulk.formats.lines import OutputFormat
from tagger.bulk.inputs import EXTENSIONS
from tagger.bulk.job import OnError
from tagger.bulk.records import InputFormat, Unit
from tagger.bulk.run_state import NAME
from tagger.commands.main import VERSION
from tagger.corpus.tokenizers import NAMES
from tagger.model_folder.named import DEFAULT
from tagger.printable import in_a_line

_DESCRIPTION = """\
Tag the tokens of text and mark the entities in it.

Without FILE, or where FILE is -, standard input is read, so that it works as a filter in a pipe. A folder stands for
every file of a known extension below it, in the order of their paths; hidden files are left out, and how many of other
extensions were is said on standard error. Patterns the shell did not expand (in quotes, also **) are.
"""

_SHORT = """\
usage: {program} [--model MODEL] [OPTION ...] [FILE ...]

Mark the entities in text. Without FILE, standard input is read.

  echo "Ada Lovelace met Charles Babbage in London." | {program}
  {program} --model runs/latest/model notes/*.txt --output tagged
  {program} --scores --min-score 0.5 --format html notes.txt > notes.html
  {program} --text-field body --workers 4 --output tagged news.jsonl.gz

  --model MODEL      en-ner (default), en-pos, a model folder, or hub:ORG/NAME
  --output DIR       a file per input into this folder; default: standard output
  --format FORMAT    jsonl (default), conll, html or parquet
  --input-format F   text, conll, conllu, jsonl, parquet; default: by extension
  --tokens           write tokens and tags too
  --scores           write probabilities
  --min-score P      leave out less probable entities; LABEL=P for a label
  --n-best K         write the K most probable taggings of each sentence
  --workers N        tag in N processes
  --resume           continue an earlier run of the same command
  --on-error HOW     stop (default), skip or null at malformed records

{program} --help-all lists all options, formats and exit codes.
"""

_EPILOG = f"""\
examples:
  echo "Ada Lovelace met Charles Babbage in London." | python tag.py
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
            a record a row, of a column with text or, where there is none, with lists "tokens"; others pass through
    csv     {" ".join(EXTENSIONS[InputFormat.CSV])}
            a record a row, of the column --text-column; the first row is the header; quoted cells may hold line ends
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
          fields of those names; other fields come out exactly as they were written.
  conll   A line "token TAB tag" per token and an empty line behind each sentence. Characters that would break this
          (TAB, line breaks and the like inside tokens of jsonl input) become U+FFFD, and so does an empty token.
  parquet Columns id, text, entities (lists of start, end, label, text), tokens and tags (null where jsonl would not
          have them), and fields: the JSON of other fields of jsonl input. Only to --output; needs the extra [corpus].
  csv     The rows of csv input as they were read, with a column "entities" (JSON) behind them, with --tokens also
          "tokens" and "tags"; of other input the text, these, and "fields". One input, or a file for each (--output).
  html    A page that needs nothing else, entities marked. On standard output one page for all inputs.

probabilities:
  Exact under the model, at the temperature fitted to its dev split. An entity's is that of just these tokens, with
  just these ends, being an entity of that label, whatever the rest of the sentence is.
  --scores     jsonl: "score" in each entity; of plain tags a list "scores" beside "tags". conll: a column before the
               tag, "_" outside entities. html: shown where the pointer rests on a mark.
  --min-score  Leaves out entities that are less probable. LABEL=P replaces P for a label. Without P, the other
               labels are kept.
  --n-best K   jsonl: the K most probable ways to tag each sentence, all different, best first; fewer where there are
               fewer. In each record, with an object per sentence:
                 "alternatives": [{{"start": 0, "end": 9, "taggings": [{{"score": 0.7, "entities": []}}, ...]}}, ...]
               The sentence's ends and its entities' count characters of the record's text; "score" is the probability
               of the whole tagging. Of plain tags, "tags" in place of "entities". --min-score leaves them as they are.

errors: one line on standard error. Missing and unreadable files are found before anything is tagged, malformed records
when they are read. No file is left half-written. An empty file gives an empty output, and their number is reported.
  --on-error   stop (default) ends the run at a malformed record. skip leaves it out. null (jsonl) writes a record in
               its place: "entities": null, and "rejected" with the reason. NAME.rejects.jsonl beside the output then
               holds each such record with its place and reason; without --output, standard error shows these.
               At the end the account is given: records read = tagged + empty + rejected.

resuming: input is cut into parts by the input alone. Finished parts lie in the hidden folder {NAME} of --output until
the files of --output are put together. Whatever ended a run, the same command with --resume continues it, and the
output has the same bytes. --workers and --executor may differ. Other options, the model, the inputs and the versions
of what computes may not; that is refused in a line. Standard input cannot be resumed. Without --resume, a run that
could be continued is left as it is; --overwrite begins again.

speed and memory: memory does not grow with the input. Standard input is a filter: a record that has come is tagged and
written before more input is waited for. A record (of text a line, or another --unit) is never cut, and takes about 60
times its size of memory while it is tagged. Output does not depend on --workers and --executor.

exit code: 0 done; 1 a worker process was ended, or memory ran out; 2 wrong use or bad input; stopped by a signal, 128
and its number: 129 the terminal went away, 130 Ctrl-C, 141 the reader of standard output went away, 143 SIGTERM.
"""


class CommandLine(argparse.ArgumentParser):
    """Reads options, and reports wrong use in a line."""

    def read(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """Parse arguments (None: the program's own). Ends the program where they are wrong, or ask for help."""
        found, unknown = self.parse_known_intermixed_args(arguments)
        if unknown:
            self.error(f"unknown option {unknown[0]}")
        if found.engine_cluster:
            found.executor, found.shards = found.engine_cluster, True
            note = "--engine-cluster ray is now called --executor ray --shards"
            print(f"{self.prog}: {note}", file=sys.stderr)
        return found

    def error(self, message: str) -> NoReturn:
        """End the program with a line. See `argparse.ArgumentParser`."""
        self.exit(2, in_a_line(f"{self.prog}: error: {message}; see --help") + "\n")


class _ShortHelp(argparse.Action):
    """Prints what fits on a screen, and ends the program."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(_SHORT.format(program=parser.prog), end="")
        parser.exit()


def parser_of(program: str) -> CommandLine:
    """Make the parser of a program of this name."""
    parser = CommandLine(
        prog=program,
        usage="%(prog)s [--model MODEL] [OPTION ...] [FILE ...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    add = parser.add_argument
    add("-h", "--help", action=_ShortHelp, nargs=0, help="show the most used options and end")
    add("--help-all", action="help", help="show all options and end")
    add("inputs", nargs="*", metavar="FILE", help="file, folder, pattern, or - for standard input")
    add("--version", action="version", version=VERSION, help="print the version and end")
    add("--model", metavar="MODEL", default=DEFAULT, help="a model that comes along (en-ner: names of people, places, "
        "organisations and others in English; en-pos: parts of speech in English); the model folder that training "
        "wrote, as runs/latest/model; or hub:ORG/NAME@REVISION, one on the Hugging Face Hub; default: "
        f"{DEFAULT}")  # fmt: skip
    add("--encoder", metavar="PATH", help="where the model's contextual encoder lies, if it has one and it lies "
        "elsewhere than in training: a folder or an id of the Hugging Face Hub")  # fmt: skip
    add("--output", metavar="DIR", help="write a file per input into this folder, each whole or not at all: the "
        "input's name with the format's extension, in the sub-folder it had below a named folder or pattern; "
        "default: standard output")  # fmt: skip
    add("--resume", action="store_true", help="continue an earlier run of the same command, whatever ended it; the "
        "output has the bytes of a run that was not ended")  # fmt: skip
    add("--overwrite", action="store_true", help="replace output files that are there already (never an input)")
    add("--format", choices=[*map(str, OutputFormat)], default="jsonl", help="of the output; default: jsonl")
    add("--tokens", action="store_true", help="jsonl, parquet: write tokens and tags too")
    add("--scores", action="store_true", help="write how probable each entity (or plain tag) is")
    add("--min-score", action="append", metavar="P", help="leave out entities less probable than P, from 0 to 1; "
        "LABEL=P for one label; may be repeated")  # fmt: skip
    add("--n-best", metavar="K", help="jsonl, parquet: write the K most probable taggings of each sentence too")
    add("--input-format", choices=[*map(str, InputFormat)], help="of all inputs; default: by extension")
    _add_reading(parser)
    _add_running(parser)
    add("--on-error", choices=[*map(str, OnError)], default="stop", help="what becomes of malformed records, see "
        "below; default: stop")  # fmt: skip
    add("--progress", action="store_true", help="report progress on standard error though that is no terminal, with a "
        "line every ten seconds")  # fmt: skip
    add("--quiet", action="store_true", help="no progress, summary or notes on standard error, only errors and what "
        "was left out")  # fmt: skip
    return parser


def _add_running(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--engine", choices=["auto", "numpy", "torch", "onnx"], default="auto", help="what runs the model: numpy, on "
        "the CPU; torch (the extra [train], for models with an encoder [encoder]); onnx (the extra [onnx]); default: "
        "auto, torch for models with an encoder and for GPUs, numpy otherwise")  # fmt: skip
    add("--device", default="cpu", metavar="NAME", help="torch: a PyTorch device, such as cuda; default: cpu")
    add("--precision", choices=["fp32", "int16", "bf16", "fp16"], default="fp32", help="what products are computed in; "
        "numpy: int16, fixed point, is faster (layers of GRUs; the extra [fast]); torch: bf16 and fp16, which GPUs are "
        "fast in; a tag in a thousand may differ; default: fp32")  # fmt: skip
    add("--workers", default="1", metavar="N", help="tag in N processes, each with the model in its memory; the "
        "output has the same bytes; default: 1")  # fmt: skip
    add("--executor", choices=["processes", "ray"], default="processes", help="who tags: processes of this machine "
        "(default), or workers of Ray (the extra [ray]), on this machine or with --address on a cluster; see "
        "docs/scaling.md")  # fmt: skip
    add("--address", metavar="HOST:PORT", help="ray: of a running cluster, or auto on one of its nodes; default: a Ray "
        "of this machine is started and ended")  # fmt: skip
    add("--part-size", metavar="BYTES", default="2M", help="about how much input makes a part, which is what is done "
        "again when a worker is lost; default: 2M")  # fmt: skip
    add("--shards", action="store_true", help="leave the parts as files in --output, as part-00000-of-00012.jsonl; put "
        "together in order they are what standard output would get")  # fmt: skip
    add("--engine-cluster", choices=["ray"], help=argparse.SUPPRESS)
    add("--threads", default="1", metavar="N", help="torch, onnx: threads of each process (numpy has one), on which "
        "the last bits depend; more pay for models with an encoder on a CPU; default: 1")  # fmt: skip


def _add_reading(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--unit", choices=[*map(str, Unit)], default="line",
        help="text: what makes a record: each line, also an empty one (default; works on streams without end), each "
        "paragraph (lines between blank lines, which belong to none), or the whole file")  # fmt: skip
    add("--tokenizer", metavar="NAME", help=f"what splits text into sentences and tokens: {NAMES} (the last needs "
        "the extra [spacy]); no character is changed; default: the one the model is meant for")  # fmt: skip
    add("--text-field", "--text-column", default="text", metavar="NAME", help="jsonl, parquet, csv: the field or "
        "column that holds the text; default: text")  # fmt: skip
    add("--id-column", metavar="NAME", help="parquet: the column of ids; default: id, if there is one; of jsonl and "
        "csv all fields are passed on anyway")  # fmt: skip
    add("--token-column", type=int, metavar="N", help="conll, conllu: the tokens' column, from 0, or negative from "
        "the last; default: 0, and 1 in conllu")  # fmt: skip
    add("--separator", choices=["auto", "tab", "blanks", "comma", "semicolon", "bar"], default="auto",
        help="what parts columns; default: auto: conll: tab where the first line has one, else blanks; csv: what gives "
        "the header the most cells")  # fmt: skip
    add("--comment-prefix", metavar="TEXT", help="conll: lines that begin with it are comments; default: none are")
