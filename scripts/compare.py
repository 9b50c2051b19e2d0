"""Train other taggers on the same splits, and print them in one table with this tagger's runs.

    python scripts/compare.py --data ../shared/data --runs runs/compare --train --json docs/experiments/peers.json

CRFsuite and spaCy are trained in an environment of their own, made in `--env` on first use. They read what this
project's readers make of each data set. This project's scorer compares their predictions with the tags as read. The
tuning of each peer is listed below the table. Results are kept in `--work`, one file for each peer and data set, so an
interrupted comparison continues where it stopped. They are made again if data, versions or tuning have changed. This
tagger's scores come from finished runs below `--runs` on the same data: mean and standard deviation over their seeds.
`--train` trains those that are missing.

    python scripts/compare.py --ready --data ../shared/data --json docs/experiments/ready.json

compares models as they are, without training: `en-ner`, the models of `--model`, and spaCy's `en_core_web_sm`. They tag
the test split of each set in `conf/data/en_ner.yaml`. F1 is that of people, places and organisations. The table also
says from which splits of the same set `en-ner` has learnt. spaCy's model has learnt from none of them.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tagger.errors import UserError, extra_needed
from tagger.printable import in_a_line

with extra_needed("train", "compare.py"):
    from peers.contest import PEERS, PeerError, examine, make_environment, thread_limits
    from peers.ready_contest import (
        LABELS,
        PRESET,
        TITLE,
        TYPES,
        ScoredSet,
        fetch_model,
        scores_on,
        sets_of_mix,
        tags_of_model,
        tags_of_spacy,
    )

    from tagger.commands.hydra.hydra_entry import compose
    from tagger.corpus.dataset import DataConfig, Split, data_digest, load_splits
    from tagger.evaluation.scores import Scores
    from tagger.model_folder.named import DEFAULT, ready_models
    from tagger.predict import load
    from tagger.runs.record import NAME as RECORD
    from tagger.runs.summary import Group, in_points, spread, summarise, write_rows
    from tagger.runs.tables import as_markdown, as_text

ROOT = Path(__file__).resolve().parent.parent
SETS = (
    *("wnut17", "starter", "crossner/politics", "wikigold", "ud_ug_udt", "btc", "ncbi_disease", "bc5cdr"),
    *("uner_sk_snk", "uner_zh_gsdsimp", "snips", "ud_en_ewt_pos"),
)
BUNDLED = "starter"
THIS = "this tagger"


def data_overrides(name: str, folder: Path) -> list[str]:
    """`wnut17`, or `crossner/politics` with a domain, as overrides for its data below `folder`."""
    preset, _, domain = name.partition("/")
    place = [] if preset == BUNDLED else [f'data.dir="{folder / preset}"']
    return [f"data={preset}", *([f"data.domain={domain}"] if domain else []), *place]


def read_sets(names: Sequence[str], folder: Path) -> dict[str, tuple[DataConfig, dict[str, Split]]]:
    """Settings and splits of each data set.

    Raises:
        UserError: one cannot be read.
    """
    configs = {name: DataConfig.from_mapping(compose("train", data_overrides(name, folder))["data"]) for name in names}
    return {name: (config, load_splits(config)) for name, config in configs.items()}


def train_missing(names: Sequence[str], arguments: argparse.Namespace) -> list[str]:
    """Train this tagger on each set with each seed, but where that run is finished; returns a line for each failure."""
    settings = re.sub(r"[^\w.+-]+", "-", "_".join(arguments.override)) or "default"
    failures = []
    for name in names:
        for seed in arguments.seeds:
            run_dir = arguments.runs[0] / name.replace("/", "_") / settings / f"seed{seed}"
            if (run_dir / RECORD).exists():
                continue
            begun = ["resume=true"] if (run_dir / "checkpoints").exists() else []
            own = [f"seed={seed}", f'run_dir="{run_dir}"', "latest=null", *arguments.override, *begun]
            command = [sys.executable, str(ROOT / "train.py"), *data_overrides(name, arguments.data), *own]
            print(in_a_line(f"training: {name}, {settings}, seed {seed}"), flush=True)
            done = subprocess.run(command, env={**os.environ, **thread_limits(arguments.threads)})
            if done.returncode:
                failures.append(f"{THIS} on {name}, {settings}, seed {seed}: exit code {done.returncode}")
    return failures


def run_peers(sets: Mapping[str, tuple[DataConfig, dict[str, Split]]], arguments: argparse.Namespace) -> dict[str, Any]:
    """The results of each peer, by peer and set; `{"failed": reason}` where it gave none."""
    results: dict[str, Any] = {peer: {} for peer in arguments.peers}
    python = make_environment(arguments.env) if arguments.peers else Path()
    for peer in arguments.peers:
        for name, (data, splits) in sets.items():
            where = {"python": python, "work": arguments.work, "threads": arguments.threads}
            try:
                result = examine(PEERS[peer], name, splits, language=data.language or "", **where)
                scores = ", ".join(f"{split} {_headline(result[split])[1]:.4f}" for split in ("dev", "test"))
                print(in_a_line(f"{peer} on {name}: {scores}"), flush=True)
            except PeerError as error:
                result = {"failed": str(error)}
                print(in_a_line(f"{peer} on {name} failed: {error}"), flush=True)
            results[peer][name] = result
    return results


def on_these_sets(groups: Sequence[Group], digests: Mapping[str, str]) -> tuple[list[Group], list[str]]:
    """The groups of runs on the data sets compared, and a line for each on a set's namesake with other data.

    Args:
        groups: of this tagger's runs.
        digests: of each set's data, by its name.
    """
    same = [group for group in groups if digests.get(group.data) == group.data_sha256]
    others = [group for group in groups if group.data in digests and group not in same]
    return same, [f"{run.folder}: its {run.data} are other data" for group in others for run in group.runs]


def table(
    names: Sequence[str], results: Mapping[str, Any], groups: Sequence[Group], *, markdown: bool
) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a column for each peer and for each setting of this tagger, scores in points of 100.

    Args:
        names: of the sets, a row each.
        results: of the peers, by peer and set.
        groups: this tagger's runs on these sets.
        markdown: print the best of a row bold.
    """
    ours = {(group.data, group.overrides): group.as_row()["test"] for group in groups}
    settings = sorted({overrides for _, overrides in ours}, key=lambda overrides: (len(overrides), overrides))
    rows = []
    for name in names:
        theirs = [_spread_headline(found[name].get("test")) for found in results.values()]
        cells = [*theirs, *(_headline(ours[name, own]) if (name, own) in ours else None for own in settings)]
        best = max((score["mean"] for _, score in filter(None, cells)), default=None)
        shown = ["" if cell is None else in_points(cell[1]) for cell in cells]
        if markdown:
            marks = ["**" if cell and cell[1]["mean"] == best else "" for cell in cells]
            shown = [f"{mark}{text}{mark}" for mark, text in zip(marks, shown, strict=True)]
        rows.append([name, next((called for called, _ in filter(None, cells)), ""), *shown])
    titles = [*(PEERS[peer].title for peer in results), *(" ".join((THIS, *overrides)) for overrides in settings)]
    return ["data", "score", *titles], rows


def _headline(scores: Mapping[str, Any]) -> tuple[str, Any]:
    """Name and value of the first score: micro F1, or accuracy."""
    return next(iter(scores.items()))


def _spread_headline(scores: Mapping[str, float] | None) -> tuple[str, dict[str, Any]] | None:
    if scores is None:
        return None
    name, value = _headline(scores)
    return name, spread([value])


def json_rows(digests: Mapping[str, str], results: Mapping[str, Any], groups: Sequence[Group]) -> list[dict[str, Any]]:
    """A row for each set: what each peer gave, and the rows of this tagger's groups of runs."""
    told_once = ("set", "peer", "data_sha256", "requirements", "tuning")
    return [
        {
            "data": name,
            "data_sha256": digest,
            **{
                peer: {key: value for key, value in found[name].items() if key not in told_once}
                for peer, found in results.items()
            },
            "tagger": [group.as_row() for group in groups if group.data == name],
        }
        for name, digest in digests.items()
    ]


def run_ready(arguments: argparse.Namespace) -> int:
    """Compare ready models on the sets of their mix; 0, or 1 where spaCy failed.

    Raises:
        UserError: data or a model cannot be read, or the environment cannot be made.
    """
    sets = sets_of_mix(arguments.data)
    names = [*([] if arguments.model and DEFAULT not in ready_models() else [DEFAULT]), *arguments.model]
    models = {name: load(name) for name in names}
    found: dict[str, dict[str, Scores]] = {
        name: {one.name: scores_on(one, tags_of_model(tagger, name, one)) for one in sets}
        for name, tagger in models.items()
    }
    python = make_environment(arguments.env)
    peer = {"python": python, "model": fetch_model(python, arguments.env), "work": arguments.work}
    theirs, failures = {}, []
    for one in sets:
        try:
            theirs[one.name] = scores_on(one, tags_of_spacy(one, **peer, threads=arguments.threads))
        except PeerError as error:
            failures.append(f"{TITLE} on {one.name}: {error}")
    found = {TITLE: theirs, **found}
    header, rows = ready_table(sets, found, markdown=arguments.markdown)
    print("\n" + (as_markdown if arguments.markdown else as_text)(header, rows, left=2) + "\n")
    types = ", ".join(f"{old} as {new}" for old, new in TYPES.items())
    print(f"- F1 of {', '.join(LABELS)}, in points. {TITLE}: {types}; other types are left out.")
    print(f"- {DEFAULT} has learnt from those splits of each set (conf/data/{PRESET}.yaml), and was chosen by the dev "
        f"splits. {TITLE} has learnt from OntoNotes 5.")  # fmt: skip
    for line in failures:
        print(in_a_line(f"left out: {line}"), file=sys.stderr)
    if arguments.json:
        write_rows(arguments.json, ready_rows(sets, found), labels=LABELS, types=TYPES, left_out=failures)
    return 1 if failures else 0


def ready_table(
    sets: Sequence[ScoredSet], found: Mapping[str, Mapping[str, Scores]], *, markdown: bool
) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a row for each set, and a column for each model, in points of 100. See `table`."""
    rows = []
    for one in sets:
        cells = [scores.get(one.name) for scores in found.values()]
        best = max((cell.micro.f1 for cell in cells if cell is not None), default=None)
        shown = []
        for cell in cells:
            mark = "**" if markdown and cell is not None and cell.micro.f1 == best else ""
            shown.append("" if cell is None else f"{mark}{100 * cell.micro.f1:.1f}{mark}")
        entities = next((f"{cell.micro.support:,}" for cell in cells if cell is not None), "")
        rows.append([one.name, one.learnt, entities, *shown])
    return ["data", f"{DEFAULT} has learnt from", "entities", *found], rows


def ready_rows(sets: Sequence[ScoredSet], found: Mapping[str, Mapping[str, Scores]]) -> list[dict[str, Any]]:
    """A row for each set: F1 of each model, micro and by label, as fractions of 1."""
    return [
        {
            "data": one.name,
            "tokens_sha256": one.digest(),
            "learnt": one.learnt,
            "f1": {
                name: {"micro": scores[one.name].micro.f1, **{k: v.f1 for k, v in scores[one.name].types.items()}}
                for name, scores in found.items()
                if one.name in scores
            },
        }
        for one in sets
    ]


def run(arguments: argparse.Namespace) -> int:
    """Compare as the command line asks; 0, or 1 where a peer or a run failed.

    Raises:
        UserError: data cannot be read, the environment cannot be made, or a folder of runs is not there.
    """
    sets = read_sets(arguments.sets, arguments.data)
    digests = {name: data_digest(splits) for name, (_, splits) in sets.items()}
    failures = train_missing(arguments.sets, arguments) if arguments.train else []
    results = run_peers(sets, arguments)
    failures += [
        f"{PEERS[peer].title} on {name}: {result['failed']}"
        for peer, found in results.items()
        for name, result in found.items()
        if "failed" in result
    ]
    summary = summarise([folder for folder in arguments.runs if folder.is_dir() or not arguments.train])
    groups, strangers = on_these_sets(summary.groups, digests)
    left_out = [*failures, *summary.left_out, *strangers]
    header, rows = table(arguments.sets, results, groups, markdown=arguments.markdown)
    print("\n" + (as_markdown if arguments.markdown else as_text)(header, rows, left=2) + "\n")
    for peer in map(PEERS.__getitem__, results):
        print(f"- {peer.title} ({', '.join(peer.requirements)}): {peer.tuning}.")
    for line in left_out:
        print(in_a_line(f"left out: {line}"), file=sys.stderr)
    if arguments.json:
        peers = {peer: {"requirements": PEERS[peer].requirements, "tuning": PEERS[peer].tuning} for peer in results}
        write_rows(arguments.json, json_rows(digests, results, groups), peers=peers, left_out=left_out)
    return 1 if failures else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    data = Path(os.environ.get("TAGGER_DATA") or ROOT.parent / "shared" / "data")
    add = found.add_argument
    add(
        "--sets",
        nargs="+",
        default=SETS,
        metavar="SET",
        help=f"data sets: presets, PRESET/DOMAIN (default: {' '.join(SETS)})",
    )
    add("--peers", nargs="*", default=[*PEERS], choices=[*PEERS], help="those to compare with (default: all)")
    add(
        "--data", type=Path, default=data, metavar="DIR", help="holds a folder for each data set (default: %(default)s)"
    )
    add(
        "--env",
        type=Path,
        default=Path("runs/.peers"),
        metavar="DIR",
        help="the peers' environment (default: %(default)s)",
    )
    add(
        "--work",
        type=Path,
        default=Path("runs/peers"),
        metavar="DIR",
        help="their files and results (default: %(default)s)",
    )
    add("--threads", type=int, default=1, help="of each peer's libraries, and in training (default: 1)")
    add("--runs", type=Path, nargs="*", default=[], metavar="DIR", help="folders of this tagger's runs")
    add("--train", action="store_true", help="train runs that are missing, into the first folder of --runs")
    add("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="N", help="with --train (default: 1 2 3)")
    add("--override", nargs="+", default=[], metavar="KEY=VALUE", help="with --train: settings other than the defaults")
    add("--ready", action="store_true", help=f"compare {DEFAULT} with spaCy's en_core_web_sm, without training")
    add("--model", nargs="+", default=[], metavar="MODEL", help=f"with --ready: further models, beside {DEFAULT}")
    add("--markdown", action="store_true", help="print a Markdown table")
    add("--json", type=Path, metavar="FILE", help="write the rows as JSON, too")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and compare; 0, 1 where a peer or a run failed, 2 for wrong use, 130 after Ctrl-C."""
    asked = parser()
    arguments = asked.parse_args(argv)
    if arguments.model and not arguments.ready:
        asked.error("--model: only with --ready; runs are given by --runs")
    if arguments.train and not arguments.runs:
        arguments.runs = [Path("runs/compare")]
    try:
        return run_ready(arguments) if arguments.ready else run(arguments)
    except UserError as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("compare.py: stopped by Ctrl-C; the same command goes on from here", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
