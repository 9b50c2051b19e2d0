"""The sources of a mix of data sets are completed by their presets."""

from __future__ import annotations

from typing import Any

import pytest

from tagger.commands.hydra.hydra_entry import compose
from tagger.commands.hydra.mixed_sources import with_presets, without_presets
from tagger.commands.hydra.overrides import describe_differences
from tagger.corpus.dataset import DataConfig
from tagger.errors import UserError


def sources(*given: str) -> list[dict[str, Any]]:
    found = compose("train", ["data=mix", f"data.sources=[{','.join(given)}]"])["data"]["sources"]
    assert isinstance(found, list)
    return found


def test_a_source_has_all_settings_of_its_preset_and_its_own() -> None:
    wnut, crossner = sources("{preset:wnut17,weight:2,dir:x,labels:{person:PER}}", "{preset:crossner,domain:ai}")
    alone = compose("train", ["data=wnut17", "data.dir=x"])["data"]
    assert wnut == {**alone, "labels": {"person": "PER"}, "preset": "wnut17", "weight": 2, "splits": None}
    assert (crossner["train"], crossner["dev"]) == ("ai/train.txt", "ai/dev.txt")


def test_a_source_without_a_preset_has_the_defaults() -> None:
    (own,) = sources("{train:a.conll,title:mine}")
    assert own == {**compose("train", ["data=conll"])["data"], "train": "a.conll", "title": "mine", "preset": "base",
                   "weight": 1.0, "splits": None}  # fmt: skip


def test_completing_again_changes_nothing() -> None:
    settings = compose("train", ["data=en_ner"])

    def complete(name: str, given: Any) -> dict[str, Any]:
        return {**compose("train", [f"data={name}"])["data"], **given}

    assert with_presets(settings, complete) == settings


def test_a_short_source_is_completed_to_the_same() -> None:
    def complete(name: str, given: Any) -> dict[str, Any]:
        return {"title": name, "weight_of": 1, "domain": None, **given}

    short = {"preset": "a", "domain": "x", "weight": 2.0, "title": "b"}
    (source,) = with_presets(
        {"data": {"sources": [short], "language": "en"}}, lambda *of: {"language": "en", **complete(*of)}
    )["data"]["sources"]
    assert without_presets(source, lambda *of: {"language": "en", **complete(*of)}) == short


@pytest.mark.parametrize(
    ("given", "language"),
    [
        (["{preset:starter}", "{preset:wnut17}"], "en"),
        (["{preset:starter}", "{preset:uner_da_ddt}"], None),
        (["{preset:conll}"], None),
    ],
)
def test_the_language_is_that_of_all_sources(given: list[str], language: str | None) -> None:
    settings = compose("train", ["data=mix", f"data.sources=[{','.join(given)}]"])
    assert settings["data"]["language"] == language


def test_a_given_language_stays() -> None:
    assert (
        compose("train", ["data=mix", "data.language=de", "data.sources=[{preset:starter}]"])["data"]["language"]
        == "de"
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{preset:startr}", r"data.sources\[0\] \(startr\): no such preset; there are .*starter"),
        ("{preset:starter,titel:x}", r"data.sources\[0\] \(starter\): titel: no such setting; did you mean title"),
        ("starter", r"data.sources\[0\]: expected settings, as in {preset: wnut17}, got 'starter'"),
    ],
)
def test_what_is_unknown_is_one_line(source: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        sources(source)
    assert "\n" not in str(caught.value)


def test_sources_that_are_no_list_are_refused() -> None:
    with pytest.raises(UserError, match=r"data.sources: expected a list, got 'starter'"):
        DataConfig.from_mapping(compose("train", ["data=mix", "data.sources=starter"])["data"])


def test_a_run_that_cannot_be_resumed_names_the_setting_of_a_source() -> None:
    before, now = (compose("train", ["data=en_ner", f"+data.sources.1.weight={weight}"]) for weight in (1, 3))
    assert describe_differences(before, now) == "data.sources.1.weight was 1, not 3"
