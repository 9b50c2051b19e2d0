"""The rounds: every task by every system, one after the other, each in a process of its own."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peers.exchange import read_lines, write_lines

from .material import Material, as_text
from .measuring import Failed, Measured, measure, over_rounds, percentile
from .systems import OURS, System, Workplace, task_command

_LATENCY_SENTENCES = 1000
_INPUTS = {  # what each task reads
    "pretokenised": "tokens.jsonl",
    "raw": "text.txt",
    "latency": "sentences.jsonl",
    "start": "sentence.txt",
}


@dataclass
class Figures:
    """What was measured of a system, a value for each round.

    Attributes:
        pretokenised, raw: tokens per second.
        latency, latency_p95: of a sentence, in milliseconds.
        start: seconds from the process's start to the first tagged sentence.
        peak: bytes of memory while a text file is tagged.
        score, raw_score: of the test split.
        failed: the tasks of which there are no more, and why.
    """

    pretokenised: list[float] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)
    latency_p95: list[float] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    raw_score: list[float] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Medians and ranges, by the names that the report has."""
        named = {
            "pretokenised_tokens_per_second": self.pretokenised,
            "raw_tokens_per_second": self.raw,
            "latency_ms": self.latency,
            "latency_p95_ms": self.latency_p95,
            "start_seconds": self.start,
            "peak_rss_mb": [peak / 1e6 for peak in self.peak],
            "test_score": self.score,
            "raw_test_score": self.raw_score,
        }
        return {name: over_rounds(values) if values else None for name, values in named.items()}


@dataclass(frozen=True)
class Contest:
    """Systems with their models, and the input.

    Attributes:
        systems: in the order of the tables.
        models: by their names.
        material: the input.
        place: where it lies and commands run.
    """

    systems: Sequence[System]
    models: Mapping[str, Path]
    material: Material
    place: Workplace

    @property
    def folder(self) -> Path:
        return self.place.work / "input"

    @property
    def tokens(self) -> Path:
        """The file of the input's tokens."""
        return self.folder / _INPUTS["pretokenised"]

    def prepare(self) -> None:
        """Write the input: all of it, and a thousand sentences of the test split for the latency."""
        self.material.write(self.folder / _INPUTS["pretokenised"], self.folder / _INPUTS["raw"])
        test = [sentence.tokens for sentence in self.material.test.sentences if sentence.tokens]
        write_lines(self.folder / _INPUTS["latency"], test[:_LATENCY_SENTENCES])
        (self.folder / _INPUTS["start"]).write_text(as_text(test[0])[0] + "\n", encoding="utf-8")

    def round(self, number: int, figures: Mapping[str, Figures]) -> None:
        """Measure once, adding to `figures`; a task that a system fails is left out from then on.

        Args:
            number: of the round, from 0.
            figures: by system.
        """
        for task, system in self.turns(number):
            if task not in figures[system.name].failed:
                self._turn(task, system, figures[system.name])

    def turns(self, number: int) -> Iterator[tuple[str, System]]:
        """Of a round: task after task, each by all systems, who take turns at being first."""
        shift = number % len(self.systems)
        return itertools.product(_INPUTS, [*self.systems[shift:], *self.systems[:shift]])

    def _turn(self, task: str, system: System, figures: Figures) -> None:
        source = self.folder / _INPUTS[task]
        output = self.place.work / "output" / system.name / source.with_suffix(".jsonl").name
        output.parent.mkdir(parents=True, exist_ok=True)
        output.unlink(missing_ok=True)
        try:
            model = self.models[system.model]
            command = task_command(system, task, model, self.place, source=source, output=output)
            variables = self.place.variables(ours=system.model == OURS)
            self._take(figures, task, measure(command, variables, log=output.with_name(f"{task}.log")), output)
        except Failed as error:
            figures.failed[task] = str(error)
        except (OSError, ValueError, KeyError, IndexError) as error:
            figures.failed[task] = f"what it gave is of no use: {error!r}"
        finally:
            output.unlink(missing_ok=True)

    def _take(self, figures: Figures, task: str, measured: Measured, output: Path) -> None:
        """Add what a task gave."""
        events = measured.events()
        if task == "pretokenised":
            figures.score.append(self.material.test_score(read_lines(output)))
            figures.pretokenised.append(self.material.tokens / events[0][1]["seconds"])
        elif task == "raw":
            score = self.material.test_score_of_text(read_lines(output))
            figures.raw_score += [] if score is None else [score]
            figures.raw.append(self.material.tokens / measured.seconds)
            figures.peak.append(measured.peak_bytes)
        elif task == "latency":
            each = [1000 * seconds for seconds in events[0][1]["each"]]
            figures.latency.append(statistics.median(each))
            figures.latency_p95.append(percentile(each, 0.95))
        else:
            figures.start.append(events[0][0])
