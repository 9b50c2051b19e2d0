"""The log of a run: a table of metrics that a resumed run continues."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from tagger.files import written_whole

_ROWS_AT_ONCE = 100


class MetricsLog(Logger):
    """A CSV file with a column for each metric, in the order of their first appearance, and a row for each step.

    Lightning's own logger begins a new file when a run is resumed. Its first rows repeat the last ones of the old file.
    """

    def __init__(self, path: Path, *, kept: int | None = None) -> None:
        """
        Args:
            path: the file. It is not touched before something is logged.
            kept: number of rows in the file to keep; None for all.
        """
        super().__init__()
        self._path, self._kept = path, kept
        self._columns: list[str] = []
        self._pending: list[dict[str, Any]] = []
        self._written: int | None = None  # rows in the file; None until it is read

    @property
    def name(self) -> str:
        """The kind of log."""
        return "csv"

    @property
    def version(self) -> str:
        """Empty, as there is only one version."""
        return ""

    @property
    def rows(self) -> int:
        """Number of rows logged. Reading it writes all of them to the file."""
        self.save()
        return self._written or 0

    def log_hyperparams(self, *arguments: Any, **how: Any) -> None:
        """Do nothing. The hyperparameters are in the run's `config.yaml`."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        """Add a row of metrics, with their step."""
        row = {name: value.item() if isinstance(value, Tensor) else value for name, value in metrics.items()}
        self._pending.append({**row, "step": step})
        if len(self._pending) == _ROWS_AT_ONCE:
            self.save()

    @rank_zero_only
    def save(self) -> None:
        """Write the rows logged since the last call.

        Raises:
            UserError: the file cannot be written.
        """
        if self._written is None:
            self._take_over()
        rows, self._pending = self._pending, []
        columns = list(dict.fromkeys([*self._columns, *(name for row in rows for name in row)]))
        if columns != self._columns:
            self._rewrite(columns, [*self._read(), *rows])
        elif rows:
            with self._path.open("a", encoding="utf-8", newline="") as stream:
                csv.DictWriter(stream, columns, lineterminator="\n").writerows(rows)
        self._written = (self._written or 0) + len(rows)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Save the log. Lightning calls this at the end."""
        self.save()

    def _take_over(self) -> None:
        """Keep the rows to continue from. Drop those of steps that will be taken again."""
        rows = self._read()[: self._kept]
        self._written = len(rows)
        columns = list(dict.fromkeys(name for row in rows for name in row))
        if rows:
            self._rewrite(columns, rows)
        else:
            self._path.unlink(missing_ok=True)

    def _read(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        with self._path.open(encoding="utf-8", newline="") as stream:
            return [{name: value for name, value in row.items() if name} for row in csv.DictReader(stream)]

    def _rewrite(self, columns: list[str], rows: list[dict[str, Any]]) -> None:
        with written_whole(self._path) as stream:
            writer = csv.DictWriter(stream, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        self._columns = columns
