"""The losses of partly known tags, against every legal path that the tokens allow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tagger.corpus.schemes import OUTSIDE, Scheme, split_tag
from tagger.corpus.sentence import PartialLabels, Sentence
from tagger.features.encoding import EncodedCorpus, FeatureEncoder
from tagger.model import crf as crf_module
from tagger.model.batch import TensorBatch
from tagger.model.network import TaggerModel
from tagger.model.packing import Packing
from tagger.model.partition import by_halves
from tests.helpers.crf import log_sum, path_score, random_crf
from tests.helpers.legal_paths import SCHEMES, TAGS, legal_paths
from tests.helpers.random_models import NER_TRAIN, random_folder

LENGTHS = [4, 3, 3, 1]
CPU = torch.device("cpu")


@pytest.fixture(params=["step by step", "by halves"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "by halves":
        monkeypatch.setattr(crf_module, "log_partition", by_halves)


def random_case(scheme: Scheme, seed: int) -> tuple[list[Tensor], list[Tensor], list[tuple[int, ...]]]:
    """For each sentence emissions (T, K), allowed tags (T, K) and a legal path inside them."""
    generator = torch.Generator().manual_seed(seed)
    count = len(TAGS[scheme])
    emissions, allowed, gold = [], [], []
    for length in LENGTHS:
        paths = legal_paths(scheme, length)
        path = paths[int(torch.randint(len(paths), (), generator=generator))]
        open_tags = torch.rand(length, count, generator=generator) < 0.4
        open_tags[torch.rand(length, generator=generator) < 0.3] = False
        open_tags[range(length), list(path)] = True
        emissions.append(3 * torch.randn(length, count, generator=generator))
        allowed.append(open_tags)
        gold.append(path)
    return emissions, allowed, gold


def packed(rows: list[Tensor]) -> Tensor:
    return torch.stack([row[step] for step in range(max(LENGTHS)) for row in rows if step < len(row)])


@pytest.mark.parametrize("scheme", SCHEMES)
@given(seed=st.integers(0, 2**16))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_loss_is_that_of_all_allowed_paths_enumerated(scheme: Scheme, seed: int) -> None:
    crf = random_crf(scheme, seed)
    emissions, allowed, gold = random_case(scheme, seed)
    packing = Packing.of(np.array(LENGTHS), CPU)
    losses = crf(packed(emissions), packed([torch.tensor(path) for path in gold]), packing, packed(allowed))
    for row, length in enumerate(LENGTHS):
        paths = legal_paths(scheme, length)
        inside = [path for path in paths if all(allowed[row][step, tag] for step, tag in enumerate(path))]
        every, those = ([path_score(crf, emissions[row], path) for path in some] for some in (paths, inside))
        assert losses[row].item() == pytest.approx(log_sum(every) - log_sum(those), abs=1e-3)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_with_the_gold_tag_alone_it_is_the_ordinary_loss(scheme: Scheme) -> None:
    crf = random_crf(scheme, 3)
    emissions, _, gold = random_case(scheme, 3)
    packing = Packing.of(np.array(LENGTHS), CPU)
    tags = packed([torch.tensor(path) for path in gold])
    only = torch.nn.functional.one_hot(tags, len(TAGS[scheme])).bool()
    torch.testing.assert_close(
        crf(packed(emissions), tags, packing, only), crf(packed(emissions), tags, packing), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_its_gradients_are_those_of_finite_differences(scheme: Scheme) -> None:
    crf = random_crf(scheme, 5).double()
    emissions, allowed, gold = random_case(scheme, 5)
    packing = Packing.of(np.array(LENGTHS), CPU)
    tags = packed([torch.tensor(path) for path in gold])
    parameters = list(crf.parameters())

    def losses(scores: Tensor, *_: Tensor) -> Tensor:
        found: Tensor = crf(scores, tags, packing, packed(allowed))
        return found

    assert torch.autograd.gradcheck(losses, [packed(emissions).double().requires_grad_(), *parameters])


def model_and_batch(
    sentences: list[Sentence], *, decoder: str = "crf", scheme: Scheme = Scheme.BIOES
) -> tuple[TaggerModel, TensorBatch, list[str]]:
    folder = random_folder(decoder=decoder, scheme=scheme)
    model = TaggerModel(folder.config, folder.vocabularies, folder.scheme)
    model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in folder.tensors.items()})
    corpus = EncodedCorpus(sentences, FeatureEncoder(folder.config.embeddings, folder.vocabularies), folder.scheme)
    return model.eval(), TensorBatch.of(corpus.batch(range(len(sentences))), CPU), folder.vocabularies.tags


def partly_known(known: frozenset[str] | None) -> list[Sentence]:
    """The training sentences: the first span of each has an unknown label, or only some labels were annotated."""
    found = []
    for sentence in NER_TRAIN:
        tags = list(sentence.tags or [])
        first = next((split_tag(tag)[1] for tag in tags if tag != OUTSIDE), None)
        if known is None:
            tags = [f"{tag[0]}-_" if tag != OUTSIDE and split_tag(tag)[1] == first else tag for tag in tags]
        else:
            tags = [tag if split_tag(tag)[1] in known else OUTSIDE for tag in tags]
        found.append(Sentence(sentence.tokens, tags, partial=PartialLabels(known)))
    return [sentence for sentence in found if len(sentence)]


def labels_of_training() -> list[str]:
    return sorted({split_tag(tag)[1] for sentence in NER_TRAIN for tag in sentence.tags or () if tag != OUTSIDE})


@pytest.mark.parametrize("known", [None, 1, "all"], ids=str)
@pytest.mark.parametrize("scheme", [Scheme.IOB2, Scheme.BIOES])
@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_every_weight_gets_a_finite_gradient(decoder: str, scheme: Scheme, known: object) -> None:
    labels = labels_of_training()
    kept = None if known is None else frozenset(labels if known == "all" else labels[:1])
    model, batch, _ = model_and_batch(partly_known(kept), decoder=decoder, scheme=scheme)
    assert (batch.allowed is None) == (known == "all")
    loss = model.loss(batch, label_smoothing=0.1, recall_cost=1.0)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(one.grad).all() for one in model.parameters() if one.grad is not None)


def test_the_softmax_loss_is_that_of_the_allowed_tags_together() -> None:
    model, batch, _ = model_and_batch(partly_known(None), decoder="softmax")
    assert batch.allowed is not None
    with torch.no_grad():
        probabilities = model(batch).double().softmax(dim=1)
        loss = model.loss(batch).item()
    expected = -sum(
        float(row[open_tags].sum().log()) for row, open_tags in zip(probabilities, batch.allowed, strict=True)
    )
    assert loss * len(batch.packing.last) == pytest.approx(expected, rel=1e-5)


def test_label_smoothing_leaves_out_tokens_of_several_tags() -> None:
    model, batch, _ = model_and_batch(partly_known(None), decoder="softmax")
    assert batch.allowed is not None
    with torch.no_grad():
        emissions = model(batch).double()
        added = model.loss(batch, label_smoothing=0.2).item() - model.loss(batch).item()
    single = batch.allowed.sum(dim=1) == 1
    assert 0 < int(single.sum()) < len(single)
    above = emissions.gather(1, batch.tags.unsqueeze(1)).squeeze(1) - emissions.mean(dim=1)
    assert added * len(batch.packing.last) == pytest.approx(0.2 * float(above[single].sum()), rel=1e-3, abs=1e-4)


def test_the_recall_cost_is_for_known_entities_only() -> None:
    known = frozenset(labels_of_training()[:1])
    hidden = [one for one in partly_known(known) if set(one.tags or ()) == {OUTSIDE}]
    assert hidden
    model, batch, tags = model_and_batch(hidden)
    assert batch.allowed is not None
    assert bool(batch.allowed[:, tags.index(OUTSIDE)].all())
    assert model.loss(batch, recall_cost=2.0).item() == model.loss(batch).item()
    model, batch, _ = model_and_batch(partly_known(known))
    assert model.loss(batch, recall_cost=2.0).item() > model.loss(batch).item()


def test_known_tags_constrain_their_neighbours() -> None:
    """After a gold S-, an unknown token cannot be inside an entity."""
    label = labels_of_training()[0]
    sentence = Sentence(["a", "b"], [f"B-{label}", "B-_"], partial=PartialLabels())
    model, batch, tags = model_and_batch([sentence])
    with torch.no_grad():
        emissions = model(batch)
    assert model.crf is not None
    first = tags.index(f"S-{label}")
    transitions, start, end = (scores.detach() for scores in model.crf.scores())
    paths = torch.tensor([[a, b] for a in range(len(tags)) for b in range(len(tags))])
    scores = start[paths[:, 0]] + emissions[0][paths[:, 0]] + transitions[paths[:, 0], paths[:, 1]]
    scores = scores + emissions[1][paths[:, 1]] + end[paths[:, 1]]
    expected = scores.logsumexp(dim=0) - scores[paths[:, 0] == first].logsumexp(dim=0)
    assert model.loss(batch).item() == pytest.approx(expected.item(), abs=1e-4)
