"""The state of the training loader: from wherever it was kept, the rest of the epoch follows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from tagger.errors import UserError
from tagger.features.encoding import EncodedCorpus, FeatureEncoder
from tagger.training.epoch_corpora import EpochCorpora
from tagger.training.loader import TrainingLoader
from tests.helpers.random_models import NER_TRAIN, random_folder


def loader_of(*, copies: int = 4, **settings: Any) -> TrainingLoader:
    """Make a loader of copies of the sentences, 33 tokens in 5 sentences that are not empty."""
    folder = random_folder()
    sentences = NER_TRAIN * copies
    corpus = EncodedCorpus(sentences, FeatureEncoder(folder.config.embeddings, folder.vocabularies), folder.scheme)
    return TrainingLoader(EpochCorpora(sentences, corpus), **{"budget": 12, "seed": 1, **settings})


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


@pytest.mark.parametrize("other", [{"budget": 13}, {"seed": 2}, {"processes": 2}, {"copies": 5}])
def test_the_middle_of_an_epoch_of_other_batches_is_refused(other: dict[str, int]) -> None:
    state = {**loader_of().state_dict(), "given": 1}
    loader = loader_of(**other)
    loader.load_state_dict(state)
    with pytest.raises(UserError, match="whose batches were others"):
        next(iter(loader))
    fresh = loader_of(**other)
    fresh.load_state_dict({**state, "given": 0})
    assert rest(fresh) == rest(loader_of(**other))


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_share_an_epoch_and_weigh_by_their_sentences(processes: int) -> None:
    """The mean over processes of weight times mean is the mean over all sentences of the step."""
    loaders = [loader_of(process=process, processes=processes, budget=9) for process in range(processes)]
    shares = [list(loader) for loader in loaders]
    assert [len(share) for share in shares] == list(map(len, loaders))
    numbers = [number for share in shares for step in share for number in step.batch.sentences.tolist()]
    assert sorted(numbers) == [number for number, sentence in enumerate(NER_TRAIN * 4) if sentence.tokens]
    sums = [10.0, 20.0, 30.0][:processes]  # of the losses of each process's sentences
    for steps in zip(*shares, strict=True):
        counts = [len(step.batch.sentences) for step in steps]
        weighted = [step.weight * one / count for step, one, count in zip(steps, sums, counts, strict=True)]
        assert sum(weighted) / processes == pytest.approx(sum(sums) / sum(counts))
    assert processes == 1 or any(step.weight != 1 for share in shares for step in share)


def random_numbers_after(loader: Any) -> list[float]:
    torch.manual_seed(5)
    next(iter(loader))
    return torch.rand(4).tolist()


def test_an_epoch_draws_as_many_random_numbers_as_pytorch_s_loader_if_it_is_not_continued() -> None:
    assert random_numbers_after(loader_of()) == random_numbers_after(DataLoader([0.0]))
    continued = loader_of()
    continued.load_state_dict({**continued.state_dict(), "given": 1})
    torch.manual_seed(5)
    expected = torch.rand(4).tolist()
    assert random_numbers_after(continued) == expected


def test_batches_are_made_after_the_call_that_precedes_them() -> None:
    calls: list[int] = []
    loader = loader_of(before_batch=calls.append)
    assert [len(calls) for _ in loader] == list(range(1, len(loader) + 1))
    assert calls == list(range(len(loader)))


def test_an_epoch_can_be_repeated_from_its_beginning() -> None:
    loader = loader_of()
    whole = rest(loader)
    assert rest(loader) == whole
    continued = loader_of()
    continued.load_state_dict({**continued.state_dict(), "given": 2})
    assert rest(continued) == whole[2:]
    assert rest(continued) == whole


def test_a_state_kept_before_training_leads_to_the_whole_epoch() -> None:
    resumed = loader_of()
    resumed.load_state_dict(loader_of().state_dict())
    assert rest(resumed) == rest(loader_of())
