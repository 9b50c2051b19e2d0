"""The language model: which state predicts which word, and the sampled softmax."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch.nn import functional

from tagger.config import EncoderConfig
from tagger.features.predicted_words import END
from tagger.model.batch import TensorBatch
from tagger.model.language_model import LanguageModel, _CandidateLoss
from tagger.pretraining.batches import BatchMaker
from tests.helpers.language_models import SENTENCES, encoder_of, network_of, random_language_model

CPU = torch.device("cpu")


def tensors(sentences: Sequence[list[str]]) -> TensorBatch:
    folder = random_language_model()
    return TensorBatch.of(BatchMaker(encoder_of(folder), folder.predicted).batch(sentences), CPU)


def by_sentence(network: LanguageModel, sentence: list[str]) -> tuple[list[float], list[float]]:
    """Log-probabilities of one sentence: of its words and its end; of its words backwards and its beginning."""
    forward, backward = network.log_probabilities(tensors([sentence])).tolist()
    length = len(sentence)
    return forward, [*backward[:length][::-1], backward[length]]


@pytest.mark.parametrize("merge", ["concat", "sum"])
def test_no_prediction_depends_on_the_word_itself_or_on_what_the_direction_has_not_read(merge: str) -> None:
    encoder = EncoderConfig(hidden_size=6, merge=merge, layer_norm=True)  # type: ignore[arg-type]
    network = network_of(random_language_model(encoder=encoder))
    sentence = ["Ada", "met", "Bo", "in", "Oslo", "."]
    batch = tensors([sentence])
    read: list[torch.Tensor] = []
    network.embeddings.register_forward_hook(lambda *found: read.append(found[2].detach().requires_grad_()) or read[0])
    contexts, targets = network(batch)
    words = batch.tags.tolist()
    assert targets.tolist() == [[*words, END], [*words, END]]
    for position in range(len(sentence) + 1):
        for way, unread in ((0, range(position, len(sentence))), (1, range(min(position + 1, len(sentence))))):
            if way == 1 and position == len(sentence):
                unread = range(0)  # the beginning is predicted from the whole sentence
            (gradient,) = torch.autograd.grad(contexts[way, position].sum(), read[0], retain_graph=True,
                allow_unused=True)  # fmt: skip
            used = set() if gradient is None else set(gradient.abs().sum(dim=1).nonzero().flatten().tolist())
            assert used == set(range(len(sentence))) - set(unread), (way, position)


def test_a_sentence_has_the_same_probabilities_alone_and_among_others() -> None:
    network = network_of(random_language_model())
    together = network.log_probabilities(tensors(SENTENCES)).sum(dim=1)
    alone = [by_sentence(network, sentence) for sentence in SENTENCES]
    expected = [sum(sum(each[way]) for each in alone) for way in (0, 1)]
    torch.testing.assert_close(together, torch.tensor(expected), rtol=1e-4, atol=1e-4)


def test_with_every_word_as_a_candidate_the_loss_is_that_of_the_full_softmax() -> None:
    folder = random_language_model()
    network = network_of(folder)
    everything = np.arange(len(folder.predicted))
    loss = network.sampled_loss(tensors(SENTENCES), everything, np.zeros(len(everything), dtype=np.float32))
    expected = -network.log_probabilities(tensors(SENTENCES)).mean()
    torch.testing.assert_close(loss.detach(), expected)


def test_the_loss_over_candidates_has_the_gradients_of_a_cross_entropy() -> None:
    torch.manual_seed(1)
    contexts, vectors, bias = (torch.randn(*shape, requires_grad=True) for shape in ((2, 5, 3), (7, 3), (2, 7)))
    places = torch.randint(7, (2, 5))
    scores = (contexts @ vectors.T + bias.unsqueeze(1)).flatten(0, 1)
    expected = functional.cross_entropy(scores, places.flatten(), reduction="sum")
    found = _CandidateLoss.apply(contexts, vectors, bias, places)
    torch.testing.assert_close(found, expected)
    inputs = (contexts, vectors, bias)
    for one, other in zip(
        torch.autograd.grad(3 * found, inputs), torch.autograd.grad(3 * expected, inputs), strict=True
    ):
        torch.testing.assert_close(one, other)
