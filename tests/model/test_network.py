"""The whole network: its tensors, emissions and losses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from tagger.corpus.schemes import Scheme, convert_tags, may_follow
from tagger.corpus.sentence import Sentence
from tagger.features.encoding import Batch, EncodedCorpus, FeatureEncoder
from tagger.features.soft_targets import SoftTargets
from tagger.model.batch import TensorBatch
from tagger.model.network import TaggerModel
from tagger.model_folder.folder import ModelFolder
from tagger.tensor_shapes import expected_shapes
from tests.helpers.padded import padded
from tests.helpers.random_models import NER_TRAIN, PARTS, POS_TRAIN, random_folder, random_words

CPU = torch.device("cpu")
LENGTHS = [7, 3, 3, 1, 5]


def model_of(folder: ModelFolder) -> TaggerModel:
    model = TaggerModel(folder.config, folder.vocabularies, folder.scheme)
    model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in folder.tensors.items()})
    return model.eval()


def encoded(folder: ModelFolder, sentences: list[Sentence]) -> EncodedCorpus:
    return EncodedCorpus(sentences, FeatureEncoder(folder.config.embeddings, folder.vocabularies), folder.scheme)


def batch_of(folder: ModelFolder, sentences: list[Sentence]) -> Batch:
    return encoded(folder, sentences).batch(range(len(sentences)))


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("left_out", [None, *PARTS])
def test_the_model_folder_expects_the_tensors_of_the_model(decoder: str, layers: int, left_out: str | None) -> None:
    parts = [part for part in PARTS if part != left_out]
    folder = random_folder(decoder=decoder, layers=layers, parts=parts)
    model = TaggerModel(folder.config, folder.vocabularies, folder.scheme)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert expected_shapes(folder.config, folder.vocabularies) == shapes


@pytest.mark.parametrize("layers", [1, 2])
def test_a_batch_of_one_equals_a_batch_of_many(layers: int) -> None:
    folder = random_folder(layers=layers)
    model = model_of(folder)
    sentences = [Sentence(words) for words in random_words(LENGTHS)]
    batch = batch_of(folder, sentences)
    with torch.no_grad():
        tensors = TensorBatch.of(batch, CPU)
        together = padded(model(tensors), tensors.packing)
        for row, number in enumerate(batch.sentences):
            alone = model(TensorBatch.of(batch_of(folder, [sentences[number]]), CPU))
            torch.testing.assert_close(together[row, : LENGTHS[number]], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("scheme", [Scheme.IOB2, Scheme.BIOES])
def test_the_crf_loss_is_the_mean_over_sentences(scheme: Scheme) -> None:
    folder = random_folder(scheme=scheme)
    model = model_of(folder)
    sentences = [sentence for sentence in NER_TRAIN if len(sentence)]
    alone = [model.loss(TensorBatch.of(batch_of(folder, [sentence]), CPU)).item() for sentence in sentences]
    together = model.loss(TensorBatch.of(batch_of(folder, sentences), CPU)).item()
    assert all(loss > 0 for loss in alone)
    assert together == pytest.approx(np.mean(alone), rel=1e-5)


def test_the_softmax_loss_is_summed_over_a_sentence_s_tokens() -> None:
    folder = random_folder(scheme=Scheme.PLAIN, decoder="softmax")
    model = model_of(folder)
    assert model.crf is None
    batch = batch_of(folder, POS_TRAIN)
    tensors = TensorBatch.of(batch, CPU)
    with torch.no_grad():
        emissions = padded(model(tensors), tensors.packing).double().numpy()
        loss = model.loss(tensors).item()
    total = 0.0
    for row, length in enumerate(batch.lengths):
        for step in range(length):
            scores = emissions[row, step]
            total += np.log(np.exp(scores).sum()) - scores[batch.tags[row, step]]
    assert loss == pytest.approx(total / len(POS_TRAIN), rel=1e-5)


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_every_weight_learns_and_padding_does_not(decoder: str) -> None:
    folder = random_folder(decoder=decoder, layers=2)
    model = model_of(folder)
    model.loss(TensorBatch.of(batch_of(folder, NER_TRAIN), CPU)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name
        if "table" in name:
            assert not parameter.grad[0].any(), name


def test_a_few_steps_make_the_loss_fall() -> None:
    folder = random_folder()
    model = model_of(folder)
    tensors = TensorBatch.of(batch_of(folder, NER_TRAIN), CPU)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    before = model.loss(tensors).item()
    for _ in range(30):
        optimizer.zero_grad()
        loss = model.loss(tensors)
        loss.backward()
        optimizer.step()
    assert loss.item() < before / 4


def test_label_smoothing_of_softmax_is_pytorchs() -> None:
    folder = random_folder(decoder="softmax")
    model = model_of(folder)
    tensors = TensorBatch.of(batch_of(folder, NER_TRAIN), CPU)
    with torch.no_grad():
        emissions, gold = model(tensors), tensors.tags
        loss = model.loss(tensors, label_smoothing=0.2).item()
    expected = torch.nn.functional.cross_entropy(emissions, gold, label_smoothing=0.2, reduction="sum")
    assert loss == pytest.approx(expected.item() / len(tensors.packing.last), rel=1e-5)


@pytest.mark.parametrize("scheme", [Scheme.IOB2, Scheme.BIOES])
def test_label_smoothing_of_a_crf_puts_in_the_mean_over_tags_possible_in_that_place(scheme: Scheme) -> None:
    folder = random_folder(scheme=scheme)
    model, tags = model_of(folder), folder.vocabularies.tags
    batch = batch_of(folder, NER_TRAIN)
    tensors = TensorBatch.of(batch, CPU)
    with torch.no_grad():
        emissions = padded(model(tensors), tensors.packing).double().numpy()
        added = model.loss(tensors, label_smoothing=0.1).item() - model.loss(tensors).item()
    expected = 0.0
    for row, length in enumerate(batch.lengths.tolist()):
        for step in range(length):
            possible = [
                number
                for number, tag in enumerate(tags)
                if (step > 0 or may_follow(scheme, None, tag)) and (step < length - 1 or may_follow(scheme, tag, None))
            ]
            scores = emissions[row, step]
            expected += 0.1 * (scores[batch.tags[row, step]] - scores[possible].mean())
    assert added == pytest.approx(expected / len(batch.lengths), rel=1e-3)


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_the_recall_cost_is_added_to_o_where_an_entity_is(decoder: str) -> None:
    folder = random_folder(decoder=decoder)
    model = model_of(folder)
    outside = folder.vocabularies.tags.index("O")
    everywhere = [Sentence(["Anna", "Smith"], ["B-PER", "I-PER"])]
    nowhere = [Sentence(["the", "cat"], ["O", "O"])]
    with torch.no_grad():
        tensors = TensorBatch.of(batch_of(folder, everywhere), CPU)
        costly = model.loss(tensors, recall_cost=0.7).item()
        model.emissions.bias[outside] += 0.7
        assert costly == pytest.approx(model.loss(tensors).item(), rel=1e-5)
        tensors = TensorBatch.of(batch_of(folder, nowhere), CPU)
        assert model.loss(tensors, recall_cost=0.7).item() == pytest.approx(model.loss(tensors).item(), rel=1e-6)


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_certain_soft_targets_are_learned_like_gold_tags(decoder: str, smoothing: float) -> None:
    """Only the first two sentences have gold tags; label smoothing applies to them alone."""
    folder = random_folder(decoder=decoder)
    model, encoder = model_of(folder), FeatureEncoder(folder.config.embeddings, folder.vocabularies)
    sentences = [sentence for sentence in NER_TRAIN if sentence.tokens]
    tags = folder.vocabularies.tags
    paths = [[tags.index(tag) for tag in convert_tags(one.tags or [], folder.scheme)] for one in sentences[2:]]
    soft = SoftTargets(
        marginals=np.concatenate([np.eye(len(tags), dtype=np.float16)[path] for path in paths]),
        starts=np.cumsum([0, *map(len, paths)]),
        places=np.array([a * len(tags) + b for path in paths for a, b in itertools.pairwise(path)]),
        counts=np.ones(sum(len(path) - 1 for path in paths), dtype=np.float32),
        bounds=np.cumsum([0, *(len(path) - 1 for path in paths)]),
    )
    without_tags = [*sentences[:2], *(Sentence(one.tokens) for one in sentences[2:])]
    numbers = [3, 0, 2, 1]
    learned = EncodedCorpus(without_tags, encoder, folder.scheme, soft=soft).batch(numbers)
    gold = EncodedCorpus(sentences, encoder, folder.scheme)
    with torch.no_grad():
        found = model.loss(TensorBatch.of(learned, CPU), label_smoothing=smoothing)
        expected = model.loss(TensorBatch.of(gold.batch(numbers), CPU))
        if smoothing:
            smoothed, plain = (model.loss(TensorBatch.of(gold.batch([0, 1]), CPU), label_smoothing=s) for s in (0.1, 0))
            expected = expected + (smoothed - plain) * 2 / len(numbers)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_plain_tags_are_learned_from_soft_targets(decoder: str) -> None:
    """Sentences without gold tags have no O that a model of plain tags could know."""
    folder = random_folder(scheme=Scheme.PLAIN, decoder=decoder)
    tags = folder.vocabularies.tags
    first, second = POS_TRAIN
    path = [tags.index(tag) for tag in second.tags or []]
    soft = SoftTargets(
        marginals=np.eye(len(tags), dtype=np.float16)[path],
        starts=np.array([0, len(path)]),
        places=np.array([a * len(tags) + b for a, b in itertools.pairwise(path)]),
        counts=np.ones(len(path) - 1, dtype=np.float32),
        bounds=np.array([0, len(path) - 1]),
    )
    encoder = FeatureEncoder(folder.config.embeddings, folder.vocabularies)
    learned = EncodedCorpus([first, Sentence(second.tokens)], encoder, folder.scheme, soft=soft)
    model, gold = model_of(folder), encoded(folder, [first, second])
    with torch.no_grad():
        found, expected = (model.loss(TensorBatch.of(corpus.batch([0, 1]), CPU)) for corpus in (learned, gold))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
