"""Labels renamed after reading, and labels that annotators left open."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagger.corpus.dataset import DataConfig, data_digest, load_split, load_splits
from tagger.corpus.labels import leaves_open
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import PartialLabels, Sentence
from tagger.errors import UserError


def written(folder: Path, *tagged: str) -> str:
    """A column file of sentences such as "Ada/B-person in/O"."""
    blocks = ["".join(f"{word.replace('/', chr(9), 1)}\n" for word in line.split()) for line in tagged]
    (folder / "all.conll").write_text("\n".join(blocks))
    return str(folder / "all.conll")


def read(folder: Path, *tagged: str, **settings: object) -> list[Sentence]:
    path = written(folder, *tagged)
    config = DataConfig.from_mapping({"train": path, "dev": path, "test": path, **settings})
    return load_split(config, "train").sentences


def test_labels_are_renamed_and_others_stay(tmp_path: Path) -> None:
    labels = {"person": "PER", "time": "O"}
    (sentence,) = read(tmp_path, "Ada/B-person Lee/I-person in/O Oslo/B-LOC today/B-time", labels=labels)
    assert sentence.tags == ["B-PER", "I-PER", "O", "B-LOC", "O"]
    assert sentence.partial is None


@pytest.mark.parametrize(
    "tagged",
    [
        "Ada/I-city Oslo/I-country ./O",
        "Ada/I-city Oslo/B-country ./O",
        "Ada/S-city Oslo/S-country ./O",
        "Ada/city Oslo/country ./O",
    ],
)
def test_neighbours_that_get_the_same_label_stay_apart(tmp_path: Path, tagged: str) -> None:
    rest = " ".join(["./O"] * 9)
    (sentence,) = read(tmp_path, f"{tagged} {rest}", labels={"city": "LOC", "country": "LOC"})
    assert (sentence.tags or [])[:3] == ["B-LOC", "B-LOC", "O"]


def test_a_single_mention_can_have_another_label(tmp_path: Path) -> None:
    labels = {"LOC=New Zealander": "MISC", "LOC": "place"}
    (sentence,) = read(tmp_path, "New/B-LOC Zealander/I-LOC in/O New/B-LOC Zealand/I-LOC", labels=labels)
    assert sentence.tags == ["B-MISC", "I-MISC", "O", "B-place", "I-place"]


def test_the_label_of_an_underscore_is_not_known(tmp_path: Path) -> None:
    first, second = read(tmp_path, "Ada/B-PER ran/B-task fast/I-task", "Bo/B-PER ran/O", labels={"task": "_"})
    assert first.tags == ["B-PER", "B-_", "I-_"]
    assert first.partial == PartialLabels()
    assert second.partial is None
    assert [leaves_open(one, ["PER"]) for one in (first, second)] == [True, False]


def test_plain_tags_are_renamed_and_made_unknown(tmp_path: Path) -> None:
    (sentence,) = read(tmp_path, "Ada/PROPN ran/VERB fast/X", scheme="plain", labels={"PROPN": "NOUN", "X": "_"})
    assert sentence.tags == ["NOUN", "VERB", "_"]
    assert sentence.partial == PartialLabels()


def test_unknown_labels_are_not_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "Ada/B-PER ran/B-task ./O")
    config = DataConfig(train=path, dev=path, test=path, labels={"task": "_"})
    assert load_split(config, "train").labels() == {"PER": 1}


def test_labels_known_marks_every_sentence(tmp_path: Path) -> None:
    found = read(tmp_path, "Ada/B-PER ran/O", "we/O ran/B-task", labels={"task": "_"}, labels_known=["PER", "LOC"])
    assert {one.partial for one in found} == {PartialLabels(frozenset({"PER", "LOC"}))}
    assert not leaves_open(found[0], ["PER"])
    assert leaves_open(found[0], ["PER", "ORG"])


def test_without_these_settings_nothing_changes(tmp_path: Path) -> None:
    (sentence,) = read(tmp_path, "Ada/I-PER Lee/B-PER ran/O ./O")
    assert sentence.tags == ["I-PER", "B-PER", "O", "O"]
    assert sentence.partial is None


@pytest.mark.parametrize(
    ("tagged", "settings", "message"),
    [
        (
            "Ada/B-PER ./B-X",
            {"labels_known": ["PER"]},
            r"all.conll:1: label 'X' is not in data.labels_known \(PER\); add",
        ),
        ("Ada/PROPN ran/VERB", {"labels_known": ["X"], "scheme": "plain"}, "data.labels_known is for entities"),
        ("Ada/B ran/O ./O ./O", {"labels": {"PER": "_"}}, r"the label _ .* would count as not known; name it"),
        ("Ada/B ran/O ./O ./O", {"labels_known": ["PER"]}, r"the label _ .* would count as not known; name it"),
        ("Ada/B-PER", {"labels": {"PER": " X"}}, "' X' is no label"),
        ("Ada/B-PER", {"labels": {"PER": "a\tb"}}, "control character"),
        ("Ada/B-PER", {"labels": ["PER"]}, "data.labels: expected a mapping"),
        ("Ada/B-PER", {"labels": {"PER": 1}}, "data.labels.PER: expected str, got 1"),
        ("Ada/B-PER", {"labels": {False: "X"}}, "data.labels: name: expected str, got False"),
        ("Ada/B-PER", {"labels_known": []}, "data.labels_known=.*expected the labels"),
        ("Ada/B-PER", {"labels_known": ["PER", "O"]}, "data.labels_known=.*expected the labels"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path: Path, tagged: str, settings: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path, tagged, **settings)
    assert "\n" not in str(caught.value)


def test_bare_tags_can_get_a_name_or_be_unknown(tmp_path: Path) -> None:
    (named,) = read(tmp_path, "Ada/B Lee/I ran/O ./O", labels={"_": "PER"})
    assert named.tags == ["B-PER", "I-PER", "O", "O"]
    (unknown,) = read(tmp_path, "Ada/B Lee/I ran/O ./O", labels={"_": "_"})
    assert unknown.tags == ["B-_", "I-_", "O", "O"]
    assert unknown.partial == PartialLabels()


def test_names_that_do_not_occur_are_noted_once(tmp_path: Path) -> None:
    path = written(tmp_path, "Ada/B-PER ./O")
    labels = {"PER": "X", "person": "X", "PER=Bo": "Y", "PER=Ada": "Z"}
    splits = load_splits(DataConfig(train=path, dev=path, test=path, labels=labels))
    notes = [note for split in splits.values() for note in split.notes if "data.labels" in note]
    assert notes == ["data.labels: no such label in the data: person, PER=Bo"]


def test_the_digest_depends_on_what_is_known(tmp_path: Path) -> None:
    path = written(tmp_path, "Ada/B-PER ./O")
    given: list[tuple[str, ...] | None] = [None, ("PER",), ("PER", "LOC")]
    configs = [DataConfig(train=path, dev=path, test=path, labels_known=known) for known in given]
    assert len({data_digest(load_splits(config)) for config in configs}) == 3


def test_drawn_splits_keep_their_new_labels(tmp_path: Path) -> None:
    path = written(tmp_path, *(f"w{number}/B-city ./O" for number in range(20)))
    splits = load_splits(DataConfig(train=path, labels={"city": "LOC"}))
    assert {name: set(split.labels()) for name, split in splits.items()} == {key: {"LOC"} for key in splits}
    assert {split.scheme for split in splits.values()} == {Scheme.IOB2}
