"""What a benchmark found, as JSON and as tables."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from tagger.files import written_whole
from tagger.runs.tables import as_markdown, as_text

from .floor import told
from .systems import OURS, System

FORMAT = 3  # of the JSON; raised when a key changes its meaning or goes away


@dataclass
class Report:
    """The findings so far.

    Attributes:
        settings: the options that shape the figures.
        data: the input: its name, tokens and sources.
        score_name: of the test split's score.
        rows: the systems, in the order of the tables.
        systems: figures by system name.
        floor, scaling: where measured.
        notes: what a reader should know.
        left_out: what was to be measured and was not, and why.
    """

    settings: dict[str, Any]
    data: dict[str, Any]
    score_name: str
    rows: list[System]
    systems: dict[str, dict[str, Any]] = field(default_factory=dict)
    floor: dict[str, Any] | None = None
    scaling: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        """One object; figures of rounds and of trainings have `median`, `low`, `high` and `each`."""
        content = {
            "format": FORMAT,
            "date": date.today().isoformat(),
            "machine": machine(),
            "settings": self.settings,
            "data": self.data,
            "score": self.score_name,
            "systems": self.systems,
            "ratios": ratios(self.systems),
            "floor": self.floor,
            "scaling": self.scaling,
            "notes": self.notes,
            "left_out": self.left_out,
        }
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"

    def as_markdown(self) -> str:
        """Tables, ratios and notes."""
        tables = [as_markdown(*table, left=1) for table in (self._tagging(), self._training()) if table[1]]
        return "\n\n".join([self._machine_line(), *tables, *self._lists("- ")]) + "\n"

    def as_text(self) -> str:
        """The same for a terminal."""
        tables = [as_text(*table, left=1) for table in (self._tagging(), self._training()) if table[1]]
        return "\n\n".join([self._machine_line(), *tables, *self._lists("")]) + "\n"

    def write(self, as_json: Path | None, as_markdown: Path | None) -> None:
        """Write what is asked for.

        Raises:
            UserError: a file cannot be written.
        """
        for path, content in ((as_json, self.as_json), (as_markdown, self.as_markdown)):
            if path is not None:
                with written_whole(path) as stream:
                    stream.write(content())

    def _machine_line(self) -> str:
        found, threads, rounds = machine(), self.settings["threads"], self.settings["rounds"]
        parts = [
            f"{found['processor']}, {found['cores']} cores, {found['system']}, Python {found['python']}",
            "1 thread" if threads == 1 else f"{threads} threads",
        ]
        if rounds:
            parts.append(f"{self.data['tokens']:,} tokens of {self.data['name']} and others, no sentence twice")
            parts.append("1 round" if rounds == 1 else f"medians of {rounds} rounds (lowest to highest)")
        return "; ".join([*parts, date.today().isoformat()]) + "."

    def _tagging(self) -> tuple[list[str], list[list[str]]]:
        header = [
            *("system", "pre-tokenised, tokens/s", "text to JSONL, tokens/s", "latency, ms (p95)", "start, s"),
            *("peak RSS, MB", "model, MB", f"test {self.score_name}", "of text"),
        ]
        rows = []
        for system in self.rows:
            found = self.systems.get(system.name, {})
            if not found.get("pretokenised_tokens_per_second"):
                continue
            p95 = found["latency_p95_ms"]
            rows.append(
                [
                    system.title,
                    _ranged(found["pretokenised_tokens_per_second"], "{:,.0f}"),
                    _ranged(found["raw_tokens_per_second"], "{:,.0f}"),
                    _median(found["latency_ms"], "{:.2f}") + (f" ({p95['median']:.2f})" if p95 else ""),
                    _median(found["start_seconds"], "{:.2f}"),
                    _median(found["peak_rss_mb"], "{:.0f}"),
                    f"{found['model_bytes'] / 1e6:.1f}",
                    _points(found["test_score"]),
                    _points(found["raw_test_score"]),
                ]
            )
        return header, rows

    def _training(self) -> tuple[list[str], list[list[str]]]:
        header = [
            "training",
            "tokens/s",
            "s to spaCy's best dev",
            "s to its own best dev",
            f"dev {self.score_name}",
        ]
        rows = []
        for system in self.rows:
            found = self.systems.get(system.name, {}).get("training")
            if not found:
                continue
            rows.append(
                [
                    system.title,
                    _median(found["tokens_per_second"], "{:,.0f}"),
                    _reached(found["seconds_to_spacys_best"], len(found["curves"])),
                    _ranged(found["seconds_to_own_best"], "{:.0f}") + (", cut short" if found["cut_short"] else ""),
                    _points(found["best_dev"]),
                ]
            )
        return header, rows

    def _lists(self, mark: str) -> list[str]:
        told_ratios = [f"{mark}{name}: {value:.2f}" for name, value in ratios(self.systems).items()]
        of_floor = [f"{mark}{line}" for line in told(self.floor)] if self.floor else []
        notes = [f"{mark}{note}" for note in self.notes]
        missing = [f"{mark}left out: {line}" for line in self.left_out]
        return ["\n".join(lines) for lines in (told_ratios, of_floor, [*notes, *missing]) if lines]


def ratios(systems: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """The figures of this tagger's engines over those of other systems: speeds as multiples, training times as shares.

    Only those that both have; training times are the seconds from start to one's own best dev score.
    """
    found: dict[str, float] = {}
    for side, ours in systems.items():
        own, _, variant = side.partition("_")
        if own != OURS:
            continue
        for name, theirs in systems.items():
            if name.partition("_")[0] != OURS:
                found |= {f"{key}_vs_{name}": ratio for key, ratio in _ratios(ours, theirs, variant)}
    return found


def _ratios(ours: Mapping[str, Any], theirs: Mapping[str, Any], variant: str) -> Iterator[tuple[str, float]]:
    for key in ("pretokenised", "raw"):
        pair = [side.get(f"{key}_tokens_per_second") for side in (ours, theirs)]
        if all(pair):
            yield "_".join(filter(None, (key, variant))), round(pair[0]["median"] / pair[1]["median"], 3)
    times = [(side.get("training") or {}).get("seconds_to_own_best") for side in (ours, theirs)]
    if all(times):
        yield "train_seconds", round(times[0]["median"] / times[1]["median"], 3)


def machine() -> dict[str, Any]:
    """What the figures hold for."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name as the system has it."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, named), platform.processor() or platform.machine())


def _ranged(found: Mapping[str, Any] | None, form: str) -> str:
    if not found:
        return ""
    if len(found["each"]) == 1:
        return form.format(found["median"])
    return f"{form.format(found['median'])} ({form.format(found['low'])} to {form.format(found['high'])})"


def _reached(found: Mapping[str, Any] | None, runs: int) -> str:
    """The seconds until runs got somewhere; of fewer than all, how many did."""
    if not found:
        return "not reached"
    got = len(found["each"])
    return _ranged(found, "{:.0f}") + (f" in {got} of {runs}" if got < runs else "")


def _median(found: Mapping[str, Any] | None, form: str) -> str:
    return form.format(found["median"]) if found else ""


def _points(found: Mapping[str, Any] | None) -> str:
    return f"{100 * found['median']:.1f}" if found else ""
