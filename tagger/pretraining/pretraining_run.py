"""One pretraining run: a stored text in, a language model's folder out."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tagger.config import ModelConfig
from tagger.corpus.schemes import Scheme
from tagger.errors import UserError
from tagger.features.encoding import FeatureEncoder
from tagger.features.predicted_words import PredictedWords
from tagger.features.vectors.open import open_static
from tagger.features.vectors.table import coverage
from tagger.features.vocabulary import Vocabularies
from tagger.model.language_model import LanguageModel
from tagger.model_folder.language_model import LanguageModelFolder
from tagger.pretraining.batches import BatchMaker, TextDataModule, TextLoader
from tagger.pretraining.config import PretrainOptim, TextConfig
from tagger.pretraining.lightning_module import SCORE, PretrainingModule
from tagger.pretraining.text_store import StoredText
from tagger.training.callbacks import best_checkpoint
from tagger.training.checkpoint import BEST, LAST
from tagger.training.fitting import best_score, fit, load_weights, set_up_process, stopped_too_early
from tagger.training.last_checkpoint import LastCheckpoint
from tagger.training.optimizers import OptimizerFactory
from tagger.training.run_config import OptimConfig, RunConfig
from tagger.training.run_folder import ResumeState, resume_state
from tagger.training.trainer_setup import TrainerFactory, callbacks_of, set_up_trainer


@dataclass(frozen=True, kw_only=True)
class PretrainingResult:
    """The outcome of a run.

    Attributes:
        folder: the best model, by its score on held-out text.
        log_probability: that score: mean log-probability of a held-out word, over both directions.
        best_epoch: the epoch after which the model had it, from 1.
        epochs: number of epochs.
        seconds: time spent; of a resumed run, by its last part.
        stopped_by: the signal that ended it early, if one did.
    """

    folder: LanguageModelFolder
    log_probability: float
    best_epoch: int
    epochs: int
    seconds: float
    stopped_by: signal.Signals | None


def pretrain(
    text: StoredText,
    *,
    data: TextConfig,
    model: ModelConfig,
    dropout: float,
    optim: PretrainOptim,
    make_trainer: TrainerFactory,
    make_optimizer: OptimizerFactory,
    run: RunConfig,
    progress_bar: bool = False,
) -> PretrainingResult:
    """Train a language model, and keep the one that is best on held-out text.

    Args:
        text: the text, split into words.
        data: the settings that it was split by.
        model: the shape of embeddings and encoder; `check_shape` accepts it.
        dropout: of embeddings and states.
        optim: batches and schedule.
        make_trainer, make_optimizer, progress_bar: as `training_run.train` takes them.
        run: folder and seed.

    Raises:
        UserError: the settings or the run to resume do not fit.
        KeyboardInterrupt, SystemExit: Ctrl-C or SIGTERM came before the end of the first epoch.
    """
    set_up_process(run)
    start = _start(text, data, model)
    module = PretrainingModule(
        LanguageModel(_with_dropout(start.config, dropout), start.vocabularies, start.predicted),
        optim=OptimConfig(warmup=optim.warmup, lr_schedule=optim.lr_schedule, patience=optim.patience),
        make_optimizer=make_optimizer,
        fingerprint=_fingerprint(start, text, optim, dropout),
    )
    checkpoints = run.run_dir / "checkpoints"
    last = LastCheckpoint(checkpoints / LAST, seconds=run.checkpoint_seconds)
    resumed = resume_state(checkpoints, module.fits) if run.resume else ResumeState()
    of_run = callbacks_of(SCORE, OptimConfig(patience=optim.patience), progress_bar=progress_bar)
    callbacks = [best_checkpoint(checkpoints, SCORE), last, *of_run]
    trainer = set_up_trainer(make_trainer, run.run_dir, callbacks, resumed, progress_bar=progress_bar)
    if trainer.world_size > 1:
        raise UserError(f"trainer.devices: pretraining runs in one process, not {trainer.world_size}; set it to 1")
    maker = BatchMaker(FeatureEncoder(start.config.embeddings, start.vocabularies, start.static), start.predicted)
    loader = TextLoader(
        text,
        maker,
        batch_tokens=optim.batch_tokens,
        negatives=optim.negatives,
        seed=run.seed,
        before_batch=last.before_batch,
    )
    loaders = TextDataModule(loader, list(text.held_out()), maker, optim.batch_tokens)
    began = time.perf_counter()
    stopped_by = fit(trainer, module, loaders, resumed.checkpoint)
    if stopped_by is None and last.terminated:
        stopped_by = signal.SIGTERM
    seconds = time.perf_counter() - began
    if stopped_by and not (checkpoints / BEST).exists():
        raise stopped_too_early(stopped_by, run.run_dir, leads=True)
    state = load_weights(module.model, checkpoints / BEST)
    return PretrainingResult(
        folder=replace(start, tensors=_tensors(module.model)),
        log_probability=best_score(state, SCORE),
        best_epoch=int(state["epoch"]) + 1,
        epochs=vars(trainer.fit_loop.epoch_progress.current)["processed"],
        seconds=seconds,
        stopped_by=stopped_by,
    )


def _start(text: StoredText, data: TextConfig, model: ModelConfig) -> LanguageModelFolder:
    """Build the vocabularies and open pretrained vectors. The folder has no weights yet."""
    counts = text.words(data.vocabulary, data.min_count)
    if not counts:
        raise UserError(f"data.min_count: no word of the text occurs {data.min_count} times; lower it")
    embeddings = model.embeddings
    static = None
    if embeddings.static is not None:
        source = embeddings.static.source
        static = open_static(source)
        embeddings = replace(embeddings, static=replace(embeddings.static, width=static.width))
        print(f"pretrained vectors ({source}): {coverage(static, counts)}", flush=True)
    vocabularies = replace(Vocabularies.build([], embeddings, Scheme.IOB2, counts), tags=[])
    lowercase = embeddings.word.lowercase if embeddings.word else True
    about = text.about
    predicted = PredictedWords.of(
        counts, vocabularies, lowercase=lowercase, tokens=about.tokens, ends=about.sentences
    )  # fmt: skip
    known = sum(counts.values()) / about.tokens
    print(f"vocabulary: {len(counts):,} words, {known:.1%} of the text's tokens", flush=True)
    return LanguageModelFolder(
        config=replace(model, embeddings=embeddings),
        vocabularies=vocabularies,
        predicted=predicted,
        tensors={},
        tokenizer=data.tokenizer,
        language=data.language or "",
        about=str(about),
        static=static,
    )


def _with_dropout(model: ModelConfig, dropout: float) -> ModelConfig:
    """Return the shape with the dropout of pretraining, of whole vectors and of states alone."""
    embeddings = replace(model.embeddings, dropout=dropout, word_dropout=0.0)
    return replace(model, embeddings=embeddings, encoder=replace(model.encoder, dropout=dropout))


def _fingerprint(start: LanguageModelFolder, text: StoredText, optim: PretrainOptim, dropout: float) -> str:
    """Return a digest of all that a checkpoint depends on but does not hold, without the length of the run."""
    vectors = start.static and start.static.digest()
    settings = asdict(replace(optim, epochs=1))
    depends_on = [
        *(start.vocabularies.to_mapping(), start.predicted.vocabulary.entries, start.config.to_mapping()),
        *(settings, dropout, vectors, text.about.digest),
    ]
    return hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()


def _tensors(network: LanguageModel) -> dict[str, NDArray[np.float32]]:
    return {name: tensor.detach().float().cpu().numpy() for name, tensor in network.state_dict().items()}
