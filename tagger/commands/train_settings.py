"""The settings of a training run: read from the composed configuration, and checked before data are read."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagger.commands.hydra import hydra_entry
from tagger.commands.hydra.overrides import repeatable
from tagger.commands.model_settings import complete_model, with_model_of_start, with_shape_of_language_model
from tagger.config import ModelConfig, StaticEmbedding, TransformerEmbedding
from tagger.config_parsing import from_mapping
from tagger.corpus.dataset import DataConfig
from tagger.corpus.tokenizers import get_tokenizer
from tagger.distillation.config import DistillConfig
from tagger.errors import UserError
from tagger.model_folder.folder import is_model
from tagger.renamed_settings import name_of, new_name
from tagger.runs.record import RunRecord
from tagger.training.run_config import OptimConfig, RunConfig

if TYPE_CHECKING:
    from omegaconf import DictConfig

_GROUPS = ("data", "embeddings", "encoder", "decoder", "optim", "distill", "trainer")
_NUMBERS = ("lr", "weight_decay")  # of any optimiser
_SHORT = {"embeddings.static": StaticEmbedding.SHORT, "embeddings.transformer": TransformerEmbedding.SHORT}


@dataclass(frozen=True)
class TrainSettings:
    """The settings of one run.

    Attributes:
        composed: all of them as plain dictionaries, as `config.yaml` keeps them.
        run: folder, seed, and what to start from.
        data: the data set.
        optim: batches and schedule.
        distill: what to learn from a teacher.
    """

    composed: Mapping[str, Any]
    run: RunConfig
    data: DataConfig
    optim: OptimConfig
    distill: DistillConfig

    @classmethod
    def read(cls, config: DictConfig, run_dir: Path, given: Callable[[], Sequence[str]]) -> TrainSettings:
        """Read the settings of a job.

        Args:
            config: as composed.
            run_dir: the job's folder.
            given: returns the names of the settings, and groups with a choice, that the user has given.

        Raises:
            UserError: a setting is wrong, or the folder is not fit for a run.
        """
        if not config.run_dir:
            raise UserError("run_dir: empty; set it to a folder for this run")
        check_resumed(config)
        check_folder(run_dir)
        composed = _composed(config, given)
        own = {key: value for key, value in composed.items() if key not in _GROUPS}
        optim = {key: value for key, value in composed["optim"].items() if key != "optimizer"}
        settings = cls(
            composed=composed,
            run=from_mapping(RunConfig, {**own, "run_dir": str(run_dir)}),
            data=DataConfig.from_mapping(composed["data"]),
            optim=from_mapping(OptimConfig, optim, "optim"),
            distill=DistillConfig.from_mapping(composed.get("distill", {})),
        )
        get_tokenizer(settings.data.tokenizer)
        settings.model(plain=settings.data.scheme == "plain")
        check_trainer(settings.trainer)
        check_optimizer(composed["optim"]["optimizer"])
        return settings

    @property
    def trainer(self) -> Mapping[str, Any]:
        """The settings of Lightning's trainer."""
        trainer: Mapping[str, Any] = self.composed["trainer"]
        return trainer

    def model(self, *, plain: bool) -> ModelConfig:
        """Return the model's shape, which may depend on the kind of tags: plain ones, or those of entities."""
        return complete_model(self.composed, self.data.language, plain=plain)

    def with_epochs(self, make_trainer: Callable[..., Any], tokens: int) -> Callable[..., Any]:
        """Return what makes Lightning's trainer, with the number of epochs, unless the settings have a limit.

        Args:
            make_trainer: makes it from the settings.
            tokens: of an epoch.
        """
        from tagger.training.process_group import batches_per_step  # here, as it imports PyTorch

        if self.trainer.get("max_epochs") is not None or self.trainer.get("max_steps", -1) != -1:
            return make_trainer
        epochs = self.optim.epochs_for(tokens, batches_per_step(self.trainer))
        return functools.partial(make_trainer, max_epochs=epochs)

    def save(self) -> None:
        """Write `config.yaml` into the run's folder."""
        hydra_entry.save_config(self.composed, self.run.run_dir / "config.yaml")


def spell_out(arguments: list[str]) -> list[str]:
    """Write short forms in full where other settings of the same entry are given, which they would replace."""
    spelled = []
    for argument in arguments:
        name, _, value = argument.partition("=")
        if new_name(name) in _SHORT and value != "null" and not value.startswith("{"):
            beside = any(new_name(name_of(other)).startswith(f"{new_name(name)}.") for other in arguments)
            argument = f"{name}.{_SHORT[new_name(name)]}={value}" if beside else argument
        spelled.append(argument)
    return spelled


def is_finished(config: DictConfig, run_dir: Path) -> bool:
    """Return whether a run to be resumed has ended by itself with exactly these settings."""
    if not config.resume:
        return False
    check_resumed(config)
    try:
        record = RunRecord.read(run_dir)
        before = hydra_entry.read_config(run_dir / "config.yaml")
        now = _composed(config, hydra_entry.given)
    except UserError:  # the run itself will report it
        return False
    ended = record is not None and record.stopped_by is None
    return ended and repeatable(before) == repeatable(now)


def _composed(config: DictConfig, given: Callable[[], Sequence[str]]) -> dict[str, Any]:
    """Return the settings; with `init_from`, that model's own in place of those that shape a model."""
    settings = hydra_entry.settings_of(config)
    if settings.get("init_from_lm"):
        return with_shape_of_language_model(settings, hydra_entry.compose("train"), given())
    if not settings["init_from"]:
        return settings
    return with_model_of_start(settings, hydra_entry.compose("train"), given())


def check_resumed(config: DictConfig) -> None:
    """Refuse to resume in a folder whose name is the time."""
    if config.resume and hydra_entry.is_composed(config, "run_dir"):
        raise UserError("resume=true: name the folder of the run to continue, as in run_dir=runs/2030-12-31_23-59-59")


def check_folder(run_dir: Path) -> None:
    """Refuse a model's folder, and a folder inside a model or a finished run, where nobody would look for a run."""
    if is_model(run_dir):
        raise UserError(f"{run_dir}: a model, not the folder of a run; set another run_dir (init_from takes a model)")
    around, ended = run_dir.resolve().parent, None
    with contextlib.suppress(UserError):  # another file of that name
        ended = RunRecord.read(around)
    if ended is not None or is_model(around):
        raise UserError(f"{run_dir}: lies within another run or a model; set another run_dir")


def check_trainer(trainer: Mapping[str, Any]) -> None:
    """Refuse values that Lightning would reject only in the middle of a run."""
    for name in ("max_epochs", "max_steps", "num_nodes"):
        value = trainer.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise UserError(f"trainer.{name}: expected a whole number, got {value!r}")
    clip = trainer.get("gradient_clip_val")
    if isinstance(clip, int | float) and clip < 0:
        raise UserError(f"trainer.gradient_clip_val: must not be negative ({clip}); null clips nothing")
    steps = trainer.get("accumulate_grad_batches", 1)
    if isinstance(steps, int) and steps < 1:
        raise UserError(f"trainer.accumulate_grad_batches: must be at least 1, not {steps}")
    precision = str(trainer.get("precision"))
    if precision in ("16-true", "bf16-true", "64-true", "64"):
        raise UserError(f"trainer.precision={precision}: use 32-true, bf16-mixed or 16-mixed")


def check_optimizer(optimizer: object) -> None:
    if not isinstance(optimizer, dict) or "_target_" not in optimizer:
        advice = "set optim.optimizer._target_=torch.optim.Adam, or another"
        raise UserError(f"optim.optimizer: expected settings with a class, got {optimizer!r}; {advice}")
    for name in _NUMBERS:
        value = optimizer.get(name)
        if value is not None and (not isinstance(value, int | float) or isinstance(value, bool)):
            raise UserError(f"optim.optimizer.{name}: expected a number, got {value!r}")
