"""The state of the training loader: from wherever it was kept, the rest of the epoch follows."""

from __future__ import annotations

from typing import Any

import pytest

from tagger.errors import UserError
from tagger.features.encoding import EncodedCorpus, FeatureEncoder
from tagger.training.epoch_corpora import EpochCorpora
from tagger.training.loader import TrainingLoader
from tests.helpers.random_models import NER_TRAIN, random_folder


def loader_of(**settings: Any) -> TrainingLoader:
    folder = random_folder()
    corpus = EncodedCorpus(NER_TRAIN * 4, FeatureEncoder(folder.config.embeddings, folder.vocabularies), folder.scheme)
    return TrainingLoader(EpochCorpora(NER_TRAIN * 4, corpus), **{"budget": 12, "seed": 1, **settings})


def rest(loader: TrainingLoader) -> list[list[int]]:
    return [step.batch.sentences.tolist() for step in loader]


def test_the_state_between_and_within_batches_leads_to_those_that_follow() -> None:
    before: list[dict[str, Any]] = []  # where training keeps checkpoints
    loader = loader_of(before_batch=lambda number: before.append(loader.state_dict()))
    for epoch in range(2):
        before.clear()
        loader.set_epoch(epoch)
        whole, after = [], []
        for step in loader:
            whole.append(step.batch.sentences.tolist())
            after.append(loader.state_dict())
        assert len(whole) > 2
        for number in range(len(whole)):
            for state, next_batch in ((before[number], number), (after[number], number + 1)):
                resumed = loader_of()
                resumed.load_state_dict(state)
                resumed.set_epoch(epoch)
                assert rest(resumed) == whole[next_batch:]


def test_a_resumed_epoch_can_be_kept_before_its_first_batch() -> None:
    loader = loader_of()
    whole = rest(loader)
    states: list[dict[str, Any]] = []
    resumed = loader_of(before_batch=lambda number: states.append(resumed.state_dict()))
    resumed.load_state_dict({**loader.state_dict(), "given": 2})
    assert rest(resumed) == whole[2:]
    assert [state["given"] for state in states] == list(range(2, len(whole)))


def test_the_epoch_after_the_one_resumed_is_whole() -> None:
    loader = loader_of()
    loader.load_state_dict({**loader.state_dict(), "given": 2})
    loader.set_epoch(1)
    other = loader_of()
    other.set_epoch(1)
    assert rest(loader) == rest(other)
    loader.set_epoch(0)
    assert rest(loader) == rest(loader_of())


@pytest.mark.parametrize("other", [{"budget": 13}, {"seed": 2}, {"processes": 2}])
def test_the_middle_of_an_epoch_of_other_batches_is_refused(other: dict[str, int]) -> None:
    state = {**loader_of().state_dict(), "given": 1}
    loader = loader_of(**other)
    loader.load_state_dict(state)
    with pytest.raises(UserError, match="whose batches were others"):
        next(iter(loader))
    fresh = loader_of(**other)
    fresh.load_state_dict({**state, "given": 0})
    assert rest(fresh) == rest(loader_of(**other))
