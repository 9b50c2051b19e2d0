"""Print the mean and standard deviation of scores over the seeds of runs.

    python train.py -m seed=1,2,3 run_dir=runs/wnut-seeds data=wnut17 data.dir=PATH
    python -m tagger summarise runs/wnut-seeds

Runs that differ only in seed and folder form one row. Runs of different data never do. The table has scores in points
of 100 (± the sample standard deviation), the mean training time, and the model's size. `--json` writes one row per
group with the scores of every run, the form of the experiment log in `docs/experiments/`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tagger.commands.main import command_parser
from tagger.errors import extra_needed
from tagger.printable import in_a_line

with extra_needed("train", "tagger summarise"):
    from tagger.runs.summary import HEADER, LEFT, summarise, table_rows, write_rows
    from tagger.runs.tables import as_latex, as_markdown, as_text


def main(arguments: Sequence[str]) -> int:
    """Summarise runs; returns 0, or 1 if no run is finished.

    Raises:
        UserError: a folder holds no run, a run's files are damaged, or the JSON file cannot be written.
    """
    parser = command_parser("summarise", __doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUNS", help="folders of runs, or of multiruns")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print a Markdown table")
    form.add_argument("--latex", action="store_true", help="print a LaTeX table, which needs the package booktabs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write one row of JSON per group")
    given = parser.parse_args(arguments)
    summary = summarise(given.runs)
    if given.json:
        write_rows(given.json, [group.as_row() for group in summary.groups], left_out=summary.left_out)
    if summary.groups:
        table = as_latex if given.latex else as_markdown if given.markdown else as_text
        print(table(HEADER, table_rows(summary.groups), left=LEFT))
    for line in summary.left_out:
        print(in_a_line(f"left out: {line}"), file=sys.stderr)
    return 0 if summary.groups else 1
