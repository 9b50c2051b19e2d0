"""One run of the benchmark: data read, models trained, rounds run, all of it put into a report."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tagger.commands.hydra.hydra_entry import choices, compose
from tagger.corpus.dataset import DataConfig, load_splits
from tagger.corpus.schemes import Scheme
from tagger.errors import UserError

from . import training
from .floor import find_floor
from .material import Material, Tokens, gather, shuffled, siblings, tokens_of, unrepeated
from .measuring import Failed
from .report import Report
from .rounds import Contest, Figures
from .scaling import plot, scale
from .systems import OURS, PEER_SYSTEMS, SPACY, TRAINERS, Workplace, our_systems, versions_of
from .training import Lesson, Trained, model_bytes, trained

BUNDLED = "starter"


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much is measured.

    Attributes:
        tokens: of input.
        rounds: of it.
        seeds: how often each is trained, with another seed each time; the first model is the one that tags.
        training: seconds that a training may take; None for as many as it needs.
        seconds: no round is begun that would not end by then; None for no limit.
        scaling_tokens: of the longest input in `scaling`.
    """

    tokens: int
    rounds: int
    seeds: int
    training: float | None
    seconds: float | None
    scaling_tokens: int


@dataclass(frozen=True, kw_only=True)
class Data:
    """The data set that all are trained on.

    Attributes:
        folder: where it lies; None for the bundled one.
        preset: that reads it, with a domain where it has several: `crossner/politics`.
    """

    folder: Path | None
    preset: str

    @classmethod
    def of(cls, folder: Path | None, preset: str | None) -> Data:
        """What `--data` and `--preset` ask for.

        Raises:
            UserError: the folder is not there, or it is not known how it is to be read.
        """
        if folder is None:
            return cls(folder=None, preset=preset or BUNDLED)
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; give one with a data set, such as ../shared/data/wnut17")
        name = preset or folder.resolve().name
        if name.partition("/")[0] not in choices("data"):
            raise UserError(
                f"{folder}: no preset is called {name}; set --preset to one of {', '.join(choices('data'))}"
            )
        return cls(folder=folder, preset=name)

    @property
    def overrides(self) -> list[str]:
        """What names it on the command line of `train.py`."""
        name, _, domain = self.preset.partition("/")
        place = [f'data.dir="{self.folder.absolute()}"'] if self.folder else []
        return [f"data={name}", *([f"data.domain={domain}"] if domain else []), *place]


class Benchmark:
    """What a run measures, and the report of it, which holds what there is also where the run was broken off."""

    def __init__(
        self,
        data: Data,
        extent: Extent,
        place: Workplace,
        *,
        peers: Sequence[str],
        engines: Sequence[str] = (),
        settings: Sequence[str] = (),
        model: Path | None = None,
        again: bool = False,
    ) -> None:
        """
        Args:
            data: to train on and score by.
            extent: how much.
            place: where.
            peers: names of those beside this tagger.
            engines: of this tagger, beside its default.
            settings: overrides that it is trained with.
            model: a model folder of it to take instead of training one.
            again: train anew what was trained before.

        Raises:
            UserError: the data cannot be read.
        """
        self._began = time.monotonic()
        self._data, self._extent, self._place = data, extent, place
        self._own_model, self._again = model, again
        config = DataConfig.from_mapping(compose("train", data.overrides)["data"])
        self._lesson = Lesson(load_splits(config), data.overrides, settings, config.language or "")
        self._systems = [*our_systems(engines), *(system for peer in peers for system in PEER_SYSTEMS[peer])]
        self.failed = False
        plain = self._lesson.splits["test"].scheme is Scheme.PLAIN
        self.report = Report(
            settings={
                "threads": place.threads,
                "rounds": 0,
                "rounds_asked_for": extent.rounds,
                "seeds": extent.seeds,
            },
            data={"name": config.title, "tokens": 0},
            score_name="accuracy" if plain else "F1",
            rows=self._systems,
        )

    def compare(self) -> None:
        """Train and tag with all systems.

        Raises:
            UserError: no input can be made, or an environment cannot be.
        """
        material = self._material()
        models = self._models(dict.fromkeys(system.model for system in self._systems))
        taking_part = [system for system in self._systems if system.model in models]
        if taking_part:
            contest = Contest(taking_part, models, material, self._place)
            self._rounds(contest)
            if OURS in models:
                self._floor(models[OURS], contest.tokens)

    def scale(self, drawn: Path) -> None:
        """Measure this tagger on inputs of many sizes and draw a plot.

        Raises:
            UserError: there is no library to draw with, or the file cannot be written.
        """
        models = self._models([OURS])
        if OURS not in models:
            return
        most = self._extent.scaling_tokens
        sentences = shuffled(list(unrepeated(itertools.chain.from_iterable(self._pool().values()))))
        try:
            self.report.scaling = scale(sentences, models[OURS], self._place, most=most, say=_say)
        except Failed as error:
            self._leave_out(f"scaling: {error}")
            return
        plot(self.report.scaling, drawn)

    def _pool(self) -> dict[str, list[Tokens]]:
        """What input can be drawn from: sentences by data set."""
        own = {self.report.data["name"]: tokens_of(self._lesson.splits)}
        if self._data.folder is None:
            return own
        beside = self._data.folder.absolute().parent
        found, unread = siblings(beside, self._data.preset.partition("/")[0], self._lesson.language)
        self.report.notes += [line for line in unread if line not in self.report.notes]
        return {**own, **found}

    def _material(self) -> Material:
        found = gather(self._lesson.splits["test"], self._pool(), self._extent.tokens)
        of_input = {"tokens": found.tokens, "spliced_tokens": found.spliced, "sources": found.sources}
        self.report.data |= {**of_input, "sentences": len(found.sentences)}
        if found.spliced:
            self.report.notes.append(f"{found.spliced:,} tokens of the input stand in sentences made of halves of two")
        return found

    def _models(self, names: Sequence[str] | Mapping[str, None]) -> dict[str, Path]:
        """Train, or take what was trained before; put both into the report."""
        models = {} if self._own_model is None else {OURS: self._own_model}
        runs: dict[str, list[Trained]] = {}
        limit = self._extent.training
        for name in names:
            if name in models:
                continue
            draws = name not in TRAINERS or TRAINERS[name].draws
            try:
                runs[name] = [
                    trained(name, self._lesson, self._place, turn=turn, limit=limit, again=self._again)
                    for turn in range(self._extent.seeds if draws else 1)
                ]
            except Failed as error:
                self._leave_out(f"{name}: training: {error}")
                continue
            models[name] = runs[name][0].model
            if any(run.cut for run in runs[name]):
                self.report.notes.append(f"training of {name} was stopped after {limit:.0f} s, before its own end")
        goal = statistics.median(run.best for run in runs[SPACY]) if SPACY in runs else None
        for system in self._systems:
            if system.model in models and system.name not in self.report.systems:
                run = None if system.options else runs.get(system.model)
                self.report.systems[system.name] = {
                    "title": system.title,
                    "tuning": TRAINERS[system.model].tuning if system.model in TRAINERS else "its defaults",
                    "versions": versions_of(system.model),
                    "model_bytes": model_bytes(models[system.model]),
                    "training": run and training.figures(run, goal),
                }
        return models

    def _rounds(self, contest: Contest) -> None:
        contest.prepare()
        figures = {system.name: Figures() for system in contest.systems}
        asked = self._extent.rounds
        try:
            for number in range(asked):
                began = time.monotonic()
                contest.round(number, figures)
                self.report.settings["rounds"] = number + 1
                _say(f"round {number + 1} of {asked}: {time.monotonic() - began:.0f} s")
                if number + 1 < asked and self._is_time_up(time.monotonic() - began):
                    self.report.notes.append(f"of {asked} rounds {number + 1} were done: the time was up")
                    break
        finally:
            for system in contest.systems:
                self.report.systems[system.name] |= figures[system.name].summary()
                for task, reason in figures[system.name].failed.items():
                    self._leave_out(f"{system.title}: {task}: {reason}")

    def _is_time_up(self, seconds_for_more: float) -> bool:
        limit = self._extent.seconds
        return limit is not None and time.monotonic() - self._began + seconds_for_more > limit

    def _floor(self, model: Path, tokens: Path) -> None:
        speed = self.report.systems[OURS]["pretokenised_tokens_per_second"]
        try:
            self.report.floor = find_floor(model, tokens, self._place, speed and speed["median"])
        except Failed as error:
            self._leave_out(f"the floor: {error}")

    def _leave_out(self, line: str) -> None:
        self.failed = True
        self.report.left_out.append(line)
        _say(f"failed: {line}")


def _say(line: str) -> None:
    print(line, flush=True)
