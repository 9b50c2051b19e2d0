"""What a decision rests on: each word's part in it, and that of the CRF's transitions."""

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
UNKNOWN_WORD = (
    "ꙮ"  # a letter that was written once, in 1429: no vocabulary has it, and every table takes it for unknown
)
_ALTERNATIVES = 5
_TOKENS_AT_ONCE = 4096


@dataclass(frozen=True)
class Decision:
    """An entity or a plain tag, and how probable it is with every word in its place and without each of them.

    Attributes:
        span: its tokens and label; of a plain tag one token.
        chosen: whether it is in the output; where there is no entity in it, the most probable ones are looked at.
        probability: P of it, see `Decoder.span_probabilities`.
        without: (T,) the same with each word in turn replaced by `UNKNOWN_WORD`, all others staying where they are.
    """

    span: Span
    chosen: bool
    probability: float
    without: Doubles

    @property
    def contributions(self) -> Doubles:
        """(T,) by how much the probability falls without each word: above 0 where the word speaks for it."""
        return self.probability - self.without


@dataclass(frozen=True)
class PathStep:
    """A token on the best path.

    Attributes:
        tag: the model's, in its own scheme.
        emission: its emission there.
        transition: the CRF's score from the tag before, of the first token the start score; 0 without a CRF.
        lead: the emission less the highest of any other tag's there: below 0, emissions alone would choose another.
        alone: the tag of the highest emission.
    """

    tag: str
    emission: float
    transition: float
    lead: float
    alone: str


@dataclass(frozen=True)
class Path:
    """The best path through a sentence: the emissions and transitions of its steps, and `end`, sum to its score.

    Attributes:
        steps: one for each token.
        end: the CRF's score of ending with the last tag; 0 without a CRF.
        probability: of the whole path.
        crf: whether there is one.
        legal: the tags of the best path by the emissions and the scheme's rules, without transitions.
    """

    steps: Sequence[PathStep]
    end: float
    probability: float
    crf: bool
    legal: Sequence[str]

    @property
    def score(self) -> float:
        """s(y), the sum that Viterbi makes as large as can be."""
        return sum(step.emission + step.transition for step in self.steps) + self.end


def path_of(emissions: Floats, folder: ModelFolder, decoder: Decoder) -> Path:
    """The best path and what of its score comes from where.

    Args:
        emissions: (T, K).
        folder: the model, whose scheme and CRF count.
        decoder: its decoder.
    """
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
    """What the model decides of a sentence, and each word's part in it by leaving words out.

    Args:
        tokens: the sentence's T.
        emissions: (T, K) of the sentence as it is.
        engine, decoder: the model's.

    Returns:
        Of plain tags one for each token. Otherwise one for each entity of the output or, where there is none, of the
        most probable other tagging that has one; nothing where none of the first few has.
    """
    wanted, chosen = _wanted(emissions, decoder)
    if not wanted:
        return []
    varied = [[*tokens[:place], UNKNOWN_WORD, *tokens[place + 1 :]] for place in range(len(tokens))]
    at_once = max(1, _TOKENS_AT_ONCE // len(tokens))
    found = [_probabilities(emissions, len(tokens), wanted, decoder)]
    for first in range(0, len(varied), at_once):
        some = varied[first : first + at_once]
        emitted = engine.emissions(some, np.full(len(tokens), len(some)))
        found.append(_probabilities(emitted, len(tokens), wanted, decoder))
    by_decision = np.concatenate(found).T  # (D, 1 + T)
    return [Decision(span, chosen, float(p[0]), p[1:]) for span, p in zip(wanted, by_decision, strict=True)]


def _wanted(emissions: Floats, decoder: Decoder) -> tuple[list[Span], bool]:
    """The decisions to look at, and whether they are in the output."""
    batch_sizes = np.ones(len(emissions), dtype=np.int64)
    if decoder.scheme is Scheme.PLAIN:
        tags = decoder.decode(emissions, batch_sizes)[0]
        return [Span(place, place + 1, tag) for place, tag in enumerate(tags)], True
    for rank, tagging in enumerate(decoder.alternatives(emissions, batch_sizes, _ALTERNATIVES)[0]):
        if spans := spans_from_tags(tagging.tags):
            return spans, rank == 0
    return [], False


def _probabilities(emissions: Floats, length: int, wanted: Sequence[Span], decoder: Decoder) -> Doubles:
    """(B, D) of the decisions in each of B sentences of one length, emissions packed by time."""
    sentences = len(emissions) // length
    batch_sizes = np.full(length, sentences)
    if decoder.scheme is not Scheme.PLAIN:
        return np.array(decoder.span_probabilities(emissions, batch_sizes, [wanted] * sentences))
    marginals = decoder.lattice(emissions, batch_sizes).marginals().reshape(length, sentences, -1)
    return np.stack([marginals[span.start, :, decoder.tags.index(span.label)] for span in wanted], axis=1)
