"""A CRF with random scores, and the score of a path by its definition."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from tagger.corpus.schemes import Scheme
from tagger.model.crf import LinearChainCRF
from tests.helpers.legal_paths import TAGS


def random_crf(scheme: Scheme, seed: int) -> LinearChainCRF:
    torch.manual_seed(seed)
    crf = LinearChainCRF(TAGS[scheme], scheme)
    for parameter in crf.parameters():
        torch.nn.init.normal_(parameter)
    return crf


def path_score(crf: LinearChainCRF, emissions: Tensor, path: tuple[int, ...]) -> float:
    """The score of one path by its definition, in double precision; `emissions` is (T, K)."""
    score = crf.start[path[0]].item() + crf.end[path[-1]].item()
    score += sum(emissions[step, tag].item() for step, tag in enumerate(path))
    return score + sum(crf.transitions[before, after].item() for before, after in itertools.pairwise(path))


def log_sum(scores: list[float]) -> float:
    highest = max(scores)
    return highest + math.log(sum(math.exp(score - highest) for score in scores))
