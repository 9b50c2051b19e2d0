"""Data sets in: settings to splits."""

import json
from pathlib import Path

import pytest

from tagger.corpus.dataset import (
    SPLITS,
    DataConfig,
    DocumentRanges,
    Split,
    load_split,
    load_splits,
)
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError


def corpus(sentences: int, documents: int = 0) -> str:
    """Column text, each sentence a word of its own, over as many documents."""
    lines = []
    for number in range(sentences):
        if documents and number % (sentences // documents) == 0:
            lines.append("-DOCSTART- O\n")
        lines.append(f"w{number} B-X\nx O\n")
    return "\n".join(lines)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.conll").write_text(corpus(60))
    (tmp_path / "documents.conll").write_text(corpus(60, 20))
    (tmp_path / "dev.conll").write_text(corpus(5))
    (tmp_path / "test.conll").write_text(corpus(7))
    return tmp_path


@pytest.mark.parametrize(
    "settings",
    [
        {"train": "train.conll", "dev": "dev.conll", "test": "test.conll"},
        {"train": "train.conll", "dev": "dev.conll"},
        {"train": "train.conll", "test": "test.conll"},
        {"train": "train.conll"},
        {"train": "documents.conll", "dev_fraction": 0.3, "split_seed": 5},
        {"train": "documents.conll", "documents": {"train": "1-10", "dev": "11-15", "test": "16-"}},
    ],
)
def test_a_split_loaded_alone_is_the_one_loaded_with_the_others(folder: Path, settings: dict) -> None:
    config = DataConfig.from_mapping({"dir": str(folder), **settings})
    splits = load_splits(config)
    assert tuple(splits) == SPLITS
    for name in SPLITS:
        alone = load_split(config, name)
        assert alone.sentences == splits[name].sentences
        assert (alone.name, alone.scheme, alone.notes) == (name, splits[name].scheme, splits[name].notes)
        assert alone.reports


def test_named_splits_are_read_whole_without_notes(folder: Path) -> None:
    splits = load_splits(DataConfig(dir=str(folder), train="train.conll", dev="dev.conll", test="test.conll"))
    assert [len(split.sentences) for split in splits.values()] == [60, 5, 7]
    assert not any(split.notes for split in splits.values())
    assert [split.reports[0].source for split in splits.values()] == [
        str(folder / f"{name}.conll") for name in ("train", "dev", "test")
    ]


def test_missing_splits_are_drawn_from_train_and_say_so(folder: Path) -> None:
    splits = load_splits(DataConfig(dir=str(folder), train="documents.conll"))
    assert [len(split.sentences) for split in splits.values()] == [48, 6, 6]
    assert "6 of 60 sentences" in splits["dev"].notes[0]
    assert "drawn by document (data.split_seed=1)" in splits["dev"].notes[0]
    assert splits["train"].notes == ["train: 48 sentences, without what was drawn for test and dev"]
    assert [len(split.reports) for split in splits.values()] == [1, 0, 0]
    assert splits["train"].reports[0].sentences.kept == 60


def test_document_ranges_cut_one_file(folder: Path) -> None:
    ranges = DocumentRanges(train="1-10", dev="11-15", test="16-")
    splits = load_splits(DataConfig(dir=str(folder), train="documents.conll", documents=ranges))
    assert [len(split.sentences) for split in splits.values()] == [30, 15, 15]
    assert splits["test"].notes == [f"test: documents 16- of {folder / 'documents.conll'}"]


def test_the_test_split_needs_no_train(folder: Path) -> None:
    assert len(load_split(DataConfig(dir=str(folder), test="test.conll"), "test").sentences) == 7


def test_files_are_relative_to_the_working_directory_or_absolute(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert len(load_split(DataConfig(test="test.conll"), "test").sentences) == 7
    absolute = DataConfig(test=str(folder / "test.conll"), origin="https://x", path="owner/name")
    assert len(load_split(absolute, "test").sentences) == 7


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"trian": "x"}, "data.trian: no such setting; did you mean train"),
        ({"tag_column": "3"}, "data.tag_column: expected int, got '3'"),
        ({"format": "conll"}, "data.format: 'conll' is not one of columns, conllu"),
        ({"documents": {"train": "1-2"}}, "data.documents.dev: missing"),
        ({"on_error": "warn"}, "data.on_error: 'warn' is not one of stop, skip"),
    ],
)
def test_wrong_settings_are_told_by_name(settings: dict, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        DataConfig.from_mapping(settings)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "data=data: data.test is not set; set it to a file"),
        ({"test": "none.conll"}, r"none.conll: no such file; check the path"),
        ({"test": "empty.conll"}, "empty.conll: no sentences; is this the right file"),
        ({"test": "blank.conll"}, "blank.conll: no sentences"),
        ({"test": "broken.conll"}, r"broken.conll:2: 1 column .* \(data.on_error=skip drops such sentences\)"),
        (
            {"test": "broken.conll", "on_error": "skip"},
            "no sentences left, 1 read = 0 kept .* the first at .*:2: 1 col",
        ),
        ({"test": "mixed.conll"}, "mixed.conll: tags of mixed schemes"),
        ({"test": "plain.conll", "scheme": "iob2"}, "tag 'NN' has no prefix as data.scheme=iob2 has"),
        ({"dir": "nowhere", "test": "test.conll"}, "data.dir=nowhere: no such folder"),
        ({"format": "huggingface"}, "set data.path to a Hub id or a folder"),
        (
            {"title": "n", "origin": "https://x", "train": "f"},
            r"data=n: set data.dir to the folder that holds f \(https",
        ),
        ({"format": "jsonl", "test": "test.conll", "tokenizer": "x"}, "tokenizer 'x' is unknown"),
        ({"train": "test.conll", "dev_fraction": 1.5}, "data.dev_fraction=1.5"),
        ({"test": "no/*.conll"}, r"data.test=no/\*.conll: no file matches this pattern in /"),
        ({"test": ["test.conll", "no.conll"]}, "no.conll: no such file"),
        ({"test": ["test.conll", "./te*"]}, "data.test: test.conll is named twice"),
        ({"test": []}, r"data.test=\[\]: an empty list; name a file"),
        ({"test": 5}, "data.test: expected str or a list, got 5"),
        ({"test": [5]}, r"data.test\[0\]: expected str, got 5"),
        ({"test": ["test.conll", "empty.conll"]}, "empty.conll: no sentences"),
        ({"test": "mixed.conll"}, r"'NN' .* \(in the sentence at mixed.conll:1\)"),
        (
            {"format": "parallel", "test": "tset"},
            "tset: no such folder, which should hold seq.in and seq.out .*tsetseq.in",
        ),
    ],
)
def test_what_cannot_be_loaded_is_told_in_a_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, settings: dict, problem: str
) -> None:
    monkeypatch.chdir(folder)
    files = {"empty": "", "blank": "\n\t\n", "broken": "a O\nb\n", "mixed": "a NN\nb B-X\n", "plain": "a NN\nb VB\n"}
    for name, text in files.items():
        Path(f"{name}.conll").write_text(text)
    with pytest.raises(UserError, match=problem) as caught:
        load_split(DataConfig.from_mapping(settings), "test")
    assert "\n" not in str(caught.value)


def test_tags_in_small_letters_are_plain_only_if_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "small.conll"
    path.write_text("Bo\tb-per\nmet\to\n")
    with pytest.raises(UserError, match=r"small.conll:1\), where O and prefixes"):
        load_split(DataConfig(test=str(path)), "test")
    split = load_split(DataConfig(test=str(path), scheme="plain"), "test")
    assert (split.scheme, split.sentences[0].tags) == (Scheme.PLAIN, ["b-per", "o"])


def test_a_split_in_several_files(folder: Path) -> None:
    (folder / "parts").mkdir()
    for name in ("b", "a", "c"):
        (folder / "parts" / f"{name}.conll").write_text(corpus(30, 10).replace("w", name))
    (folder / "parts" / "a.txt").write_text("not a part\n")
    for train in (
        ["parts/a.conll", "parts/b.conll", "parts/c.conll"],
        "parts/*.conll",
        ["parts/[a-b].conll", "**/c.conll"],
    ):
        split = load_split(
            DataConfig.from_mapping({"dir": str(folder), "train": train, "dev": "d", "test": "t"}), "train"
        )
        assert [sentence.tokens[0] for sentence in split.sentences[::30]] == ["a0", "b0", "c0"]
        assert [report.source for report in split.reports] == [
            str(folder / "parts" / f"{name}.conll") for name in "abc"
        ]
        assert [report.sentences.kept for report in split.reports] == [30, 30, 30]
        assert len({sentence.document for sentence in split.sentences}) == 30
        assert split.account().count("30 read = 30 kept") == 3


def test_a_file_of_train_and_of_another_split_is_warned_of(folder: Path) -> None:
    splits = load_splits(DataConfig(dir=str(folder), train="t*.conll", dev="../" + folder.name + "/train.conll"))
    told = {name: [note for note in split.notes if note.startswith("warning")] for name, split in splits.items()}
    assert (told["train"], told["test"]) == ([], [])
    (line,) = told["dev"]
    assert line.endswith("train.conll: in data.train, too; dev scores say nothing about new text")
    assert f"  {line}" in splits["dev"].account().splitlines()


def test_splits_are_drawn_from_all_files(folder: Path) -> None:
    config = DataConfig(dir=str(folder), train=("train.conll", "documents.conll"), dev="dev.conll")
    splits = load_splits(config)
    assert len(splits["train"].sentences) + len(splits["test"].sentences) == 120
    assert f"of 120 sentences of {folder / 'train.conll'} and 1 more" in splits["test"].notes[-1]


def test_a_name_with_the_letters_of_a_pattern_is_a_name(folder: Path) -> None:
    (folder / "a[1].conll").write_text("a O\n")
    (folder / "a1.conll").write_text("b O\n")
    config = DataConfig(dir=str(folder), test="a[1].conll")
    assert load_split(config, "test").sentences[0].tokens == ["a"]


def test_a_pattern_of_parallel_data_stands_for_folders(folder: Path) -> None:
    for name in ("x1", "x2"):
        (folder / name).mkdir()
        (folder / name / "seq.in").write_text(f"{name}\n")
        (folder / name / "seq.out").write_text("B-X\n")
    (folder / "x3").write_text("a file")
    split = load_split(DataConfig(dir=str(folder), format="parallel", test="x*"), "test")
    assert [sentence.tokens for sentence in split.sentences] == [["x1"], ["x2"]]


def test_bare_labels_beside_many_o_are_read_as_spans_and_say_so(tmp_path: Path) -> None:
    path = tmp_path / "few.txt"
    path.write_text("Bo\tperson\nEk\tperson\nmet\tO\nthe\tO\nday\tO\n")
    split = load_split(DataConfig(test=str(path)), "test")
    assert split.scheme is Scheme.IO
    assert split.sentences[0].tags == ["I-person", "I-person", "O", "O", "O"]
    assert "labels without a prefix read as spans: person as I-person" in split.notes[0]


@pytest.mark.parametrize("setting", ["auto", "bioes"])
def test_bare_bioes_tags_mark_spans_of_one_type_without_a_name_and_say_so(tmp_path: Path, setting: str) -> None:
    path = tmp_path / "few.txt"
    path.write_text("New\tB\nYork\tE\nand\tO\nBonn\tS\n")
    split = load_split(DataConfig.from_mapping({"test": str(path), "scheme": setting}), "test")
    assert split.scheme is Scheme.BIOES
    assert split.sentences[0].tags == ["B-_", "E-_", "O", "S-_"]
    assert split.labels() == {"_": 2}
    assert split.notes == [f"{path}: bare tags B, E, S read as spans of one type without a name (_)"]


@pytest.mark.parametrize(
    ("scheme", "tags"), [("plain", ["person", "O"]), ("io", ["I-person", "O"]), ("auto", ["person", "O"])]
)
def test_the_scheme_can_be_set(tmp_path: Path, scheme: str, tags: list[str]) -> None:
    path = tmp_path / "few.txt"
    path.write_text("Bo\tperson\nmet\tO\n")
    assert load_split(DataConfig.from_mapping({"test": str(path), "scheme": scheme}), "test").sentences[0].tags == tags


def test_longer_sentences_are_left_out_of_train_alone_and_counted(tmp_path: Path) -> None:
    for name in SPLITS:
        (tmp_path / name).write_text("a O\nb O\n\na O\nb O\nc B-X\n\nd O\n")
    settings = {"dir": str(tmp_path), "max_length": 2, **{name: name for name in SPLITS}}
    splits = load_splits(DataConfig.from_mapping(settings))
    assert {name: [len(one) for one in split.sentences] for name, split in splits.items()} == {
        "train": [2, 1],
        "dev": [2, 3, 1],
        "test": [2, 3, 1],
    }
    assert (
        splits["train"].notes[0]
        == "train: left out 1 sentence of more than 2 tokens, 3 tokens in all (data.max_length)"
    )
    assert not [note for name in ("dev", "test") for note in splits[name].notes if "left out" in note]
    assert load_split(DataConfig.from_mapping(settings), "train").sentences == splits["train"].sentences


def test_splits_drawn_from_train_keep_their_long_sentences(folder: Path) -> None:
    path = folder / "train.conll"
    path.write_text(f"{corpus(60)}\n" + "\n".join("a O\n" * 9 for _ in range(60)))
    settings = {"dir": str(folder), "train": "train.conll"}
    whole, cut = (load_splits(DataConfig.from_mapping(settings | more)) for more in ({}, {"max_length": 5}))
    assert {name: cut[name].sentences for name in ("dev", "test")} == {
        name: whole[name].sentences for name in ("dev", "test")
    }
    assert cut["train"].sentences == [one for one in whole["train"].sentences if len(one) <= 5]
    assert max(map(len, cut["dev"].sentences)) == 9


@pytest.mark.parametrize(
    ("limit", "problem"), [(0, "data.max_length=0: expected at least 1"), (1, "every sentence of train is longer")]
)
def test_a_limit_that_leaves_no_sentence_is_refused(folder: Path, limit: int, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        load_split(DataConfig(dir=str(folder), train="train.conll", max_length=limit), "train")


def test_labels_are_counted_by_entity_or_by_plain_tag() -> None:
    sentences = [Sentence(["a", "b", "c"], ["B-X", "I-X", "B-Y"]), Sentence(["d", "e"], ["O", "B-X"])]
    assert Split("dev", sentences, Scheme.IOB2, []).labels() == {"X": 2, "Y": 1}
    assert Split("dev", sentences, Scheme.PLAIN, []).labels() == {"B-X": 2, "I-X": 1, "B-Y": 1, "O": 1}


def test_splits_of_plain_tags_and_of_spans_do_not_go_together(folder: Path) -> None:
    (folder / "plain.conll").write_text("a NN\nb VB\n")
    config = DataConfig(dir=str(folder), train="train.conll", dev="dev.conll", test="plain.conll")
    with pytest.raises(UserError, match=r"tags mark spans in some splits only .*test plain.*; set data\.scheme"):
        load_splits(config)


def test_each_format_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.conllu").write_text("1\ta\ta\tX\tB-X\t_\t_\t_\t_\t_\n")
    (tmp_path / "x.jsonl").write_text('{"tokens": ["a"], "tags": ["B-X"]}\n')
    (tmp_path / "x.in").write_text("a\n")
    (tmp_path / "x.out").write_text("B-X\n")
    export = [
        {"data": {"text": "a"}, "annotations": [{"result": [{"value": {"start": 0, "end": 1, "labels": ["X"]}}]}]}
    ]
    (tmp_path / "x.json").write_text(json.dumps(export))
    (tmp_path / "folder").mkdir()
    for name in ("seq.in", "seq.out"):
        (tmp_path / "folder" / name).write_text("a\n" if name == "seq.in" else "B-X\n")
    for settings in (
        {"format": "conllu", "test": "x.conllu", "token_column": 1, "tag_column": 4},
        {"format": "jsonl", "test": "x.jsonl"},
        {"format": "parallel", "test": "folder"},
        {"format": "parallel", "test": "x", "token_file": ".in", "tag_file": ".out"},
        {"format": "labelstudio", "test": "x.json"},
    ):
        (sentence,) = load_split(DataConfig.from_mapping({"dir": str(tmp_path), **settings}), "test").sentences
        assert (sentence.tokens, sentence.tags) == (["a"], ["B-X"])


def test_a_local_folder_of_a_hugging_face_data_set_is_a_data_set(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    for name in ("train", "valid"):
        (tmp_path / f"{name}.jsonl").write_text('{"tokens": ["a"], "tags": ["B-X"]}\n' * 20)
    config = DataConfig(format="huggingface", path=str(tmp_path))
    assert [len(split.sentences) for split in load_splits(config).values()] == [18, 20, 2]
    with pytest.raises(UserError, match="no such split; the data set has train, validation"):
        load_split(DataConfig(format="huggingface", path=str(tmp_path), test="exam"), "test")
