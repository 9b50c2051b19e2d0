"""`pretrain.py`: learn a language model from raw text, in the shape of a tagger."""

from __future__ import annotations

import math
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagger.commands.hydra import hydra_entry
from tagger.commands.model_settings import complete_model
from tagger.commands.train_settings import check_folder, check_optimizer, check_resumed, check_trainer
from tagger.config import ModelConfig
from tagger.config_parsing import from_mapping
from tagger.corpus.tokenizers import get_tokenizer
from tagger.errors import UserError
from tagger.files import lock_folder, written_whole
from tagger.model_folder.contents import CARD
from tagger.pretraining.config import PretrainOptim, TextConfig, check_shape
from tagger.printable import in_a_line
from tagger.training.run_config import RunConfig

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tagger.pretraining.pretraining_run import PretrainingResult

_OF_RUN = ("seed", "run_dir", "resume", "checkpoint_seconds", "threads")
_TAGS = ("entities", "plain")


def main(arguments: list[str] | None = None) -> int:
    """Pretrain as the command line asks; returns the exit code."""
    return hydra_entry.run("pretrain", _task, sys.argv[1:] if arguments is None else arguments)


def _task(config: DictConfig) -> None:
    """Run one job in the folder that Hydra made for it."""
    run_dir = hydra_entry.output_folder()
    if not config.run_dir:
        raise UserError("run_dir: empty; set it to a folder for this run")
    check_resumed(config)
    check_folder(run_dir)
    settings = hydra_entry.settings_of(config)
    run = from_mapping(RunConfig, {**{name: settings[name] for name in _OF_RUN}, "run_dir": str(run_dir)})
    data = from_mapping(TextConfig, settings["data"], "data")
    of_optim = {key: value for key, value in settings["optim"].items() if key != "optimizer"}
    optim = from_mapping(PretrainOptim, of_optim, "optim")
    model, dropout = _model(settings, data), settings["dropout"]
    if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise UserError(f"dropout: must lie in [0, 1), not {dropout}")
    check_trainer(settings["trainer"])
    check_optimizer(settings["optim"]["optimizer"])
    for name in (data.tokenizer, data.dev_tokenizer):
        get_tokenizer(name or data.tokenizer)
    _pretrain(settings, run, data, optim, model, float(dropout))


def _model(settings: dict[str, Any], data: TextConfig) -> ModelConfig:
    """Return the shape to pretrain.

    Raises:
        UserError: it cannot be pretrained.
    """
    if settings["tags"] not in _TAGS:
        raise UserError(f"tags: expected {' or '.join(_TAGS)}, got {settings['tags']!r}")
    model = complete_model({**settings, "decoder": {}}, data.language, plain=settings["tags"] == "plain")
    check_shape(model)
    return model


def _pretrain(
    settings: dict[str, Any], run: RunConfig, data: TextConfig, optim: PretrainOptim, model: ModelConfig, dropout: float
) -> None:
    # imported after the settings have been checked, as PyTorch and Lightning take seconds
    import functools

    from tagger.pretraining.perplexity import as_markdown, perplexities, write_perplexities
    from tagger.pretraining.pretraining_run import pretrain
    from tagger.pretraining.text_store import split_files, stored_text
    from tagger.training import checks
    from tagger.training.run_folder import claim_run_dir

    make_trainer = hydra_entry.partial(settings["trainer"])
    make_optimizer = hydra_entry.partial(settings["optim"]["optimizer"])
    checks.check_optimizer(make_optimizer)
    checks.check_accelerator(settings["trainer"].get("accelerator"))
    if settings["trainer"].get("max_epochs") is None and settings["trainer"].get("max_steps", -1) == -1:
        make_trainer = functools.partial(make_trainer, max_epochs=optim.epochs)
    wanted = settings["trainer"].get("enable_progress_bar")
    with claim_run_dir(run), lock_folder(run.run_dir):
        text = stored_text(
            data.files,
            data.tokenizer,
            held_out=data.held_out,
            dev=data.dev_files,
            dev_tokenizer=data.dev_tokenizer,
        )
        test = split_files(data.test_files, data.dev_tokenizer or data.tokenizer) if data.test_files else []
        about = text.about
        print(
            f"text: {about}; held out: {about.held_out_tokens:,} tokens, {about.held_out_documents:,} of "
            f"{about.documents:,} documents",
            flush=True,
        )
        if not run.resume:
            hydra_entry.save_config(settings, run.run_dir / "config.yaml")
        outcome = pretrain(
            text,
            data=data,
            model=model,
            dropout=dropout,
            optim=optim,
            make_trainer=make_trainer,
            make_optimizer=make_optimizer,
            run=run,
            progress_bar=sys.stderr.isatty() if wanted is None else bool(wanted),
        )
        if run.resume:  # only now, as the new settings have proved to fit the run
            hydra_entry.save_config(settings, run.run_dir / "config.yaml")
        model_folder = run.run_dir / "model"
        outcome.folder.save(model_folder, _card(outcome, ""))  # before the comparison, which may need much memory
        found = perplexities(outcome.folder, text, test, ngrams=data.ngrams)
        write_perplexities(found, run.run_dir / "perplexity.json")
        with written_whole(model_folder / CARD) as stream:
            stream.write(_card(outcome, as_markdown(found)))
        _print_end(outcome, as_markdown(found), run.run_dir)
    if outcome.stopped_by is signal.SIGTERM:
        raise SystemExit(128 + signal.SIGTERM)
    if outcome.stopped_by is not None:
        raise KeyboardInterrupt


def _score(outcome: PretrainingResult) -> str:
    perplexity = math.exp(-outcome.log_probability)
    return f"perplexity {perplexity:.1f} on held-out text (mean of both directions), after {outcome.best_epoch} epochs"


def _card(outcome: PretrainingResult, table: str) -> str:
    """Write the card of the model in Markdown, with a table of perplexities."""
    folder = outcome.folder
    parameters = sum(tensor.size for tensor in folder.tensors.values())
    lines = [
        "# Language model",
        "",
        f"{parameters:,} parameters; predicts {len(folder.predicted.vocabulary.entries):,} words. Language: "
        f"{folder.language or 'not stated'}. Tokenizer: {folder.tokenizer}.",
        "",
        f"Trained on {folder.about}; {_score(outcome)}.",
        "",
        *([table, ""] if table else []),
        "```",
        "python train.py data=NAME init_from_lm=THIS_FOLDER      # a tagger that starts from these weights",
        'python generate.py --model THIS_FOLDER --prompt "Once"',
        "```",
    ]
    return "\n".join(lines) + "\n"


def _print_end(outcome: PretrainingResult, table: str, run_dir: Path) -> None:
    """Print how good the model is, and where it is."""
    print(f"\n{table}")
    print(f"\npretrained {outcome.epochs} epochs in {outcome.seconds:.0f} s; {_score(outcome)}")
    if outcome.stopped_by is not None:
        again = f"the same command with resume=true run_dir={shlex.quote(str(run_dir))} continues"
        print(in_a_line(again))
    print(in_a_line(f"model:  {run_dir / 'model'}"))
