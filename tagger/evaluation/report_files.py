"""Write the files of an evaluation: report.json, report.md, report.html and predictions.conll; or compare.*.

gates.json holds the figures of explained sentences, if there are any.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.evaluation.assessment import Assessment
from tagger.evaluation.comparison import SystemComparison
from tagger.evaluation.markdown import as_markdown, comparison_markdown
from tagger.evaluation.page.report_html import GateExplanations, comparison_html, report_html
from tagger.evaluation.prediction_files import read_three_columns
from tagger.evaluation.report import Report
from tagger.files import written_whole
from tagger.printable import encodable, visible

PREDICTIONS, DATA, MARKDOWN, PAGE = "predictions.conll", "report.json", "report.md", "report.html"
GATES = "gates.json"


def write_report(folder: Path, found: Assessment, inside: GateExplanations | None = None) -> Report:
    """Write predictions.conll, report.json, report.md and report.html into `folder`: all of them or none.

    Without the extra `report` no page is written and an older one is removed. The report then has a warning. Without
    explained sentences (`inside`) an older gates.json is removed.

    Returns:
        The report as written. It has another warning if characters were replaced in predictions.conll.

    Raises:
        UserError: a file cannot be written.
    """
    with ExitStack() as files:
        columns = files.enter_context(written_whole(folder / PREDICTIONS))
        changed = write_predictions(columns, found.sentences, found.predicted)
        report = found.report
        if changed:
            report = _warned(
                report,
                f"{changed:,} {'line' if changed == 1 else 'lines'} of {PREDICTIONS} hold a visible substitute "
                "(such as ␉ for a TAB, ␊ for a line end) for a character that a column file cannot hold; "
                "the scores are not affected",
            )
        try:
            page = report_html(replace(found, report=report), inside)
        except UserError as error:
            page, report = None, _warned(report, f"{PAGE} was not written: {error}")
        gates = json.dumps(inside.data, ensure_ascii=False) if inside else None
        _write(files, folder, {DATA: _json(report.as_dict()), MARKDOWN: as_markdown(report), GATES: gates, PAGE: page})
        columns.flush()
    return report


def remove_report(folder: Path) -> None:
    """Remove the files of an earlier report, if any.

    Raises:
        UserError: a file cannot be removed.
    """
    try:
        for name in (PREDICTIONS, DATA, MARKDOWN, PAGE, GATES):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot remove the earlier report: {error.strerror or error}") from error


def holds_other_sentences(folder: Path, sentences: Sequence[Sentence]) -> bool:
    """Return whether a folder holds a report of other sentences, or one that cannot be read."""
    path = folder / PREDICTIONS
    if not path.exists():
        return False
    try:
        kept = read_three_columns(path).sentences
    except UserError:
        return True
    return [one.tokens for one in kept] != [one.tokens for one in sentences if one.tokens]


def write_comparison(folder: Path, contest: SystemComparison) -> str | None:
    """Write compare.json, compare.md and compare.html into `folder`: all of them or none.

    Returns:
        The reason why the page is missing, or None if it was written.

    Raises:
        UserError: a file cannot be written.
    """
    found, reason = contest.comparison, None
    try:
        page = comparison_html(contest)
    except UserError as error:
        page, reason = None, f"compare.html was not written: {error}"
    with ExitStack() as files:
        contents = {"compare.json": _json(found.as_dict()), "compare.md": comparison_markdown(found)}
        _write(files, folder, {**contents, "compare.html": page})
    return reason


def _write(files: ExitStack, folder: Path, contents: Mapping[str, str | None]) -> None:
    """Write files that get their names when the stack closes. Files without content are removed."""
    for name, content in contents.items():
        if content is None:
            files.callback((folder / name).unlink, missing_ok=True)
            continue
        stream = files.enter_context(written_whole(folder / name))
        stream.write(encodable(content))
        stream.flush()  # so that an error comes before the first file gets its name


def report_page(folder: Path) -> Path:
    """Return the file to open: the page, or report.md without one."""
    return folder / (PAGE if (folder / PAGE).exists() else MARKDOWN)


def write_predictions(stream: IO[str], sentences: Iterable[Sentence], predicted: Iterable[Sequence[str]]) -> int:
    """Write token, gold tag and predicted tag, separated by TABs, with a blank line after each sentence.

    Returns:
        The number of lines in which `visible` replaced a character.
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


def _warned(report: Report, warning: str) -> Report:
    return replace(report, warnings=[*report.warnings, warning])


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"
