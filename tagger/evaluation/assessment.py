"""Build a report from gold and predicted tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tagger.corpus.schemes import OUTSIDE, Scheme, detect_scheme, prefixed
from tagger.corpus.sentence import Sentence, Span
from tagger.corpus.splits import drawn_whole
from tagger.evaluation import counting
from tagger.evaluation.calibration import Calibration
from tagger.evaluation.datacard import DataCard
from tagger.evaluation.entity_alignment import AlignedText, Kind, Side, align_tags, join_tokens, scheme_to_enforce
from tagger.evaluation.estimates import LEVEL, Bootstrap, Event, ScoreSet, Tally
from tagger.evaluation.learning_curve import LearningCurve
from tagger.evaluation.report import Headline, Legality, Report, Resampling, Sentences, Tokens
from tagger.evaluation.scores import Scores, readable_tags, right_tokens, score
from tagger.evaluation.strict import illegal_places
from tagger.evaluation.training_overlap import TrainingKnowledge, score_overlap

TokenMatches = list[tuple[Sequence[str], list[bool]]]  # tokens of each sentence, and whether the tag of each is right


@dataclass(frozen=True)
class Background:
    """Content of a report beyond gold and predicted tags: what the model could learn from, and how training went."""

    training: TrainingKnowledge | None = None
    calibration: Calibration | None = None
    learning: LearningCurve | None = None
    data: DataCard | None = None
    warnings: Sequence[str] = ()


NO_BACKGROUND = Background()


@dataclass(frozen=True)
class Assessment:
    """A report with the gold sentences it is about, and the predicted tags of each, one per token.

    `texts` are the compared texts, for display: entities of both sides, or the plain tags that are wrong.
    """

    report: Report
    sentences: Sequence[Sentence]
    predicted: Sequence[Sequence[str]]
    texts: Sequence[AlignedText] = field(repr=False)


def assess(
    sentences: Sequence[Sentence],
    predicted: Sequence[Sequence[str]],
    scheme: Scheme,
    scored: Mapping[str, str | int | float],
    background: Background = NO_BACKGROUND,
) -> Assessment:
    """Score predicted tags against those of gold sentences and build the report. Tags are taken as read.

    Args:
        scheme: PLAIN for plain tags; else the span scheme of the gold tags. The predicted tags' scheme is detected.
        scored: description of what is scored, for the report.

    Raises:
        ValueError: the two sides differ in length.
        UserError: seqeval is not installed, or the predicted tags mix schemes.
    """
    gold = [sentence.tags or [] for sentence in sentences]
    plain = scheme is Scheme.PLAIN
    prefixed_tags = [[prefixed(tag, scheme) for tag in tags] for tags in predicted]
    found = scheme if plain else scheme_to_enforce(detect_scheme(prefixed_tags), scheme)
    scores = score(gold, predicted, scheme, found)
    warnings = [*background.warnings, *_scheme_warnings(gold, predicted, scheme, found)]
    texts = _wrong_tags(sentences, predicted) if plain else list(align_tags(sentences, predicted, scheme, found))
    report = _report(
        scores,
        scored,
        replace(background, warnings=warnings),
        texts,
        [one.document for one in sentences],
        "sentences",
        tokens=list(zip([one.tokens for one in sentences], right_tokens(gold, predicted, scheme, found), strict=True)),
        sides=list(zip(gold, predicted, strict=True)) if plain else None,
        illegal={"gold": _legality(gold, scheme), "predicted": _legality(predicted, found)},
    )
    return Assessment(report, sentences, predicted, texts)


def assess_texts(
    texts: Sequence[AlignedText],
    scores: Scores,
    sentences: Sequence[Sentence],
    predicted: Sequence[Sequence[str]],
    scored: Mapping[str, str | int | float],
    background: Background,
) -> Assessment:
    """Build the report of running texts, whose entities were compared by characters. It has no token accuracy.

    `sentences` are the gold sentences of the texts, and `predicted` tags on their tokens.
    """
    documents = [sentences[text.sentence].document for text in texts]
    return Assessment(_report(scores, scored, background, texts, documents, "texts"), sentences, predicted, texts)


def _scheme_warnings(
    gold: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]], scheme: Scheme, found: Scheme
) -> Iterator[str]:
    """Warn if both sides mark entities, but in different schemes."""
    marked = all(any(tag != OUTSIDE for tags in side for tag in tags) for side in (gold, predicted))
    if marked and found is not scheme:
        yield (
            f"gold tags are written in {scheme.upper()}, predicted ones in {found.upper()}: both are compared by "
            "meaning"
        )


def _legality(sequences: Iterable[Sequence[str]], scheme: Scheme) -> Legality:
    """Count tag sequences that break their scheme, and the places where they do."""
    places = [illegal_places(readable_tags(tags, scheme), scheme) for tags in sequences]
    return Legality(scheme.value, sum(map(bool, places)), sum(places))


def _report(
    scores: Scores,
    scored: Mapping[str, str | int | float],
    background: Background,
    texts: Sequence[AlignedText],
    documents: Sequence[str | None],
    unit: str,
    *,
    tokens: TokenMatches | None = None,
    sides: Sequence[tuple[Sequence[str], Sequence[str]]] | None = None,
    illegal: Mapping[str, Legality] | None = None,
) -> Report:
    """Build a report on entities, or on plain tags if `sides` has those. `documents` has that of each unit, if any."""
    units, whole = _units(documents)
    drawn = "documents" if whole else unit
    bootstrap = Bootstrap(units)
    tally = Tally(bootstrap, len(units))
    figures = _of_entities(texts, tally) if sides is None else _of_tags(sides, tally)
    faultless = [all(pair.kind is Kind.CORRECT for pair in text.pairs) for text in texts]
    share, interval = tally.share(list(map(int, faultless)), [1] * len(faultless))
    of_accuracy = None
    if tokens:
        _, of_accuracy = tally.share([sum(right) for _, right in tokens], [len(right) for _, right in tokens])
    main: ScoreSet = figures["entities"] if sides is None else figures["tags"]
    headline = main.micro.interval if sides is None else of_accuracy or main.micro.interval
    known = background.training
    return Report(
        scores=scores,
        scored=dict(scored),
        headline=Headline(scores.headline_name, scores.headline, headline),
        tokens=Tokens(scores.tokens, scores.accuracy, of_accuracy),
        sentences=Sentences(scores.sentences, len(texts), sum(faultless), share, interval),
        illegal=illegal,
        bootstrap=Resampling(drawn, bootstrap.units, bootstrap.resamples, bootstrap.seed, LEVEL),
        seen=score_overlap(known, texts, tally, tokens or [], scores.kind) if known else None,
        calibration=background.calibration,
        learning=background.learning,
        data=background.data,
        warnings=list(background.warnings),
        **figures,
    )


def _of_entities(texts: Sequence[AlignedText], tally: Tally) -> dict[str, Any]:
    events = list(counting.exact_matches(texts))
    credited = {name: counting.credited_pairs(texts, credit) for name, credit in counting.CREDITS.items()}
    return {
        "entities": tally.score_set(events),
        "strict": tally.score_set(counting.exact_matches(texts, strict=True)),
        **{name: ScoreSet(tally.score_set(pairs).micro) for name, pairs in credited.items()},
        "surface": tally.distinct(counting.surface_forms(texts)),
        "errors": counting.entity_errors(texts),
        "lengths": {
            "entities": tally.groups(counting.exact_matches(texts, counting.by_length), counting.ENTITY_LENGTHS),
            "sentences": _by_length(events, [len(text.words) for text in texts], tally),
        },
    }


def _of_tags(sides: Sequence[tuple[Sequence[str], Sequence[str]]], tally: Tally) -> dict[str, Any]:
    events = list(counting.plain_tag_matches(sides))
    return {
        "tags": tally.score_set(events),
        "errors": counting.tag_errors(sides),
        "lengths": {"entities": {}, "sentences": _by_length(events, [len(gold) for gold, _ in sides], tally)},
    }


def _by_length(events: Iterable[Event], lengths: Sequence[int], tally: Tally) -> dict[str, Any]:
    return tally.groups(counting.by_sentence_length(events, lengths), counting.SENTENCE_LENGTHS)


def _wrong_tags(sentences: Sequence[Sentence], predicted: Sequence[Sequence[str]]) -> list[AlignedText]:
    """Align sentences by their wrong plain tags, each as a span of one token."""
    texts = []
    for number, (sentence, tags) in enumerate(zip(sentences, predicted, strict=True)):
        text, words = join_tokens(sentence.tokens)
        gold, found = Side([], []), Side([], [])
        for place, tag, other in zip(words, sentence.tags or [], tags, strict=True):
            if tag != other:
                gold.spans.append(Span(*place, tag))
                found.spans.append(Span(*place, other))
        texts.append(AlignedText(text, words, gold, found, number, sentence.place))
    return texts


def _units(documents: Sequence[str | None]) -> tuple[list[int], bool]:
    """Return the bootstrap unit of each sentence, and whether units are documents."""
    if not drawn_whole(documents):
        return list(range(len(documents))), False
    numbers: dict[str | int, int] = {}
    named = (number if document is None else document for number, document in enumerate(documents))
    return [numbers.setdefault(name, len(numbers)) for name in named], True
