"""Score a model on a split, with the same prediction path as tagging."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.dataset import Split
from tagger.corpus.labels import ignored_as_outside
from tagger.corpus.schemes import Scheme, spans_from_tags
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer, split_text
from tagger.engines.base import Engine
from tagger.errors import UserError
from tagger.evaluation.assessment import NO_BACKGROUND, Assessment, Background, assess, assess_texts
from tagger.evaluation.calibration import TARGET_PRECISIONS, Calibration, calibration
from tagger.evaluation.judging import Judging
from tagger.evaluation.report import unknown_label_warnings
from tagger.evaluation.running_text import raw_texts, score_raw
from tagger.evaluation.scores import Scores, gold_tags, readable_tags, score
from tagger.evaluation.training_overlap import TrainingKnowledge, training_mentions
from tagger.features.words import normalise
from tagger.model_folder.folder import ModelFolder
from tagger.predict import Tagger

Floats = NDArray[np.float32]
_LABELS_SHOWN = 5


def evaluate(
    model: Tagger,
    split: Split,
    scored: Mapping[str, str],
    background: Background = NO_BACKGROUND,
    wanted: Sequence[float] = TARGET_PRECISIONS,
) -> Assessment:
    """Score a model on a split's tokens.

    Args:
        scored: description of what is scored, for the report. The split's name is added.
        background: further content of the report. The calibration is added.
        wanted: target precisions to find thresholds for.

    Raises:
        UserError: the split has no tags, or those are of another kind than the model's.
    """
    _require_same_kind(model, split)
    judging, uncounted = Judging(split.scheme), Judging(split.scheme)
    sentences = [judging.gold(sentence) for sentence in split.sentences]
    gold = gold_tags(sentences, split.name)
    temperature = model.folder.temperature
    tagged = tag_with_and_without_temperature(model, split.sentences)
    found = [
        (uncounted.predicted(sentence, before), judging.predicted(sentence, after))
        for sentence, (before, after) in zip(split.sentences, tagged, strict=True)
    ]
    predicted = [after.tags or [] for _, after in found]
    readable = gold if model.plain else [readable_tags(tags, split.scheme) for tags in gold]
    judged = _calibration(readable, found, temperature, model.plain, wanted)
    warnings = [*background.warnings, *unknown_label_warnings(split.labels(), model.labels), *judging.notes()]
    scored = {**scored, "split": split.name, "input": "tokens"}
    known = replace(background, calibration=judged, warnings=warnings)
    return assess(sentences, predicted, split.scheme, scored, known)


def score_split(model: Tagger, split: Split) -> Scores:
    """Score a model on a split's tokens, without the rest of a report. Raises as `evaluate`."""
    _require_same_kind(model, split)
    judging = Judging(split.scheme)
    gold = gold_tags([judging.gold(sentence) for sentence in split.sentences], split.name)
    tagged = model.tag_sentences(split.sentences)
    predicted = [
        judging.predicted_tags(sentence, found.tags or [])
        for sentence, found in zip(split.sentences, tagged, strict=True)
    ]
    return score(gold, predicted, split.scheme, Scheme.IOB2)


def evaluate_raw(
    model: Tagger, split: Split, scored: Mapping[str, str], background: Background = NO_BACKGROUND
) -> Assessment:
    """Score a model on a split's running text. The model's tokenizer splits it; entities are compared by characters.

    Raises:
        UserError: as in `evaluate`; or the split has no running text, plain tags, or incomplete ones.
    """
    _require_same_kind(model, split)
    if any(sentence.partial is not None for sentence in split.sentences):
        raise UserError(f"{split.name}: its labels are only partly known; score it with input=tokens")
    texts = raw_texts(split.sentences)
    tokenizer = get_tokenizer(model.tokenizer)
    predicted = [list(model.tag_sentences(split_text(text.text, tokenizer))) for text in texts]
    raw = score_raw(texts, predicted, split.scheme)
    warnings = [*background.warnings, *unknown_label_warnings(raw.scores.support, model.labels), *raw.warnings]
    scored = {**scored, "split": split.name, "input": f"running text, tokenizer {model.tokenizer}"}
    known = replace(background, warnings=warnings)
    return assess_texts(raw.compared, raw.scores, split.sentences, raw.predicted, scored, known)


def training_knowledge(folder: ModelFolder, train: Split | None, source: str) -> TrainingKnowledge:
    """Collect what a model could learn from: its vocabulary and vectors, and the mentions of its training data.

    Args:
        folder: the model.
        train: the training split, or None where it cannot be read. Models without a word vocabulary use its words.
        source: description of the training data.
    """
    words, static = folder.vocabularies.words, folder.static
    lowercase = folder.config.embeddings.word.lowercase if folder.config.embeddings.word else True
    vocabulary = set(words.entries)
    if not vocabulary and train is not None:
        vocabulary = {normalise(token, lowercase) for sentence in train.sentences for token in sentence.tokens}

    def of_words(asked: Sequence[str]) -> tuple[Sequence[bool], Sequence[bool]]:
        trained = [normalise(word, lowercase) in vocabulary for word in asked]
        return trained, [True] * len(asked) if static is None else static.look_up(asked)[1].tolist()

    plain = train is None or train.scheme is Scheme.PLAIN
    mentions = None if train is None or plain else training_mentions(readable(train))
    return TrainingKnowledge(of_words, static is not None, mentions, source)


def readable(split: Split) -> list[Sentence]:
    """Rewrite the tags of a split's sentences with `readable_tags`. Tokens of unknown label get O."""
    return [replace(one, tags=readable_tags(ignored_as_outside(one), split.scheme)) for one in split.sentences]


def require_known_labels(model: Tagger, split: Split) -> None:
    """Reject a split whose labels are all unknown to the model.

    Raises:
        UserError: the split has labels, and the model knows none of them.
    """
    labels = split.labels()
    if labels and not labels.keys() & set(model.labels):
        raise UserError(
            f"{split.reports[0].source}: the model knows none of its labels ({_few(labels)}); the model has "
            f"{_few(model.labels)}; check data and model"
        )


def tag_with_and_without_temperature(
    model: Tagger, sentences: Sequence[Sentence]
) -> Iterator[tuple[Sentence, Sentence]]:
    """Tag sentences with scores at temperature 1 and at the model's own. The network runs only once."""
    kept: deque[Floats] = deque()
    first = Tagger(replace(model.folder, temperature=1.0), _RecordingEngine(model.engine, kept))
    second = Tagger(model.folder, _ReplayingEngine(kept))
    return zip(*(one.tag_sentences(sentences, scores=True) for one in (first, second)), strict=True)


class _RecordingEngine:
    """An engine that runs the network and keeps its emissions for another tagger.

    Both taggers ask for the same batches in the same order.
    """

    def __init__(self, engine: Engine, kept: deque[Floats]) -> None:
        self._engine, self._kept = engine, kept

    def emissions(self, sentences: Sequence[Sequence[str]], batch_sizes: NDArray[np.int64]) -> Floats:
        found = self._engine.emissions(sentences, batch_sizes)
        self._kept.append(found.copy())  # because decoders may change it in place
        return found


class _ReplayingEngine:
    """An engine that returns kept emissions."""

    def __init__(self, kept: deque[Floats]) -> None:
        self._kept = kept

    def emissions(self, sentences: Sequence[Sequence[str]], batch_sizes: NDArray[np.int64]) -> Floats:
        return self._kept.popleft()


def _calibration(
    gold: Sequence[Sequence[str]],
    found: Sequence[tuple[Sentence, Sentence]],
    temperature: float,
    plain: bool,
    wanted: Sequence[float],
) -> Calibration | None:
    """Compute the calibration of all predicted entities or all plain tags."""
    right: list[bool] = []
    scores: list[tuple[float, float]] = []  # before and after
    gold_count = 0
    for gold_of_sentence, (before, after) in zip(gold, found, strict=True):
        tags = after.tags or []
        if plain:
            places = list(range(len(tags)))
            right += [tag == gold_tag for tag, gold_tag in zip(tags, gold_of_sentence, strict=True)]
            gold_count += len(tags)
        else:
            spans, gold_spans = spans_from_tags(tags), set(spans_from_tags(gold_of_sentence))
            places = [span.start for span in spans]
            right += [span in gold_spans for span in spans]
            gold_count += len(gold_spans)
        scores += [((before.scores or [])[place] or 0.0, (after.scores or [])[place] or 0.0) for place in places]
    both = np.array(scores).reshape(-1, 2)
    return calibration(np.array(right, dtype=np.float64), both[:, 0], both[:, 1], temperature, gold_count, wanted)


def _few(labels: Iterable[str]) -> str:
    first = sorted(labels)
    return ", ".join(first[:_LABELS_SHOWN]) + (", …" if len(first) > _LABELS_SHOWN else "")


def _require_same_kind(model: Tagger, split: Split) -> None:
    plain = split.scheme is Scheme.PLAIN
    if model.plain != plain:
        kinds = ("plain tags", "entities") if model.plain else ("entities", "plain tags")
        raise UserError(f"the model gives {kinds[0]}, the {split.name} split has {kinds[1]}; check data.tag_column")
