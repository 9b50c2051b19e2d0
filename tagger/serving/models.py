"""The models that a server has loaded, each with a thread that tags."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from typing import Any

from tagger.bulk.min_scores import MinimumScores
from tagger.corpus.document import Document
from tagger.corpus.tokenizers import get_tokenizer, split_text
from tagger.engines.numpy_engine import NumpyEngine
from tagger.errors import UserError
from tagger.inspection.explainer import Explainer
from tagger.inspection.gates_page import gates_page
from tagger.predict import Tagger, load
from tagger.serving.batching import Batcher, How
from tagger.serving.metrics import Metrics
from tagger.serving.settings import ServeSettings

MOST_EXPLAINED = 60  # tokens of a sentence whose gates are shown


class ServedModel:
    """A model with its name, its batches and its counts."""

    def __init__(self, name: str, tagger: Tagger, settings: ServeSettings, metrics: Metrics) -> None:
        """Take a loaded model. `start` begins its work."""
        self.name, self.tagger, self._metrics = name, tagger, metrics
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tag")
        self._settings = settings
        self._batcher: Batcher | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tag, in the running event loop."""
        settings = self._settings
        self._batcher = Batcher(
            self.tagger,
            self._thread,
            seconds=settings.batch_ms / 1000,
            most_waiting=settings.max_waiting,
            on_batch=self._metrics.batches.labels(self.name).observe,
        )
        self._task = asyncio.create_task(self._batcher.run())

    async def stop(self) -> None:
        """End the work. No request may wait any more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def tag(self, texts: Sequence[str], how: How, minimum: MinimumScores | None = None) -> list[Document]:
        """Tag texts, together with those of other requests.

        Raises:
            BusyError: too many texts wait already.
        """
        assert self._batcher is not None
        documents = await self._batcher.tag(texts, how)
        self._metrics.texts.labels(self.name).inc(len(texts))
        self._metrics.characters.labels(self.name).inc(sum(map(len, texts)))
        if minimum is not None:
            for document in documents:
                document.sentences = list(map(minimum.applied, document.sentences))
        return documents

    def info(self) -> dict[str, Any]:
        """Return what `GET /models` says of the model."""
        tagger = self.tagger
        return {
            "name": self.name,
            "labels": sorted(tagger.labels),
            "plain": tagger.plain,
            "language": tagger.language,
            "gates": self.shows_gates,
        }

    @property
    def shows_gates(self) -> bool:
        """Whether the gates of a sentence can be shown: not for models with a transformer."""
        return isinstance(self.tagger.engine, NumpyEngine)

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer.of(self.tagger.folder)

    async def gates(self, text: str, sentence: int) -> str:
        """Return a page about a sentence of a text: its gates and memory, and what its tags rest on.

        Raises:
            UserError: there is no such sentence, it is too long, or the model shows no gates.
        """
        if not self.shows_gates:
            raise UserError(f"model {self.name}: its gates cannot be shown here; use `tagger explain`")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._gates, text, sentence)

    def _gates(self, text: str, sentence: int) -> str:
        sentences = split_text(text, get_tokenizer(self.tagger.tokenizer))
        if sentence >= len(sentences):
            raise UserError(f"sentence: {sentence} asked for, but the text has {len(sentences)}")
        tokens = sentences[sentence].tokens
        if len(tokens) > MOST_EXPLAINED:
            raise UserError(f"a sentence of {len(tokens)} tokens; gates are shown of up to {MOST_EXPLAINED}")
        explainer = self._explainer
        layers = range(len(explainer.folder.config.encoder.stack))
        return gates_page([explainer.explain(tokens)], model=self.name, layers=layers, units=[])


def load_models(settings: ServeSettings, metrics: Metrics) -> dict[str, ServedModel]:
    """Load all models of a server, by name.

    Raises:
        UserError: one is missing, damaged or does not fit the settings.
    """
    found = {}
    for name, path in settings.models:
        tagger = load(path, engine=settings.engine, device=settings.device, precision=settings.precision)
        found[name] = ServedModel(name, tagger, settings, metrics)
    return found


def minimum_of(given: float | Mapping[str, float], tagger: Tagger) -> MinimumScores | None:
    """Return the least probabilities that a request asks for; None for none.

    Raises:
        UserError: the model has no such label, or tags that mark no entities.
    """
    if not given:
        return None
    if tagger.plain:
        raise UserError("min_score: only for models of entities; leave it out")
    labels = given if isinstance(given, Mapping) else {}
    unknown = sorted(labels.keys() - set(tagger.labels))
    if unknown:
        raise UserError(f"min_score: the model knows no label {unknown[0]!r}; use {', '.join(sorted(tagger.labels))}")
    return MinimumScores(general=0.0 if isinstance(given, Mapping) else given, labels=labels)
