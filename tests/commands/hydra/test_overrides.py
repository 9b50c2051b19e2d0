"""Settings told as overrides: what they say makes the settings again."""

from __future__ import annotations

import pytest

from tagger.commands.hydra.hydra_entry import compose
from tagger.commands.hydra.overrides import data_name, overrides_of


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        (["seed=7", "run_dir=x", "resume=true"], []),
        (["data=wnut17", "data.dir=somewhere"], []),
        (["data=crossner", "data.domain=music"], []),
        (["data=conll", "data.train=a.conll", "data.tag_column=3"], ["data.tag_column=3"]),
        (["data=xsid", "data.language=de"], ["data.language=de"]),
        (["embeddings=tiny"], ["embeddings=tiny"]),
        (["experiment=tiny"], ["experiment=tiny"]),
        (["embeddings.static=null"], ["embeddings=tiny"]),
        (["embeddings.static=bundled"], ["embeddings.static=bundled"]),
        (["embeddings.affixes.lengths=[1,2]"], ["embeddings.affixes.lengths=[1,2]"]),
        (["embeddings.word=null"], ["embeddings.word=null"]),
        (["decoder=softmax", "encoder.hidden_size=64"], ["decoder=softmax", "encoder.hidden_size=64"]),
        (["+trainer.barebones=false"], ["+trainer.barebones=false"]),
        (["~trainer.max_steps"], ["~trainer.max_steps"]),
        (["optim.optimizer.lr=0.01", "threads=2"], ["optim.optimizer.lr=0.01", "threads=2"]),
        (["data=en_ner", "data.dir=somewhere"], []),
        (["data=en_ner", "+data.sources.0.weight=2"], ["++data.sources.0.weight=2"]),
        (
            ["data=mix", "data.sources=[{preset:starter},{preset:crossner,domain:ai,weight:2,splits:{train:[dev]}}]"],
            [
                "data.language=en",
                "data.sources=[{preset:starter},{preset:crossner,domain:ai,weight:2,splits:{train:[dev]}}]",
            ],
        ),
    ],
)
def test_only_what_differs_from_the_defaults_is_told(given: list[str], expected: list[str]) -> None:
    assert list(overrides_of(compose("train", given))) == expected


@pytest.mark.parametrize(
    "given",
    [
        ["embeddings=tiny", "trainer.max_epochs=3", "embeddings.characters=null"],
        ["trainer=ddp", "optim.patience=3", "embeddings.affixes.lengths=[4]"],
        ["data=en_ner", "+data.sources.2.splits={train:[train,dev],test:test}", "data.sources.4.domain=music"],
        ["data=mix", "data.sources=[{preset:starter,weight:0.5},{preset:conll,train:a.conll,labels:{A-B:_}}]"],
        ["trainer=debug", "decoder.scheme=iob2", "~trainer.max_steps", "+trainer.barebones=false"],
    ],
)
def test_what_is_told_makes_the_settings_again(given: list[str]) -> None:
    settings = compose("train", [*given, "run_dir=x"])
    data = [override for override in given if override.startswith("data=")]
    assert compose("train", [*data, *overrides_of(settings), "run_dir=x"]) == settings


@pytest.mark.parametrize(
    ("given", "expected"),
    [(["data=crossner", "data.domain=ai"], "crossner/ai"), (["data=snips"], "snips"), (["data.title=mine"], "mine")],
)
def test_data_are_called_by_title_and_domain(given: list[str], expected: str) -> None:
    assert data_name(compose("train", given)) == expected


def test_settings_that_are_newer_than_a_run_are_not_reported_as_removed() -> None:
    now = compose("train", ["optim.warmup=0.2"])
    before = {key: value for key, value in now.items() if key != "distill"}
    before["optim"] = {key: value for key, value in before["optim"].items() if key != "recase"}
    before["data"] = {key: value for key, value in before["data"].items() if key != "labels"}
    assert list(overrides_of(before)) == ["optim.warmup=0.2"]


@pytest.mark.parametrize("group", ["data", "distill"])
def test_labels_are_renamed_by_a_mapping(group: str) -> None:
    assert compose("train", [f"{group}.labels={{LOC: place}}"])[group]["labels"] == {"LOC": "place"}
