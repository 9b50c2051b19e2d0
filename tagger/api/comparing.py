"""`tagger.compare`: compare training runs by their reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from tagger.errors import UserError
from tagger.evaluation.comparison import Difference, System, SystemComparison
from tagger.evaluation.page.report_html import comparison_html
from tagger.evaluation.report_files import write_comparison


class RunComparison:
    """Systems with their scores, and their differences from the first. In a notebook it shows as a table.

    Attributes:
        without_report: folders of runs that were left out, as they have no report.
    """

    def __init__(self, found: SystemComparison, table: str, without_report: Sequence[str]) -> None:
        """Take a comparison with the table that is printed."""
        self._found, self._table = found, table
        self.without_report = list(without_report)

    @property
    def systems(self) -> Sequence[System]:
        """Each system with its runs, scores, mean and standard deviation. Scores are fractions of 1."""
        return self._found.comparison.systems

    @property
    def differences(self) -> Sequence[Difference]:
        """How far each system's score is from that of the first, with p of an approximate randomisation test."""
        return self._found.comparison.differences

    def show(self) -> None:
        """Print the table."""
        print(self._table)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of compare.json (docs/compare-schema.json)."""
        return self._found.comparison.as_dict()

    def to_html(self) -> str:
        """Return the comparison as one page that fetches nothing. Needs the extra `report`."""
        return comparison_html(self._found)

    def save(self, folder: str | Path) -> None:
        """Write compare.html, compare.json and compare.md into a folder."""
        write_comparison(Path(folder), self._found)

    def __repr__(self) -> str:
        return f"RunComparison({', '.join(f'{one.name}: {one.mean:.4f}' for one in self.systems)})"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self._table)}</pre>"


def compare(runs: Iterable[str | Path]) -> RunComparison:
    """Compare training runs on the same data. Runs that differ only in their seed are one system.

    Needs the extra `train`.

    >>> import tagger
    >>> for name, tag in ("a", "B-LOC"), ("b", "O"):
    ...     tagger.evaluate([["B-PER", "O", "B-LOC"]], [["B-PER", "O", tag]]).save(name)
    >>> tagger.compare(["a", "b"])
    RunComparison(a: 1.0000, b: 0.6667)

    Args:
        runs: folders of runs or reports, or patterns such as `runs/ablation-*`.

    Raises:
        UserError: there are fewer than two, one has no report, or they are not of the same data.
    """
    if isinstance(runs, str | Path) or not isinstance(runs, Iterable):
        raise UserError(f"compare: expected a list of folders, got a {type(runs).__name__}; give ['runs/a', 'runs/b']")
    from tagger.runs import compare_runs

    with_report, without = compare_runs.find_runs([str(run) for run in runs])
    found = compare_runs.compare_reports(with_report)
    return RunComparison(found, compare_runs.as_table(found.comparison), without)
