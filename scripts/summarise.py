"""Mean and standard deviation over seeds of the scores of runs.

    python train.py -m seed=1,2,3 run_dir=runs/wnut-seeds data=wnut17 data.dir=PATH
    python scripts/summarise.py runs/wnut-seeds

Runs that differ in nothing but seed and folder are put together; runs of different data never are. The table has
scores in points of 100 (± the sample standard deviation), the mean training time, and the model's size. `--json` writes
a row for each group with every run's scores: the form of the experiment log in `docs/experiments/`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tagger.errors import UserError, extra_needed

with extra_needed("train", "summarise.py"):
    from tagger.runs.summary import HEADER, LEFT, summarise, table_rows, write_rows
    from tagger.runs.tables import as_markdown, as_text


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and summarise; 0, 1 where no run is finished, or 2 for wrong use."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUNS", help="folders of runs, or of multiruns")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write a row of JSON for each group, too")
    arguments = parser.parse_args(argv)
    try:
        summary = summarise(arguments.runs)
        if arguments.json:
            write_rows(arguments.json, [group.as_row() for group in summary.groups], left_out=summary.left_out)
    except UserError as error:
        print(f"summarise.py: {error}", file=sys.stderr)
        return 2
    if summary.groups:
        table = as_markdown if arguments.markdown else as_text
        print(table(HEADER, table_rows(summary.groups), left=LEFT))
    for line in summary.left_out:
        print(f"left out: {line}", file=sys.stderr)
    return 0 if summary.groups else 1


if __name__ == "__main__":
    sys.exit(main())
