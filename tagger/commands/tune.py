"""Search for the training settings with the best dev score.

    python -m tagger tune --study runs/tune-wnut --trials 40 data=wnut17 data.dir=PATH
    python -m tagger tune --study runs/tune-wnut --trials 80 data=wnut17 data.dir=PATH     # continues
    python -m tagger tune --study runs/tune-wnut --trials 40 --show data=wnut17 data.dir=PATH

The settings to vary are in conf/tune/ (--space). What all trials have in common is given as to train.py. Each trial is
a run in a folder of its own, with values from a tree-structured Parzen estimator (Bergstra et al. 2011). It is pruned
if its dev score after an epoch is below the median of earlier trials. The same command continues after Ctrl-C or a
kill. Started several times at once, or with --workers, it shares the trials. A failed trial does not end the search. At
the end come the best trials and the command line of the best. Needs the extra `tune`.
"""

from __future__ import annotations

import json
import signal
import sys
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tagger.commands.main import command_parser, whole_number
from tagger.errors import UserError, extra_needed
from tagger.printable import in_a_line
from tagger.python_process import interrupt, start_python

with extra_needed("tune", "tagger tune"):
    from tagger.commands.search_space import check_space, read_space
    from tagger.commands.study import Study, Trial
    from tagger.runs.tables import as_markdown, as_text

_INTERRUPTED = 128 + 2
_ROWS = 10  # of the table of trials
_STATES = ("complete", "pruned", "failed")


def main(arguments: Sequence[str]) -> int:
    """Search; returns 0, 1 if no trial is complete, or 130 after Ctrl-C.

    Raises:
        UserError: an option or setting is wrong, or every trial failed.
    """
    given = _parser().parse_intermixed_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    space = read_space(given.space)
    check_space(space, given.overrides)
    study = Study(given.study, space, given.overrides, prune=given.prune, seed=given.seed)
    try:
        if given.workers > 1 and not given.show:
            _run_workers(arguments, given.workers)
        elif not given.show:
            study.run(given.trials, _say)
    except KeyboardInterrupt:
        _say(f"tagger tune: stopped; the same command continues {given.study}")
        return _INTERRUPTED
    if given.worker:
        return 0
    print(_FORMATS[given.format](study))
    return 0 if study.best() else 1


def _parser() -> ArgumentParser:
    parser = command_parser("tune", __doc__)
    add = parser.add_argument
    add("overrides", nargs="*", metavar="KEY=VALUE", help="of train.py, for all trials: data and what is not varied")
    add("--study", required=True, type=Path, metavar="DIR", help="the study's folder, new or to continue")
    add("--space", default="default", metavar="NAME", help="of conf/tune/, or a file of that form; default: default")
    add("--trials", type=whole_number, default=30, metavar="N", help="how many the study shall have; default: 30")
    add("--workers", type=whole_number, default=1, metavar="N", help="processes that share the trials; default: 1")
    add("--seed", type=int, default=1, metavar="N", help="of the search; that of training is seed=N; default: 1")
    add("--no-pruning", dest="prune", action="store_false", help="run each trial to its end")
    add("--show", action="store_true", help="run nothing, show what the study has")
    add("--format", choices=list(_FORMATS), default="text", help="of what is printed; default: text")
    add("--worker", action="store_true", help=SUPPRESS)
    return parser


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    print(in_a_line(line), file=sys.stderr, flush=True)


def _run_workers(arguments: Sequence[str], count: int) -> None:
    """Run this command in several processes, until the study has enough trials.

    Raises:
        KeyboardInterrupt: by Ctrl-C, which was passed on to them.
        UserError: one of them failed.
    """
    command = ["-m", "tagger", "tune", *arguments, "--workers", "1", "--worker"]
    workers = [start_python(command, start_new_session=True) for _ in range(count)]
    try:
        codes = [worker.wait() for worker in workers]
    except KeyboardInterrupt:
        for worker in workers:
            interrupt(worker)
        for worker in workers:
            worker.wait()
        raise
    if any(codes):
        raise UserError("a worker failed; the same command continues")


def _table(study: Study) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: the best complete trials first, then pruned ones, then failed ones."""
    ranked = sorted(
        study.trials(), key=lambda trial: (_STATES.index(trial.state), -(trial.value or 0.0), trial.number)
    )[:_ROWS]
    names = list(ranked[0].settings) if ranked else []
    rows = [_row(trial, names) for trial in ranked]
    return ["trial", "state", "dev", "epochs", "seconds", *names], rows


def _row(trial: Trial, names: Sequence[str]) -> list[str]:
    values = (trial.settings.get(name) for name in names)
    return [
        str(trial.number),
        trial.state,
        "" if trial.value is None else f"{100 * trial.value:.1f}",
        str(trial.epochs),
        f"{trial.seconds:.0f}",
        *(f"{value:.4g}" if isinstance(value, float) else str(value) for value in values),
    ]


def _as_text(study: Study) -> str:
    best = study.best()
    text = f"{as_text(*_table(study), left=2)}\n\n{_counts(study)}"
    return f"{text}\nbest:\n{study.command(best)}" if best else text


def _as_markdown(study: Study) -> str:
    best = study.best()
    text = f"{as_markdown(*_table(study), left=2)}\n\n{_counts(study)}"
    return f"{text}\n\n```\n{study.command(best)}\n```" if best else text


def _as_json(study: Study) -> str:
    best = study.best()
    content = {
        "best": best and {**asdict(best), "command": study.command(best)},
        "trials": [asdict(trial) for trial in study.trials()],
    }
    return json.dumps(content, indent=2)


def _counts(study: Study) -> str:
    states = [trial.state for trial in study.trials()]
    return f"{len(states)} trials: {', '.join(f'{states.count(state)} {state}' for state in _STATES)}"


_FORMATS = {"text": _as_text, "markdown": _as_markdown, "json": _as_json}
