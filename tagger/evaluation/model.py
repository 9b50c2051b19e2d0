"""A model's scores on a split, by the same prediction path as tagging."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tagger.corpus.schemes import Scheme
from tagger.corpus.source import Split
from tagger.corpus.tokenizers import get_tokenizer, split_text
from tagger.errors import UserError
from tagger.evaluation.raw import raw_texts, score_raw
from tagger.evaluation.report import Report, unknown_label_warnings
from tagger.evaluation.scores import gold_tags, score
from tagger.inference.tagger import Tagger

_LABELS_SHOWN = 5


@dataclass(frozen=True)
class Evaluation:
    """A report and the predicted tags it rests on, a list per sentence of the split."""

    report: Report
    predicted: list[list[str]]


def evaluate(model: Tagger, split: Split, scored: Mapping[str, str]) -> Evaluation:
    """Score a model on a split's tokens.

    Args:
        model: gives the predictions.
        split: with tags as read.
        scored: what the report is to say was scored; the split's name is added.

    Raises:
        UserError: the split has no tags, or those are of another kind than the model's.
    """
    _require_same_kind(model, split)
    gold = gold_tags(split.sentences, split.name)
    predicted = [sentence.tags or [] for sentence in model.tag_sentences(split.sentences)]
    scores = score(gold, predicted, split.scheme)
    warnings = unknown_label_warnings(scores.support, model.labels)
    return Evaluation(Report(scores, {**scored, "split": split.name, "input": "tokens"}, warnings), predicted)


def evaluate_raw(model: Tagger, split: Split, scored: Mapping[str, str]) -> Evaluation:
    """Score a model on a split's running text: its own tokenizer, entities compared by characters.

    Args, Raises: as `evaluate`; also where the split has no running text, or plain tags.
    """
    _require_same_kind(model, split)
    texts = raw_texts(split.sentences)
    tokenizer = get_tokenizer(model.tokenizer)
    predicted = [list(model.tag_sentences(split_text(text.text, tokenizer))) for text in texts]
    raw = score_raw(texts, predicted, split.scheme)
    warnings = [*unknown_label_warnings(raw.scores.support, model.labels), *raw.warnings]
    scored = {**scored, "split": split.name, "input": f"running text, tokenizer {model.tokenizer}"}
    return Evaluation(Report(raw.scores, scored, warnings), raw.predicted)


def require_known_labels(model: Tagger, split: Split) -> None:
    """Turn away a split whose labels are another model's business.

    Raises:
        UserError: it has labels, and the model knows not one of them.
    """
    labels = split.labels()
    if labels and not labels.keys() & set(model.labels):
        raise UserError(
            f"{split.reports[0].source}: not one of its labels ({_few(labels)}) is known to the model "
            f"({_few(model.labels)}); check data and model"
        )


def _few(labels: Iterable[str]) -> str:
    first = sorted(labels)
    return ", ".join(first[:_LABELS_SHOWN]) + (", …" if len(first) > _LABELS_SHOWN else "")


def _require_same_kind(model: Tagger, split: Split) -> None:
    plain = split.scheme is Scheme.PLAIN
    if model.plain != plain:
        kinds = ("plain tags", "entities") if model.plain else ("entities", "plain tags")
        raise UserError(f"the model gives {kinds[0]}, the {split.name} split has {kinds[1]}; check data.tag_column")
