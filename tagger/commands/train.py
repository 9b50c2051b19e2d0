"""`train.py`: train on a data set, score the test split, leave a model folder and a report."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagger.config import ModelConfig, from_mapping
from tagger.corpus.schemes import Scheme
from tagger.corpus.source import DataConfig, Split, load_splits
from tagger.corpus.tokenizers import get_tokenizer
from tagger.errors import UserError
from tagger.files import alone_in

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tagger.training.config import RunConfig
    from tagger.training.run import Outcome

_GROUPS = ("data", "embeddings", "encoder", "decoder", "optim", "trainer")
_BY_TAGS = {  # what null stands for: of entities' tags, of plain tags
    ("characters", "filters"): (50, 100),
    ("affixes", "lengths"): ([2, 3], [1, 2, 3, 4]),
}


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    try:
        from tagger.commands import hydra_entry

        return hydra_entry.run("train", _task, sys.argv[1:] if arguments is None else arguments, _is_finished)
    except UserError as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 2


def _is_finished(config: DictConfig, run_dir: Path) -> bool:
    """Whether a run that is to be resumed has come to its end, with these very settings."""
    from tagger.commands import hydra_entry
    from tagger.commands.overrides import repeatable
    from tagger.commands.record import RunRecord

    if not config.resume:
        return False
    try:
        record = RunRecord.read(run_dir)
        before = hydra_entry.read_config(run_dir / "config.yaml")
    except UserError:  # which the run itself will tell of
        return False
    ended = record is not None and record.stopped_by is None
    return ended and repeatable(before) == repeatable(hydra_entry.settings_of(config))


def _task(config: DictConfig) -> None:
    """One job, in the folder that Hydra has made for it."""
    from tagger.commands import hydra_entry

    run_dir = hydra_entry.output_folder()
    if not config.run_dir:
        raise UserError("run_dir: empty; set it to a folder for this run")
    try:
        _run(config, run_dir)
    except BaseException:
        if run_dir != Path.cwd():
            with contextlib.suppress(OSError):  # it holds something
                run_dir.rmdir()
        raise


def _run(config: DictConfig, run_dir: Path) -> None:
    """Check the settings, read the splits, train, save and score."""
    from tagger.commands import hydra_entry
    from tagger.training.config import OptimConfig, RunConfig
    from tagger.training.processes import is_leader
    from tagger.training.run import train, train_on_dev
    from tagger.training.run_folder import claimed

    settings = hydra_entry.settings_of(config)
    own = {key: value for key, value in settings.items() if key not in _GROUPS}
    run = from_mapping(RunConfig, {**own, "run_dir": str(run_dir)})
    data = DataConfig.from_mapping(settings["data"])
    get_tokenizer(data.tokenizer)  # a wrong name is to be told of before training
    model = _settled(settings, data.language, plain=data.scheme == "plain")
    optim = from_mapping(OptimConfig, {k: v for k, v in settings["optim"].items() if k != "optimizer"}, "optim")
    make_optimizer = hydra_entry.partial(config.optim.optimizer)
    _check_trainer(settings["trainer"])
    leads = is_leader()
    with contextlib.ExitStack() as held:
        if leads:
            held.enter_context(claimed(run))
            held.enter_context(alone_in(run_dir))
        splits = load_splits(data)
        model = _settled(settings, data.language, plain=splits["train"].scheme is Scheme.PLAIN)
        make_trainer = hydra_entry.partial(config.trainer)
        if config.trainer.max_epochs is None and config.trainer.max_steps == -1:
            epochs = optim.epochs_for(sum(map(len, splits["train"].sentences)))
            make_trainer = functools.partial(make_trainer, max_epochs=epochs)
        if leads:
            _describe(splits, run)
            static = _asked(settings, plain=False).embeddings.static
            if data.language is None and static is not None and static.source == "auto":
                print("no pretrained vectors, as data.language is not set; data.language=en takes the bundled ones")
            if not run.resume:
                hydra_entry.save_config(config, run_dir / "config.yaml")
        how: dict[str, Any] = {
            "data": data,
            "model": model,
            "optim": optim,
            "make_trainer": make_trainer,
            "make_optimizer": make_optimizer,
            "run": run,
            "progress_bar": _progress_bar(settings["trainer"]),
        }
        outcome = train(splits, **how)
        if run.train_on_dev and outcome.stopped_by is None:
            outcome = train_on_dev(outcome, splits, **how)
        if leads:
            if run.resume:  # not before they have proved to fit the run
                hydra_entry.save_config(config, run_dir / "config.yaml")
            _finish(outcome, splits, data, run)
    if not leads:  # Lightning kills all processes where one of the others fails
        return
    if outcome.stopped_by is signal.SIGTERM:
        raise SystemExit(128 + signal.SIGTERM)
    if outcome.stopped_by is signal.SIGINT:
        raise KeyboardInterrupt


def _settled(settings: dict[str, Any], language: str | None, *, plain: bool) -> ModelConfig:
    """The model, with what the configuration leaves to the kind of tags and to the language of the data."""
    return _with_settled_vectors(_asked(settings, plain=plain), language)


def _asked(settings: dict[str, Any], *, plain: bool) -> ModelConfig:
    """The model, with what the configuration leaves to the kind of tags."""
    embeddings = dict(settings["embeddings"])
    for (part, name), choices in _BY_TAGS.items():
        if isinstance(embeddings.get(part), dict) and embeddings[part].get(name) is None:
            embeddings[part] = {**embeddings[part], name: choices[plain]}
    groups = {"embeddings": embeddings, "encoder": settings["encoder"], "decoder": settings["decoder"]}
    return from_mapping(ModelConfig, groups)


def _with_settled_vectors(model: ModelConfig, language: str | None) -> ModelConfig:
    """`auto` vectors are the bundled ones for English data and none for other languages; no path is no encoder."""
    static, encoder = model.embeddings.static, model.embeddings.encoder
    if encoder and encoder.path is None:
        model = replace(model, embeddings=replace(model.embeddings, encoder=None))
    if static is None:
        return model
    source = static.source
    if source == "auto":
        source = "bundled" if language == "en" else "none"
    settled = None if source == "none" else replace(static, source=source)
    return replace(model, embeddings=replace(model.embeddings, static=settled))


def _check_trainer(trainer: dict[str, Any]) -> None:
    """What Lightning itself would only stumble over in the middle of the run."""
    for name in ("max_epochs", "max_steps", "num_nodes"):
        value = trainer.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise UserError(f"trainer.{name}: expected a whole number, got {value!r}")
    precision = str(trainer.get("precision"))
    if precision in ("16-true", "bf16-true", "64-true", "64"):
        raise UserError(f"trainer.precision={precision}: use 32-true, bf16-mixed or 16-mixed")


def _progress_bar(trainer: dict[str, Any]) -> bool:
    shown = trainer.get("enable_progress_bar")
    return sys.stderr.isatty() if shown is None else bool(shown)


def _describe(splits: dict[str, Split], run: RunConfig) -> None:
    """Say what was read, and what of it cannot be learnt."""
    from tagger.evaluation.report import unknown_label_warnings
    from tagger.inference.folder import ModelFolder

    for split in splits.values():
        print(split.account())
    known = {*splits["train"].labels(), *(ModelFolder.load(run.init_from).labels if run.init_from else ())}
    for name in ("dev", "test"):
        for warning in unknown_label_warnings(splits[name].labels(), known, where=f"the {name} split"):
            print(f"warning: {warning}")
    if run.resume and not any((run.run_dir / "checkpoints" / name).exists() for name in ("last.ckpt", "previous.ckpt")):
        print(f"warning: {run.run_dir}: no checkpoint to resume from; training from the beginning")
    print(end="", flush=True)


def _finish(outcome: Outcome, splits: dict[str, Split], data: DataConfig, run: RunConfig) -> None:
    """Save the model, score the test split through the saved folder, write the card, move `latest`."""
    from tagger.commands.background import of_run
    from tagger.commands.card import model_card
    from tagger.commands.record import make_record
    from tagger.evaluation.markdown import as_table
    from tagger.evaluation.model import evaluate
    from tagger.evaluation.written import report_page, write_report
    from tagger.files import written_whole
    from tagger.inference.tagger import load

    folder, run_dir = outcome.folder, run.run_dir
    model_dir = run_dir / "model"
    folder.save(model_dir, model_card(outcome, splits, data, run.seed, None))
    background = of_run(run_dir, folder, splits, data.title)
    model = load(model_dir, device=outcome.device if outcome.device.startswith("cuda") else "cpu")
    found = evaluate(model, splits["test"], {"model": str(model_dir), "data": data.title}, background)
    report = write_report(run_dir / "report", found)
    with written_whole(model_dir / "README.md") as stream:
        stream.write(model_card(outcome, splits, data, run.seed, report.scores))
    record = make_record(outcome, splits, report.scores, seed=run.seed, resumed=run.resume, model_dir=model_dir)
    record.write(run_dir)
    if outcome.stopped_by is None and run.latest is not None:
        point_latest(run_dir, run.latest)
    print(as_table(report.scores))
    for warning in report.warnings:
        print(f"warning: {warning}")
    ended = {None: "trained", signal.SIGINT: "stopped by Ctrl-C after"}.get(
        outcome.stopped_by, "stopped by SIGTERM after"
    )
    print(
        f"\n{ended} {outcome.epochs} epochs in "
        f"{outcome.seconds:.0f} s; {outcome.score_name} {outcome.score:.4f}, "
        f"test {report.scores.headline_name} {report.scores.headline:.4f}"
    )
    print(f"model:  {model_dir}\nreport: {report_page(run_dir / 'report')}")


def point_latest(run_dir: Path, link: Path) -> None:
    """Make a link point at a finished run, wherever it lies."""
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        temporary = link.with_name(f".latest.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(os.path.relpath(run_dir.resolve(), link.parent.resolve()), target_is_directory=True)
        temporary.replace(link)
    except OSError as error:
        print(f"warning: {link} was not moved to this run: {error.strerror or error}", file=sys.stderr)
