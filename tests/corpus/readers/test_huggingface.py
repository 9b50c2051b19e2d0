"""Hugging Face data sets out of local folders, and the Hub where there is none."""

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tagger.corpus.readers.account import OnError, ReadReport
from tagger.corpus.readers.huggingface import PARQUET_BRANCH, find_split, open_dataset, read_huggingface
from tagger.corpus.readers.records import RecordFields
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer
from tagger.errors import UserError

datasets = pytest.importorskip("datasets")

NAMES = ["O", "B-PER", "I-PER"]
TOKENS = [["Bo", "Ek"], [], ["met"]]
TAGS = [[1, 2], [], [0]]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    cache = tmp_path / "cache"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    datasets.disable_progress_bars()
    yield cache
    datasets.enable_progress_bars()


def numbered(names: list[str] | None = NAMES) -> object:
    tag = datasets.Value("int64") if names is None else datasets.ClassLabel(names=names)
    features = datasets.Features({"tokens": datasets.List(datasets.Value("string")), "ner_tags": datasets.List(tag)})
    return datasets.Dataset.from_dict({"tokens": TOKENS, "ner_tags": TAGS}, features=features)


def read(dataset: object, on_error: OnError = OnError.STOP, **fields: object) -> tuple[list[Sentence], ReadReport]:
    report = ReadReport("set/train", on_error)
    tokenizer = get_tokenizer("whitespace")
    found = read_huggingface(dataset, report, tokenizer=tokenizer, fields=RecordFields(**fields))  # type: ignore[arg-type]
    return list(found), report


def parquet_folder(folder: Path) -> Path:
    folder.mkdir()
    for name in ("train", "validation-00000-of-00001"):
        numbered().to_parquet(str(folder / f"{name}.parquet"))  # type: ignore[attr-defined]
    return folder


def saved_folder(folder: Path) -> Path:
    splits = {"train": numbered(), "validation": numbered()}
    datasets.DatasetDict(splits).save_to_disk(str(folder))
    return folder


def json_folder(folder: Path) -> Path:
    folder.mkdir()
    rows = zip(TOKENS, TAGS, strict=True)
    text = "".join(json.dumps({"tokens": tokens, "tags": [NAMES[tag] for tag in tags]}) + "\n" for tokens, tags in rows)
    for name in ("train", "validation"):
        (folder / f"{name}.jsonl").write_text(text)
    return folder


@pytest.mark.parametrize("make", [parquet_folder, saved_folder, json_folder])
def test_a_local_folder_is_read_without_filling_the_cache(
    make: Callable[[Path], Path], tmp_path: Path, own_cache: Path
) -> None:
    splits = open_dataset(str(make(tmp_path / "set")))
    dev = find_split(splits, "dev")
    assert (find_split(splits, "train"), dev, find_split(splits, "test")) == ("train", "validation", None)
    sentences, report = read(splits["validation"])
    assert [(s.tokens, s.tags) for s in sentences] == [(["Bo", "Ek"], ["B-PER", "I-PER"]), (["met"], ["O"])]
    assert sentences[1].place == "set/train:3"
    assert (report.sentences.kept, report.lines.kept) == (2, 3)
    assert not own_cache.exists() or not list(own_cache.rglob("*.arrow"))


def test_a_single_saved_data_set_is_train(tmp_path: Path) -> None:
    numbered().save_to_disk(str(tmp_path / "one"))  # type: ignore[attr-defined]
    assert list(open_dataset(str(tmp_path / "one"))) == ["train"]


def test_numbers_without_names_ask_for_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"set/train: 'ner_tags' holds numbers without names; set data\.tag_names"):
        read(numbered(None))
    assert read(numbered(None), tag_names=tuple(NAMES))[0][0].tags == ["B-PER", "I-PER"]


def test_names_that_are_set_go_before_those_of_the_data_set() -> None:
    assert read(numbered(), tag_names=("O", "B-X", "I-X"))[0][0].tags == ["B-X", "I-X"]


def test_other_columns_can_be_named() -> None:
    dataset = datasets.Dataset.from_dict({"form": [["a"]], "pos": [["NOUN"]], "tags": [["x"]]})
    assert read(dataset, tokens="form", tags="pos")[0][0].tags == ["NOUN"]


def test_running_text_with_spans_is_tokenised() -> None:
    dataset = datasets.Dataset.from_dict(
        {"text": ["in New York"], "entities": [[{"start": 3, "end": 11, "label": "LOC"}]]}
    )
    assert read(dataset)[0][0].tags == ["O", "B-LOC", "I-LOC"]


def test_a_malformed_record_is_told_by_place_or_skipped() -> None:
    dataset = datasets.Dataset.from_dict({"tokens": [["a"], ["b"]], "tags": [["O"], ["O", "O"]]})
    with pytest.raises(UserError, match="set/train:2: 1 tokens but 2 tags"):
        read(dataset)
    sentences, report = read(dataset, OnError.SKIP)
    assert (len(sentences), report.sentences.rejected) == (1, 1)


def test_a_split_can_be_named_and_must_be_there() -> None:
    assert find_split({"a": 1, "train": 2}, "train", "a") == "a"
    with pytest.raises(UserError, match=r"data\.dev=b: no such split; the data set has a"):
        find_split({"a": 1}, "dev", "b")


@pytest.mark.parametrize(
    ("path", "problem"),
    [("missing/", "no such folder"), ("file", "a file; set data.path to a folder"), ("empty", "cannot be read")],
)
def test_folders_that_hold_no_data_set_are_told(tmp_path: Path, path: str, problem: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=problem):
        open_dataset(f"{tmp_path}/{path}")


@pytest.mark.parametrize(("name", "content"), [("train.parquet", b"not parquet"), ("train.json", b'{"a":')])
def test_broken_files_are_told_in_a_line_and_not_logged_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    logged: list[logging.LogRecord] = []
    watch = logging.Handler()
    monkeypatch.setattr(watch, "emit", logged.append)
    monkeypatch.setattr(logging.getLogger("datasets"), "handlers", [watch])
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as a data set") as caught:
        read(open_dataset(str(tmp_path))["train"])
    assert "\n" not in str(caught.value)
    assert logged == []


def test_a_dataset_script_in_a_folder_is_not_looked_for_on_the_hub(tmp_path: Path) -> None:
    (tmp_path / f"{tmp_path.name}.py").write_text("raise SystemExit")
    with pytest.raises(UserError, match=r"scripts are no longer supported.*; check data\.path"):
        open_dataset(str(tmp_path))


@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.parametrize("revision", [None, PARQUET_BRANCH])
def test_an_unreachable_hub_fails_at_once(monkeypatch: pytest.MonkeyPatch, offline: bool, revision: str | None) -> None:
    def refuse(*_: object, **__: object) -> None:
        if offline:
            pytest.fail("asked for a connection though HF_HUB_OFFLINE=1")
        raise OSError("no network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", offline)
    begin = time.perf_counter()
    with pytest.raises(UserError, match="owner/name: cannot reach the Hugging Face Hub"):
        open_dataset("owner/name", subset="x", revision=revision)
    assert time.perf_counter() - begin < 5
    assert datasets.config.HF_HUB_OFFLINE is offline
