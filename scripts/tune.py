"""Search for settings of train.py that give the best dev score.

    python scripts/tune.py --study runs/tune-wnut --trials 40 data=wnut17 data.dir=PATH
    python scripts/tune.py --study runs/tune-wnut --trials 80 data=wnut17 data.dir=PATH     # goes on
    python scripts/tune.py --study runs/tune-wnut --trials 40 --show data=wnut17 data.dir=PATH

What is varied stands in conf/tune/ (--space), what all trials have in common on the command line, as for train.py.
Each trial is a run in a folder of its own, its values chosen by a tree-structured Parzen estimator (Bergstra et al.
2011); it is ended where, after an epoch, its dev score is below the median of the trials before. The same command goes
on where it was stopped, by Ctrl-C or otherwise; started several times at once, or with --workers, it shares the trials
out. A trial that fails is told of, and the others go on. At the end: the best trials, and the command line of the best.
Needs the extra `tune`.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tagger.errors import UserError, extra_needed

with extra_needed("tune", "tune.py"):
    from tagger.commands.search_space import check_space, read_space
    from tagger.commands.tuning import Study, Trial
    from tagger.runs.tables import as_markdown, as_text

_INTERRUPTED = 130
_SHOWN = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and search; 0, 1 where no trial ran to its end, 2 for wrong use, 130 after Ctrl-C."""
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = _parser().parse_intermixed_args(given)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        space = read_space(arguments.space)
        check_space(space, arguments.overrides)
        study = Study(arguments.study, space, arguments.overrides, prune=arguments.prune, seed=arguments.seed)
        if arguments.workers > 1 and not arguments.show:
            _run_workers(given, arguments.workers)
        elif not arguments.show:
            study.run(arguments.trials, _say)
    except UserError as error:
        _say(f"tune.py: {error}")
        return 2
    except KeyboardInterrupt:
        _say(f"tune.py: stopped; the same command goes on with {arguments.study}")
        return _INTERRUPTED
    if arguments.worker:
        return 0
    print(_FORMATS[arguments.format](study))
    return 0 if study.best() else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("overrides", nargs="*", metavar="KEY=VALUE", help="of train.py, for all trials: data and what is not varied")
    add("--study", required=True, type=Path, metavar="DIR", help="the study's folder, begun or gone on with")
    add("--space", default="default", metavar="NAME", help="of conf/tune/, or a file of that form; default: default")
    add("--trials", type=_count, default=30, metavar="N", help="until the study has so many; default: 30")
    add("--workers", type=_count, default=1, metavar="N", help="processes that share the trials; default: 1")
    add("--seed", type=int, default=1, metavar="N", help="of the search; that of training is seed=N; default: 1")
    add("--no-pruning", dest="prune", action="store_false", help="run each trial to its end")
    add("--show", action="store_true", help="run nothing, show what the study has")
    add("--format", choices=["text", "markdown", "json"], default="text", help="of what is printed; default: text")
    add("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _run_workers(given: Sequence[str], count: int) -> None:
    """This command in several processes, which end when the study has enough trials.

    Raises:
        KeyboardInterrupt: by Ctrl-C, which they have been told of.
        UserError: one of them failed.
    """
    command = [sys.executable, str(Path(__file__).resolve()), *given, "--workers", "1", "--worker"]
    workers = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]
    try:
        codes = [worker.wait() for worker in workers]
    except KeyboardInterrupt:
        for worker in workers:
            worker.send_signal(signal.SIGINT)
        for worker in workers:
            worker.wait()
        raise
    if any(codes):
        raise UserError("a worker failed; the same command goes on")


def _ranked(study: Study) -> list[Trial]:
    """The best first, those that were ended early after the others, those that failed last."""
    states = ("complete", "pruned", "failed")
    return sorted(study.trials(), key=lambda trial: (states.index(trial.state), -(trial.value or 0.0), trial.number))


def _table(study: Study) -> tuple[list[str], list[list[str]]]:
    ranked = _ranked(study)[:_SHOWN]
    names = list(ranked[0].settings) if ranked else []
    rows = [
        [
            str(trial.number),
            trial.state,
            "" if trial.value is None else f"{100 * trial.value:.1f}",
            str(trial.epochs),
            f"{trial.seconds:.0f}",
            *(_short(trial.settings.get(name)) for name in names),
        ]
        for trial in ranked
    ]
    return ["trial", "state", "dev", "epochs", "seconds", *names], rows


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _as_text(study: Study) -> str:
    header, rows = _table(study)
    return f"{as_text(header, rows, left=2)}\n\n{_summary(study)}"


def _as_markdown(study: Study) -> str:
    header, rows = _table(study)
    best = study.best()
    return f"{as_markdown(header, rows, left=2)}\n\n{_counts(study)}" + (
        f"\n\n```\n{study.command(best)}\n```" if best else ""
    )


def _as_json(study: Study) -> str:
    best = study.best()
    found = {
        "best": best and {**asdict(best), "command": study.command(best)},
        "trials": [asdict(trial) for trial in study.trials()],
    }
    return json.dumps(found, indent=2)


def _summary(study: Study) -> str:
    best = study.best()
    return _counts(study) + (f"\nbest:\n{study.command(best)}" if best else "")


def _counts(study: Study) -> str:
    states = [trial.state for trial in study.trials()]
    told = ", ".join(f"{states.count(state)} {state}" for state in ("complete", "pruned", "failed"))
    return f"{len(states)} trials: {told}"


_FORMATS = {"text": _as_text, "markdown": _as_markdown, "json": _as_json}

if __name__ == "__main__":
    sys.exit(main())
