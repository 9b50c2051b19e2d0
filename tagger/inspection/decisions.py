"""Measure what a decision depends on: each word, and the CRF's transitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.schemes import Scheme, spans_from_tags
from tagger.corpus.sentence import Span
from tagger.decoding.decoder import Decoder
from tagger.engines.base import Engine
from tagger.model_folder.folder import ModelFolder
from tagger.tensor_shapes import CRF

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
UNKNOWN_WORD = "ꙮ"  # a letter of a single manuscript of 1429, which every vocabulary and table treats as unknown
_ALTERNATIVES = 5
_TOKENS_AT_ONCE = 4096


@dataclass(frozen=True)
class Decision:
    """An entity or a plain tag, with its probability in the sentence and with each word replaced.

    Attributes:
        chosen: whether it is in the output. If the output has no entity, the most probable ones are examined.
        probability: its probability; see `Decoder.span_probabilities`.
        without: (T,) its probability with each word in turn replaced by `UNKNOWN_WORD`.
    """

    span: Span
    chosen: bool
    probability: float
    without: Doubles

    @property
    def contributions(self) -> Doubles:
        """(T,) fall of the probability without each word. Above 0, the word supports the decision."""
        return self.probability - self.without


@dataclass(frozen=True)
class PathStep:
    """A token on the best path.

    Attributes:
        transition: the CRF's score from the tag before. For the first token, the start score. 0 without a CRF.
        lead: the emission minus the highest emission of another tag. Below 0, emissions alone would choose that one.
        alone: the tag with the highest emission.
    """

    tag: str
    emission: float
    transition: float
    lead: float
    alone: str


@dataclass(frozen=True)
class Path:
    """A best path through a sentence. Its score is the sum of its steps' emissions and transitions, and `end`.

    Attributes:
        end: the CRF's score of ending with the last tag; 0 without a CRF.
        probability: of the whole path.
        crf: whether the model has a CRF.
        legal: tags of the best path under emissions and the scheme's rules, without transitions.
    """

    steps: Sequence[PathStep]
    end: float
    probability: float
    crf: bool
    legal: Sequence[str]

    @property
    def score(self) -> float:
        """s(y), the sum that Viterbi maximises."""
        return sum(step.emission + step.transition for step in self.steps) + self.end


def best_path(emissions: Floats, folder: ModelFolder, decoder: Decoder) -> Path:
    """Find the best path through (T, K) emissions, and split its score into emissions and transitions."""
    batch_sizes = np.ones(len(emissions), dtype=np.int64)
    best = decoder.best_paths(emissions, batch_sizes)
    tags = folder.vocabularies.tags
    own = np.take_along_axis(emissions, best[:, None], axis=1)[:, 0]
    others = emissions.copy()
    others[np.arange(len(best)), best] = -np.inf
    crf = folder.config.decoder.kind == "crf"
    transitions, end = np.zeros(len(best)), 0.0
    if crf:
        between, start, last = (folder.tensors[name] for name in CRF)
        transitions[0], transitions[1:], end = start[best[0]], between[best[:-1], best[1:]], float(last[best[-1]])
    leads, alone = own - others.max(axis=1), emissions.argmax(axis=1)
    columns = [column.tolist() for column in (best, own, transitions, leads, alone)]
    steps = [PathStep(tags[tag], e, t, lead, tags[first]) for tag, e, t, lead, first in zip(*columns, strict=True)]
    return Path(
        steps=steps,
        end=end,
        probability=float(np.exp(decoder.lattice(emissions, batch_sizes).log_probability(best)[0])),
        crf=crf,
        legal=[tags[tag] for tag in Decoder(tags, folder.scheme).best_paths(emissions, batch_sizes).tolist()],
    )


def decisions(tokens: Sequence[str], emissions: Floats, engine: Engine, decoder: Decoder) -> list[Decision]:
    """Measure each word's part in the model's decisions about a sentence, by replacing words one at a time.

    Returns:
        For plain tags, a decision per token. Otherwise a decision per entity of the output. If the output has none, the
        entities of the most probable tagging that has one. Empty if none of the best few taggings has an entity.
    """
    spans, chosen = _decisions_to_examine(emissions, decoder)
    if not spans:
        return []
    varied = [[*tokens[:place], UNKNOWN_WORD, *tokens[place + 1 :]] for place in range(len(tokens))]
    at_once = max(1, _TOKENS_AT_ONCE // len(tokens))
    found = [_probabilities(emissions, len(tokens), spans, decoder)]
    for first in range(0, len(varied), at_once):
        some = varied[first : first + at_once]
        emitted = engine.emissions(some, np.full(len(tokens), len(some)))
        found.append(_probabilities(emitted, len(tokens), spans, decoder))
    by_decision = np.concatenate(found).T  # (D, 1 + T)
    return [Decision(span, chosen, float(p[0]), p[1:]) for span, p in zip(spans, by_decision, strict=True)]


def _decisions_to_examine(emissions: Floats, decoder: Decoder) -> tuple[list[Span], bool]:
    """Choose the decisions to examine. Return them, and whether they are in the output."""
    batch_sizes = np.ones(len(emissions), dtype=np.int64)
    if decoder.scheme is Scheme.PLAIN:
        tags = decoder.decode(emissions, batch_sizes)[0]
        return [Span(place, place + 1, tag) for place, tag in enumerate(tags)], True
    for rank, tagging in enumerate(decoder.alternatives(emissions, batch_sizes, _ALTERNATIVES)[0]):
        if spans := spans_from_tags(tagging.tags):
            return spans, rank == 0
    return [], False


def _probabilities(emissions: Floats, length: int, spans: Sequence[Span], decoder: Decoder) -> Doubles:
    """Compute the (B, D) probabilities of D decisions in B sentences of equal length. Emissions are packed by time."""
    sentences = len(emissions) // length
    batch_sizes = np.full(length, sentences)
    if decoder.scheme is not Scheme.PLAIN:
        return np.array(decoder.span_probabilities(emissions, batch_sizes, [spans] * sentences))
    marginals = decoder.lattice(emissions, batch_sizes).marginals().reshape(length, sentences, -1)
    return np.stack([marginals[span.start, :, decoder.tags.index(span.label)] for span in spans], axis=1)
