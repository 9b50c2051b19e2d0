"""What an evaluation leaves behind: the printed table, report.json, report.md and predictions.conll."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from tagger.corpus.sentence import Sentence
from tagger.evaluation.scores import PRF, Scores
from tagger.files import written_whole

_MOST_LABELS_LISTED = 5
FORMAT = 1  # of report.json; raised when a key changes its meaning or goes away
# What parts columns or lines, for this package's readers or for Python's splitlines(), and NUL, which they refuse.
_SUBSTITUTES = str.maketrans("\0\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029", "␀␉␊␋␌␍␜␝␞␤␤␤")
_SURROGATES = re.compile("[\ud800-\udfff]")  # JSON can smuggle them in; UTF-8 cannot write them


@dataclass(frozen=True)
class Report:
    """Scores and what was scored.

    Attributes:
        scores: the scores.
        scored: what was scored in words, in the order to show it: model, data, split, predictions, input, …
        warnings: what a reader of the scores should know, a line each.
    """

    scores: Scores
    scored: Mapping[str, str | int | float] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """The content of report.json. All scores are fractions of 1; a score that does not apply is null."""
        scores = self.scores
        return {
            "format": FORMAT,
            "scored": dict(self.scored),
            "headline": {"name": scores.headline_name, "value": scores.headline},
            scores.kind: {
                "micro": asdict(scores.micro),
                "macro": asdict(scores.macro),
                "types": {name: asdict(prf) for name, prf in scores.types.items()},
            },
            "tokens": {"accuracy": scores.accuracy, "count": scores.tokens},
            "sentences": {"count": scores.sentences},
            "warnings": list(self.warnings),
        }

    def as_table(self) -> str:
        """The table that seqeval prints, four decimals; below it the token accuracy, where there is one."""
        rows = [(visible(name), prf) for name, prf in self.scores.types.items()]
        averages = [("micro avg", self.scores.micro), ("macro avg", self.scores.macro)]
        width = max(len("weighted avg"), *(len(name) for name, _ in [*rows, *averages]))  # as wide as seqeval's
        lines = [_table_line("", ["precision", "recall", "f1-score", "support"], width)]
        for block in (rows, averages):
            lines += ["", *(_table_line(name, _decimals(prf), width) for name, prf in block)]
        if self.scores.accuracy is not None:
            lines += ["", _table_line("accuracy", ["", "", f"{self.scores.accuracy:.4f}", self.scores.tokens], width)]
        return "\n".join(lines)

    def as_markdown(self) -> str:
        """The content of report.md."""
        scores = self.scores
        facts = {**self.scored, "sentences": f"{scores.sentences:,}", "tokens": f"{scores.tokens:,}"}
        if scores.accuracy is not None:
            facts["token accuracy"] = f"{scores.accuracy:.4f}"
        lines = [
            f"# {scores.headline_name[0].upper()}{scores.headline_name[1:]} {scores.headline:.4f}",
            "",
            "| what was scored | |",
            "|---|---|",
            *(f"| {_escaped(str(name))} | {_escaped(str(value))} |" for name, value in facts.items()),
            "",
            f"| {'type' if scores.kind == 'entities' else 'tag'} | precision | recall | F1 | support |",
            "|---|--:|--:|--:|--:|",
            *(_markdown_row(_escaped(name), prf) for name, prf in scores.types.items()),
            _markdown_row("**micro average**", scores.micro),
            _markdown_row("**macro average**", scores.macro),
            "",
            "All scores are fractions of 1; support counts the gold data.",
        ]
        if any(prf.support == 0 for prf in scores.types.values()):
            lines += ["What has support 0 was predicted but is not in the gold data; the macro average counts it as 0."]
        if self.warnings:
            lines += ["", "## Warnings", "", *(f"- {_escaped(warning)}" for warning in self.warnings)]
        return "\n".join(lines) + "\n"


def write_report(
    folder: Path, report: Report, sentences: Iterable[Sentence], predicted: Iterable[Sequence[str]]
) -> Report:
    """Write predictions.conll, report.json and report.md into `folder`, all three whole or none of them.

    Args:
        folder: made if missing.
        report: scores and what was scored.
        sentences: gold sentences, with tags.
        predicted: tags per sentence, as many as it has tokens.

    Returns:
        The report as written: with a warning more if tokens had to be changed in predictions.conll.

    Raises:
        UserError: a file cannot be written.
    """
    with ExitStack() as files:
        columns, data, page = (
            files.enter_context(written_whole(folder / name))
            for name in ("predictions.conll", "report.json", "report.md")
        )
        changed = write_predictions(columns, sentences, predicted)
        if changed:
            warning = (
                f"{changed:,} {'line' if changed == 1 else 'lines'} of predictions.conll hold a visible substitute "
                "(such as ␉ for a TAB, ␊ for a line end) for a character that a column file cannot hold; "
                "the scores are not touched"
            )
            report = replace(report, warnings=[*report.warnings, warning])
        data.write(_encodable(json.dumps(report.as_dict(), ensure_ascii=False, indent=2)) + "\n")
        page.write(_encodable(report.as_markdown()))
        for stream in (columns, data, page):
            stream.flush()  # what fails fails here, before the first file gets its name
    return report


def write_predictions(stream: IO[str], sentences: Iterable[Sentence], predicted: Iterable[Sequence[str]]) -> int:
    """Write token, gold tag and predicted tag, parted by TABs, a blank line after each sentence.

    Returns:
        In how many lines a character had to be replaced by a visible substitute (see `visible`).
    """
    changed = 0
    for sentence, tags in zip(sentences, predicted, strict=True):
        assert sentence.tags is not None
        for columns in zip(sentence.tokens, sentence.tags, tags, strict=True):
            shown = [visible(column) for column in columns]
            changed += any(before != after for before, after in zip(columns, shown, strict=True))
            stream.write("\t".join(shown) + "\n")
        if sentence.tokens:
            stream.write("\n")
    return changed


def unknown_label_warnings(gold: Mapping[str, int], known: Collection[str], where: str = "the gold data") -> list[str]:
    """A warning for each entity type (or plain tag) that the model cannot predict; one for all where there are many.

    Args:
        gold: how often each entity type (or plain tag) stands in the gold data.
        known: the entity types (or plain tags) of the model.
        where: what to call the gold data.
    """
    unknown = {name: times for name, times in gold.items() if times and name not in known}
    fate = "unknown to the model: counted as missed"
    if len(unknown) > _MOST_LABELS_LISTED:
        listed = ", ".join(sorted(unknown)[:_MOST_LABELS_LISTED])
        return [f"{len(unknown):,} labels ({listed}, …): in {where} {sum(unknown.values()):,} times, {fate}"]
    return [
        f"label {name}: in {where} {times:,} {'time' if times == 1 else 'times'}, {fate}"
        for name, times in unknown.items()
    ]


def visible(text: str) -> str:
    """`text` with what would break a line of columns replaced: TAB ␉, LF ␊, CR ␍ …, lone surrogates U+FFFD."""
    return _SURROGATES.sub("�", text.translate(_SUBSTITUTES))


def _decimals(prf: PRF) -> list[str]:
    return [f"{prf.precision:.4f}", f"{prf.recall:.4f}", f"{prf.f1:.4f}", str(prf.support)]


def _table_line(name: str, cells: Sequence[str | int], width: int) -> str:
    return " ".join([f"{name:>{width}} ", *(f"{cell:>9}" for cell in cells)])


def _markdown_row(name: str, prf: PRF) -> str:
    return f"| {' | '.join([name, *_decimals(prf)])} |"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, also in a table."""
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", html.escape(visible(text), quote=False))


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
