"""Several data sets in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tagger.corpus.dataset import SPLITS, DataConfig, Split, data_digest, load_split, load_splits
from tagger.corpus.schemes import Scheme
from tagger.errors import UserError


def write(folder: Path, name: str, *tagged: str, document: str = "") -> None:
    folder.mkdir(exist_ok=True)
    blocks = ["".join(f"{word.replace('/', chr(9), 1)}\n" for word in line.split()) for line in tagged]
    (folder / f"{name}.conll").write_text("\n".join([f"-DOCSTART-\t{document}\n", *blocks] if document else blocks))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two data sets. One has documents, the other IO tags."""
    for name, size in (("train", 8), ("dev", 2), ("test", 2)):
        own = (f"{name}{number}/B-person met/O Bo/B-person" for number in range(size))
        write(tmp_path / "people", name, *own, document=f"{name}-1")
        write(tmp_path / "places", name, *(f"in/O {name}{number}/I-city ./O ./O" for number in range(size)))
    return tmp_path


FILES = {"train": "train.conll", "dev": "dev.conll", "test": "test.conll"}
PEOPLE = {"title": "people", "dir": "people", "labels": {"person": "PER"}, **FILES}
PLACES = {"title": "places", "dir": "places", "labels": {"city": "LOC"}, **FILES}


def config(folder: Path, *sources: dict[str, Any], **settings: Any) -> DataConfig:
    mix = {"title": "both", "format": "mix", "dir": str(folder), "sources": list(sources), **settings}
    return DataConfig.from_mapping(mix)


def first_words(split: Split) -> list[str]:
    return [sentence.tokens[0] if sentence.tokens[0] != "in" else sentence.tokens[1] for sentence in split.sentences]


def test_splits_are_joined_in_the_order_of_the_sources(folder: Path) -> None:
    splits = load_splits(config(folder, PEOPLE, PLACES))
    assert list(splits) == list(SPLITS)
    assert [len(split.sentences) for split in splits.values()] == [16, 4, 4]
    assert first_words(splits["dev"]) == ["dev0", "dev1", "dev0", "dev1"]
    assert splits["test"].labels() == {"PER": 4, "LOC": 2}
    assert {split.scheme for split in splits.values()} == {Scheme.IOB2}
    assert splits["dev"].sentences[-1].tags == ["O", "B-LOC", "O", "O"]


def test_reports_and_notes_name_every_source(folder: Path) -> None:
    splits = load_splits(config(folder, {**PEOPLE, "labels": {"person": "PER", "other": "X"}}, PLACES))
    account = splits["train"].account()
    assert str(folder / "people" / "train.conll") in account
    assert str(folder / "places" / "train.conll") in account
    assert "train: sentences by source: people 8, places 8" in account
    assert "people: data.labels: no such label in the data: other" in account


def test_document_ids_have_the_source_in_front(folder: Path) -> None:
    splits = load_splits(config(folder, PEOPLE, PLACES))
    assert [one.document for one in splits["dev"].sentences] == ["people: dev-1", "people: dev-1", None, None]


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_loaded_alone_is_the_one_loaded_with_the_others(folder: Path, name: str) -> None:
    mix = config(folder, {**PEOPLE, "weight": 1.5}, {**PLACES, "splits": {"train": ["train", "dev"], "dev": "test"}})
    splits = load_splits(mix) if name != "test" else load_splits(config(folder, PEOPLE, PLACES))
    alone = load_split(mix if name != "test" else config(folder, PEOPLE, PLACES), name)  # type: ignore[arg-type]
    assert alone.sentences == splits[name].sentences


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        (None, (16, 4, 4)),
        ({"train": ["train", "dev"], "test": "test"}, (18, 2, 4)),
        ({"train": "dev"}, (10, 2, 2)),
        ({"dev": ["dev", "test"], "train": "train", "test": []}, (16, 6, 2)),
    ],
    ids=str,
)
def test_splits_of_a_source_go_where_it_says(folder: Path, given: Any, sizes: tuple[int, ...]) -> None:
    splits = load_splits(config(folder, PEOPLE, {**PLACES, "splits": given}))
    assert tuple(len(split.sentences) for split in splits.values()) == sizes


def test_a_split_that_is_not_used_is_not_read(folder: Path) -> None:
    (folder / "places" / "test.conll").unlink()
    splits = load_splits(config(folder, PEOPLE, {**PLACES, "splits": {"train": "train", "dev": "dev"}}))
    assert len(splits["test"].sentences) == 2


@pytest.mark.parametrize(("weight", "size"), [(1, 8), (2, 16), (0.5, 4), (2.5, 20), (0.25, 2)])
def test_the_weight_is_how_often_sentences_are_in_train(folder: Path, weight: float, size: int) -> None:
    mix = config(folder, PEOPLE, {**PLACES, "weight": weight})
    splits = load_splits(mix)
    own = first_words(splits["train"])[8:]
    assert len(own) == size
    assert {own.count(f"train{number}") for number in range(8)} <= {int(weight), int(weight) + 1}
    assert [len(splits[name].sentences) for name in ("dev", "test")] == [4, 4]
    assert first_words(load_splits(mix)["train"])[8:] == own
    assert any("by its weight" in note for note in splits["train"].notes) == (weight != 1)


def test_the_seed_decides_which_half(folder: Path) -> None:
    halves = {
        tuple(first_words(load_split(config(folder, PEOPLE, {**PLACES, "weight": 0.5}, split_seed=seed), "train")))
        for seed in range(1, 6)
    }
    assert len(halves) > 1


def test_sentences_of_dev_and_test_are_left_out_of_train(folder: Path) -> None:
    write(folder / "places", "train", "in/O dev1/I-city ./O ./O", "dev0/O met/O Bo/O", "at/O Rome/I-city ./O ./O")
    splits = load_splits(config(folder, PEOPLE, PLACES))
    assert [one.tokens[0] for one in splits["train"].sentences][8:] == ["at"]
    assert "train: places: left out 2 sentences whose words are also in dev or test" in splits["train"].notes
    alone = load_splits(DataConfig.from_mapping({**PLACES, "dir": str(folder / "places")}))
    assert len(alone["train"].sentences) == 3


def test_partly_known_labels_stay_with_their_source(folder: Path) -> None:
    splits = load_splits(config(folder, PEOPLE, {**PLACES, "labels_known": ["LOC"]}))
    assert [one.partial and one.partial.known for one in splits["dev"].sentences] == [
        *[None] * 2,
        *[frozenset({"LOC"})] * 2,
    ]


def test_the_digest_depends_on_weights(folder: Path) -> None:
    mixes = [config(folder, PEOPLE, {**PLACES, "weight": weight}) for weight in (1, 2)]
    digests = [data_digest(load_splits(mix)) for mix in (*mixes, mixes[0])]
    assert digests[0] == digests[2] != digests[1]


def test_longer_sentences_are_left_out_of_the_joined_train(folder: Path) -> None:
    splits = load_splits(config(folder, PEOPLE, PLACES, max_length=3))
    assert [len(split.sentences) for split in splits.values()] == [8, 4, 4]


def test_plain_tags_are_mixed_too(folder: Path) -> None:
    for name in SPLITS:
        write(folder / "people", name, f"{name}/NOUN ran/VERB")
        write(folder / "places", name, f"{name}/PROPN fell/VERB")
    plain = [{**PEOPLE, "labels": None}, {**PLACES, "labels": {"PROPN": "NOUN"}}]
    splits = load_splits(config(folder, *plain))
    assert splits["train"].scheme is Scheme.PLAIN
    assert splits["train"].labels() == {"NOUN": 2, "VERB": 2}


def test_malformed_lines_are_skipped_in_all_sources(folder: Path) -> None:
    (folder / "places" / "train.conll").write_text("in\tO\nRome\n\nat\tO\nOslo\tI-city\n.\tO\n")
    with pytest.raises(UserError, match=r"source places: .*train.conll:2: .*1 column"):
        load_splits(config(folder, PEOPLE, PLACES))
    splits = load_splits(config(folder, PEOPLE, PLACES, on_error="skip"))
    assert len(splits["train"].sentences) == 9


def plain_places(folder: Path) -> None:
    for name in SPLITS:
        write(folder / "places", name, f"{name}/NOUN ran/VERB")


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([], "data=both: data.sources is empty; list the data sets"),
        ([PEOPLE, PEOPLE], "data.sources: two are called people; give one of them another title"),
        (
            [PEOPLE, {**PLACES, "dir": "nowhere"}],
            "source places: .*nowhere: no such folder; set data.dir to the folder",
        ),
        ([PEOPLE, {**PLACES, "weight": 0}], "source places: weight=0.*: expected a number above 0"),
        ([PEOPLE, {**PLACES, "weight": "x"}], r"source places: data.sources\[1\].weight: expected float"),
        ([{**PEOPLE, "tag_columm": 2}], r"source people: data.sources\[0\].tag_columm: no such setting; did you mean"),
        ([{**PEOPLE, "splits": {"valid": "dev"}}], "source people: splits: 'valid' is not one of train, dev, test"),
        ([{**PEOPLE, "splits": {"train": "valid"}}], "source people: splits: 'valid' is not one of train, dev, test"),
        ([{**PEOPLE, "splits": {"train": ["dev", "dev"]}}], "source people: splits: dev is used twice"),
        ([{**PEOPLE, "splits": {"train": "dev", "dev": "dev"}}], "source people: splits: dev is used twice"),
        ([{**PEOPLE, "splits": {"train": "train"}}], "data=both: no source has sentences for dev; see splits"),
        ([{"format": "mix", "title": "x"}], "source x: data.format=mix: a mix inside a mix"),
        ([{**PEOPLE, "labels_known": ["X"]}], "source people: .*label 'PER' is not in data.labels_known"),
        (
            [{**PEOPLE, "train": None, "splits": {"train": "train"}}],
            "source people: data=people: data.train is not set",
        ),
    ],
)
def test_what_is_wrong_names_the_source(folder: Path, sources: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load_splits(config(folder, *sources))
    assert "\n" not in str(caught.value)


def test_sources_of_two_kinds_are_refused(folder: Path) -> None:
    plain_places(folder)
    with pytest.raises(UserError, match="source places has plain tags, source people has entities"):
        load_splits(config(folder, PEOPLE, {**PLACES, "labels": None}))


@pytest.mark.parametrize(
    "setting", [{"train": "a.conll"}, {"labels": {"a": "b"}}, {"labels_known": ["a"]}, {"domain": "x"}]
)
def test_settings_that_have_no_effect_are_refused(folder: Path, setting: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"data.{next(iter(setting))}"):
        config(folder, PEOPLE, **setting)


def test_sources_need_the_format(folder: Path) -> None:
    with pytest.raises(UserError, match=r"data.sources: needs data.format=mix, not columns; take data=mix"):
        config(folder, PEOPLE, format="columns")
