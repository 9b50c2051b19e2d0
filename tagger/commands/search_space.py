"""Search spaces: the settings of train.py to vary, and their bounds."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from tagger.commands.hydra import hydra_entry
from tagger.commands.hydra.overrides import shown
from tagger.errors import UserError
from tagger.files import shipped_folder
from tagger.printable import in_a_line
from tagger.renamed_settings import warnings_of

Value = int | float | str | bool | None
_KEYS = ("low", "high", "log", "step", "choices")


@dataclass(frozen=True)
class Dimension:
    """A setting and its possible values: one of the choices, or a number if there are no choices."""

    name: str  # dotted, as on the command line
    choices: tuple[Value, ...] = ()
    low: int | float = 0  # bounds, both included; the values are whole numbers if the bounds are
    high: int | float = 0
    log: bool = False  # give each order of magnitude the same chance
    step: int | float | None = None  # distance between values, from `low` up

    def suggest(self, trial: Any) -> Value:
        """Let a trial of Optuna choose a value."""
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        if isinstance(self.low, int) and isinstance(self.high, int) and not isinstance(self.step, float):
            return trial.suggest_int(self.name, self.low, self.high, step=self.step or 1, log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.log)

    def ends(self) -> tuple[Value, Value]:
        """Return the first and last possible value."""
        return (self.choices[0], self.choices[-1]) if self.choices else (self.low, self.high)


def read_space(space: str) -> list[Dimension]:
    """Read a search space by its name in `conf/tune/`, or from a file.

    Raises:
        UserError: there is none, or it has not the form that `conf/tune/default.yaml` explains.
    """
    known = hydra_entry.choices("tune")
    if space not in known and not Path(space).is_file():
        raise UserError(f"--space {space}: no such file, and no such space; there are {', '.join(known)}")
    path = shipped_folder("conf") / "tune" / f"{space}.yaml" if space in known else Path(space)
    entries = hydra_entry.read_yaml(path)
    if not entries:
        raise UserError(f"{path}: empty; name at least one setting")
    for warning in warnings_of(entries):
        print(in_a_line(warning), file=sys.stderr)
    return [_dimension(name, entry, f"{path}: {name}") for name, entry in entries.items()]


def check_space(space: Sequence[Dimension], overrides: Sequence[str]) -> None:
    """Check that train.py accepts the settings, with these other overrides.

    Raises:
        UserError: it does not.
    """
    for end in (0, 1):
        hydra_entry.compose("train", [*overrides, *as_overrides({entry.name: entry.ends()[end] for entry in space})])


def as_overrides(values: Mapping[str, Value]) -> list[str]:
    """Write settings as overrides for train.py, numbers to six digits."""
    written = {name: f"{value:.6g}" if isinstance(value, float) else shown(value) for name, value in values.items()}
    return [f"{name}={value}" for name, value in written.items()]


def _dimension(name: str, entry: Any, where: str) -> Dimension:
    if not isinstance(entry, Mapping) or not entry.keys() <= {*_KEYS}:
        raise UserError(f"{where}: expected low and high, or choices; {', '.join(_KEYS)} are known, got {entry!r}")
    if "choices" in entry:
        choices = entry["choices"]
        simple = isinstance(choices, list) and all(isinstance(c, int | float | str | None) for c in choices)
        if len(entry) > 1 or not simple or not choices:
            raise UserError(f"{where}: choices are a list of numbers, texts or null, and stand alone; got {entry!r}")
        return Dimension(name, choices=tuple(choices))
    low, high, step, log = entry.get("low"), entry.get("high"), entry.get("step"), entry.get("log", False)
    if not _number(low) or not _number(high) or not low < high:
        raise UserError(f"{where}: low and high are numbers, the first the smaller; got {entry!r}")
    if not isinstance(log, bool) or (log and (low <= 0 or step is not None)):
        raise UserError(
            f"{where}: log is true or false, and if true, low is above 0 and there is no step; got {entry!r}"
        )
    if step is not None and not (_number(step) and 0 < step <= high - low):
        raise UserError(f"{where}: step is a number above 0 and no larger than from low to high; got {entry!r}")
    return Dimension(name, low=low, high=high, log=log, step=step)


def _number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
