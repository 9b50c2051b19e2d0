"""Format scores as a printed table and reports as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tagger.evaluation.comparison import Comparison
from tagger.evaluation.counting import PARTNER_RULE
from tagger.evaluation.entity_alignment import Kind
from tagger.evaluation.estimates import Estimate, Interval
from tagger.evaluation.report import Report
from tagger.evaluation.scores import Scores
from tagger.printable import in_markdown, visible_on_page

_HEADER = "| precision | recall | F1 | 95% | support |"
_RULE = "--:|--:|--:|--:|--:|"
_OTHERS = {"strict": "strict", "partial": "partial overlap", "type_only": "type only", "boundary_only": "boundary only"}


def as_table(scores: Scores) -> str:
    """Format scores like seqeval's table, with four decimals. The token accuracy follows, if there is one."""
    rows = [(visible_on_page(name), prf) for name, prf in scores.types.items()]
    averages = [("micro avg", scores.micro), ("macro avg", scores.macro)]
    width = max(len("weighted avg"), *(len(name) for name, _ in [*rows, *averages]))  # as wide as seqeval's
    lines = [_table_line("", ["precision", "recall", "f1-score", "support"], width)]
    for block in (rows, averages):
        lines.append("")
        for name, prf in block:
            numbers = [f"{value:.4f}" for value in (prf.precision, prf.recall, prf.f1)]
            lines.append(_table_line(name, [*numbers, prf.support], width))
    if scores.accuracy is not None:
        lines += ["", _table_line("accuracy", ["", "", f"{scores.accuracy:.4f}", scores.tokens], width)]
    return "\n".join(lines)


def as_markdown(report: Report) -> str:
    """Write the content of report.md: scores and error counts. report.json has all figures."""
    name, value, interval = report.headline.name, report.headline.value, report.headline.interval
    facts = {
        **report.scored,
        "95% interval": f"{_range(interval)}: {report.bootstrap.resamples:,} bootstrap resamples of "
        f"{report.bootstrap.units:,} {report.bootstrap.unit}, seed {report.bootstrap.seed}",
        "sentences": f"{report.sentences.count:,}",
        "tokens": f"{report.tokens.count:,}",
    }
    if report.tokens.accuracy is not None:
        facts["token accuracy"] = f"{report.tokens.accuracy:.4f} ({_range(report.tokens.interval)})"
    lines = [
        f"# {name[0].upper()}{name[1:]} {value:.4f} ({_range(interval)})",
        "",
        "| what was scored | |",
        "|---|---|",
        *(f"| {in_markdown(str(name))} | {in_markdown(str(value))} |" for name, value in facts.items()),
        "",
        *_scores(report),
        *_errors(report),
    ]
    if report.warnings:
        lines += ["", "## Warnings", "", *(f"- {in_markdown(warning)}" for warning in report.warnings)]
    return "\n".join(lines) + "\n"


def comparison_markdown(found: Comparison) -> str:
    """Write the content of compare.md."""
    lines = [f"# {found.score[0].upper()}{found.score[1:]} of {len(found.systems)} systems", ""]
    lines += ["| system | runs | mean | sd |", "|---|--:|--:|--:|"]
    for system in found.systems:
        sd = "" if system.sd is None else f"{system.sd:.4f}"
        lines.append(f"| {in_markdown(system.name)} | {len(system.runs)} | {system.mean:.4f} | {sd} |")
    if found.differences:
        lines += ["", f"Differences from {in_markdown(found.systems[0].name)}:", ""]
        lines += ["| system | difference | p | better | worse | other errors |", "|---|--:|--:|--:|--:|--:|"]
    for one in found.differences:
        counts = f"{one.better:,} | {one.worse:,} | {one.changed:,}"
        lines.append(f"| {in_markdown(one.second)} | {one.difference:+.4f} | {one.p:.4f} | {counts} |")
    method = f"{found.sentences:,} sentences; approximate randomisation, {found.swaps:,} swaps, seed {found.seed}."
    return "\n".join([*lines, "", method]) + "\n"


def _scores(report: Report) -> Iterator[str]:
    reading = report.main
    yield f"| {'type' if report.entities else 'tag'} {_HEADER}"
    yield f"|---|{_RULE}"
    for name, estimate in reading.types.items():
        yield _row(in_markdown(name), estimate)
    yield _row("**micro average**", reading.micro)
    if reading.macro is not None:
        yield _row("**macro average**", reading.macro)
    for key, name in _OTHERS.items():
        other = getattr(report, key)
        if other is not None:
            yield _row(f"*{name}*", other.micro)
    if report.surface is not None:
        yield _row("*surface forms*", report.surface)
    yield ""
    yield "All scores are fractions of 1; support counts the gold data."
    if report.partial is not None:
        yield PARTNER_RULE
    if any(estimate.support == 0 for estimate in reading.types.values()):
        yield "What has support 0 was predicted but is not in the gold data. The macro average counts it as 0."


def _errors(report: Report) -> Iterator[str]:
    kinds = {kind.value: kind.replace("_", " ") for kind in Kind}
    if not report.entities:
        kinds = {"correct": "correct", "wrong_type": "wrong"}
    yield from ("", "## Errors", "")
    yield f"| {'type' if report.entities else 'tag'} | gold | predicted | {' | '.join(kinds.values())} |"
    yield f"|---|{'--:|' * (len(kinds) + 2)}"
    rows = [(in_markdown(name), counts) for name, counts in report.errors.types.items()]
    for name, counts in [*rows, ("**all**", report.errors.all)]:
        cells = [counts.gold, counts.predicted, *(getattr(counts, kind) for kind in kinds)]
        yield f"| {name} | {' | '.join(f'{cell:,}' for cell in cells)} |"
    if report.illegal is not None:
        broken = "; ".join(
            f"{name} {side.sentences:,} ({side.places:,} places, {side.scheme})"
            for name, side in report.illegal.items()
        )
        yield from ("", f"Sentences whose tags break their scheme, as read: {broken}.")


def _row(name: str, estimate: Estimate) -> str:
    numbers = [estimate.precision, estimate.recall, estimate.f1]
    cells = [*(f"{number:.4f}" for number in numbers), _range(estimate.interval), str(estimate.support)]
    return f"| {name} | {' | '.join(cells)} |"


def _range(interval: Interval | None) -> str:
    return f"{interval.low:.4f}–{interval.high:.4f}" if interval else ""


def _table_line(name: str, cells: Sequence[str | int], width: int) -> str:
    return " ".join([f"{name:>{width}} ", *(f"{cell:>9}" for cell in cells)])
