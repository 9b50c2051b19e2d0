"""Measure this tagger and its peers side by side: speed, memory and scores of tagging and training.

    python scripts/benchmark.py --json benchmark.json --markdown benchmark.md
    python scripts/benchmark.py --quick
    python scripts/benchmark.py --rounds 0 --scaling docs/scaling.svg --scaling-tokens 100000000

All systems are trained on the same splits. Peers run in an environment that is made in `--env` on first use. Models are
kept in `--work` for later runs. The input holds the test split and sentences of the data sets beside it that have the
same language and a preset. No sentence occurs twice. If there are too few, more are made from halves of two. Every
system does every task in every round in a process of its own, one at a time, with its threads pinned:

  pre-tokenised  lists of tokens in memory to lists of tags in memory, in one call; loading is left out
  text to JSONL  a text file, one sentence per line, to a file of entities: the whole command, start and loading
                 included, and its peak RSS; each tokenises for itself; tokens per second count the corpus' own tokens
  latency        the first thousand sentences of the test split, one call each
  start          from the start of the process to the first tagged sentence of text

The output of the timed runs for the test split is scored by tags and by characters of text. Exit code: 0; 1 if
something could not be measured, which is reported; 2 for wrong use; 130 after Ctrl-C, with the measurements so far.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tagger.errors import UserError, extra_needed

with extra_needed("train", "benchmark.py"):
    from benchmarks.run import Benchmark, Data, Extent
    from benchmarks.systems import PEER_SYSTEMS, Workplace


ROOT = Path(__file__).resolve().parent.parent
TOKENS, ROUNDS = 1_000_000, 5
SEEDS = 3
QUICK_TOKENS, QUICK_ROUNDS = 100_000, 3
QUICK_TRAINING, QUICK_SECONDS = 130, 540


def default_data() -> Path | None:
    """WNUT-17, where the shared data have it."""
    folder = Path(os.environ.get("TAGGER_DATA") or ROOT.parent / "shared" / "data") / "wnut17"
    return folder if folder.is_dir() else None


def extent_of(arguments: argparse.Namespace) -> Extent:
    """How much the command line asks for."""
    tokens, rounds = (QUICK_TOKENS, QUICK_ROUNDS) if arguments.quick else (TOKENS, ROUNDS)
    return Extent(
        tokens=arguments.tokens or tokens,
        rounds=rounds if arguments.rounds is None else arguments.rounds,
        seeds=arguments.seeds or (1 if arguments.quick else SEEDS),
        training=QUICK_TRAINING if arguments.quick else None,
        seconds=QUICK_SECONDS if arguments.quick else None,
        scaling_tokens=arguments.scaling_tokens,
    )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = found.add_argument
    add("--data", type=Path, default=default_data(), metavar="DIR", help="folder of the data set to train on and score "
        "by (default: wnut17 of ../shared/data or $TAGGER_DATA where it is there, else the bundled one)")  # fmt: skip
    add("--preset", metavar="NAME", help="that reads it, PRESET or PRESET/DOMAIN (default: the folder's name)")
    add("--threads", type=_whole_number(1), default=1, metavar="N", help="of each process (default: 1)")
    add("--rounds", type=_whole_number(0), metavar="N", help=f"default: {ROUNDS}; 0 leaves the comparison out")
    add("--seeds", type=_whole_number(1), metavar="N", help="trainings of each system that draws random numbers; their "
        f"times are medians, and the first one's model tags (default: {SEEDS}; 1 with --quick)")  # fmt: skip
    add("--tokens", type=_whole_number(1), metavar="N", help=f"of input, at least (default: {TOKENS:,})")
    add("--peers", nargs="*", default=["spacy", "crfsuite"], choices=[*PEER_SYSTEMS], help="those to compare with; "
        "flair brings PyTorch, into an environment of its own (default: spacy crfsuite)")  # fmt: skip
    add("--engines", type=lambda text: list(filter(None, text.split(","))), default=["numpy:int16"], metavar="NAME,...",
        help="of this tagger, each a row beside the default one: numpy, torch, onnx, with a precision behind a colon "
        "where it is not fp32 (default: numpy:int16)")  # fmt: skip
    add("--model", type=Path, metavar="DIR", help="a model folder of this tagger, instead of training one")
    add("--override", nargs="+", default=[], metavar="KEY=VALUE", help="settings of this tagger's training")
    add("--retrain", action="store_true", help="train anew what was trained before")
    add("--env", type=Path, default=Path("runs/.peers"), metavar="DIR", help="environment (default: %(default)s)")
    add("--work", type=Path, default=Path("runs/benchmark"), metavar="DIR",
        help="models, input and output (default: %(default)s)")  # fmt: skip
    add("--json", type=Path, metavar="FILE", help="write all figures there")
    add("--markdown", type=Path, metavar="FILE", help="write tables there")
    add("--quick", action="store_true", help=f"within 10 minutes on two cores: {QUICK_TOKENS:,} tokens, up to "
        f"{QUICK_ROUNDS} rounds, one training each, which is stopped after {QUICK_TRAINING} s")  # fmt: skip
    add("--scaling", type=Path, metavar="PLOT", help="also measure this tagger on inputs of many sizes, sentences of "
        "many lengths and many tags, and draw that as SVG or PNG")  # fmt: skip
    add("--scaling-tokens", type=_whole_number(1), default=10**7, metavar="N",
        help="of the longest of these inputs (default: %(default)s)")  # fmt: skip
    return found


def _whole_number(least: int) -> Callable[[str], int]:
    """Parses a number of at least that."""

    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} on, not {text!r}")
        return int(text)

    return parse


def run(arguments: argparse.Namespace) -> int:
    """Measure, print and write; returns the exit code.

    Raises:
        UserError: data, settings, environments or files are not as they must be.
    """
    data = Data.of(arguments.data, arguments.preset)
    place = Workplace(arguments.env.absolute(), arguments.work.absolute(), arguments.threads)
    asked = {"peers": arguments.peers, "engines": arguments.engines, "settings": arguments.override}
    benchmark = Benchmark(data, extent_of(arguments), place, **asked, model=arguments.model, again=arguments.retrain)
    report, stopped = benchmark.report, False
    try:
        if arguments.rounds != 0:
            benchmark.compare()
        if arguments.scaling is not None:
            benchmark.scale(arguments.scaling)
    except KeyboardInterrupt:
        stopped = True
        report.left_out.append("whatever was to come when Ctrl-C stopped it")
    finally:
        report.write(arguments.json, arguments.markdown)
    print("\n" + report.as_text(), end="")
    if stopped:
        print("benchmark.py: stopped by Ctrl-C; what was measured is kept", file=sys.stderr)
        return 130
    return 1 if benchmark.failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run."""
    try:
        return run(parser().parse_args(argv))
    except UserError as error:
        print(f"benchmark.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("benchmark.py: stopped by Ctrl-C", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
