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
pyarrow = pytest.importorskip("pyarrow")
pytest.importorskip("pyarrow.parquet")

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


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The addresses that somebody tries to connect to, in vain."""
    addresses: list[object] = []

    def refuse(_: socket.socket, address: object) -> None:
        addresses.append(address)
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return addresses


RECORD = json.dumps({"tokens": ["a"], "tags": ["O"]}) + "\n"
METADATA: dict[str, Callable[[str], str]] = {
    "README.md": lambda config: f"---\nconfigs:\n- config_name: default\n  {config}\n---\n# A set\n",
    ".huggingface.yaml": lambda config: f"configs:\n- config_name: default\n  {config}\n",
}


def folder_with(tmp_path: Path, name: str, config: str) -> Path:
    """A folder with a split, metadata that hold `config`, and a file and a folder beside it."""
    folder = tmp_path / "set"
    for path in (folder / "train.jsonl", tmp_path / "outside.jsonl", tmp_path / "more" / "train.jsonl"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(RECORD)
    (folder / name).write_text(METADATA[name](config.replace("TMP", str(tmp_path))))
    return folder


@pytest.mark.parametrize("name", METADATA)
@pytest.mark.parametrize(
    ("config", "named"),
    [
        ('data_files: "http://127.0.0.1:9/train.jsonl"', "http://127.0.0.1:9/train.jsonl"),
        ('data_files: ["train.jsonl", "http://127.0.0.1:9/x.jsonl"]', "http://127.0.0.1:9/x.jsonl"),
        ('data_files: [{split: train, path: "http://127.0.0.1:9/x.jsonl"}]', "http://127.0.0.1:9/x.jsonl"),
        ('data_files: [{split: train, path: [train.jsonl, "../outside.jsonl"]}]', "../outside.jsonl"),
        ("data_files: sub/../../outside.jsonl", "sub/../../outside.jsonl"),
        ("data_files: TMP/outside.jsonl", "/outside.jsonl"),
        ("data_files: file:TMP/outside.jsonl", "file:/"),
        ("data_files: ~/outside.jsonl", "~/outside.jsonl"),
        ('data_files: "zip://x.jsonl::http://127.0.0.1:9/x.zip"', "zip://x.jsonl::http://127.0.0.1:9/x.zip"),
        ('data_files: "hf://datasets/a/b/x.jsonl"', "hf://datasets/a/b/x.jsonl"),
        ("data_dir: ..", ".."),
        ("data_dir: ../more", "../more"),
        ("data_dir: TMP/more", "/more"),
    ],
)
def test_metadata_that_name_data_elsewhere_are_refused_and_nothing_is_fetched(
    tmp_path: Path, tried: list[object], name: str, config: str, named: str
) -> None:
    folder = folder_with(tmp_path, name, config)
    with pytest.raises(UserError, match="which is outside of the folder; copy the data into the folder") as caught:
        open_dataset(str(folder))
    assert str(caught.value).startswith(f"{folder / name}: names '")
    assert named in str(caught.value)
    assert tried == []


def test_files_that_metadata_led_to_are_checked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tagger.corpus.readers.huggingface.check_metadata", lambda *_: None)
    folder = folder_with(tmp_path, "README.md", "data_files: [train.jsonl, ../outside.jsonl]")
    with pytest.raises(UserError, match=r"outside\.jsonl', which is outside of the folder"):
        open_dataset(str(folder))


@pytest.mark.parametrize("name", METADATA)
def test_metadata_that_name_data_of_the_folder_are_followed(tmp_path: Path, name: str) -> None:
    folder = folder_with(tmp_path, name, "data_files: [{split: validation, path: tr*.jsonl}]")
    splits = open_dataset(str(folder))
    assert list(splits) == ["validation"]
    assert read(splits["validation"])[0][0].tokens == ["a"]


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_link_that_leads_out_of_a_data_set_is_refused(tmp_path: Path, what: str) -> None:
    folder = folder_with(tmp_path, "README.md", "data_files: tr*.jsonl")
    (folder / "data").symlink_to(tmp_path / ("more" if what == "folder" else "outside.jsonl"))
    with pytest.raises(UserError, match=r"data: a link to .*, outside of the folder; copy the file itself"):
        open_dataset(str(folder))


@pytest.mark.parametrize("outside", ["../other/data.arrow", "/TMP/other/data.arrow", "x::http://127.0.0.1:9/x"])
def test_a_saved_split_that_names_a_file_elsewhere_is_refused(
    tmp_path: Path, tried: list[object], outside: str
) -> None:
    folder = saved_folder(tmp_path / "set")
    state = json.loads((folder / "train" / "state.json").read_text())
    state["_data_files"] = [{"filename": outside}]
    (folder / "train" / "state.json").write_text(json.dumps(state))
    with pytest.raises(UserError, match=r"train/state.json: names .*, which is outside of the folder"):
        open_dataset(str(folder))
    assert tried == []


def test_a_saved_data_set_that_names_splits_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = saved_folder(tmp_path / "set")
    (folder / "train").rename(tmp_path / "train")
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": ["../train"]}))
    with pytest.raises(UserError, match=r"dataset_dict.json: names '../train', which is outside of the folder"):
        open_dataset(str(folder))


def test_files_of_a_format_that_may_refer_to_others_are_refused(tmp_path: Path) -> None:
    (tmp_path / "train.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(UserError, match="files of the kind 'hdf5'; expected Parquet, JSON or Arrow files"):
        open_dataset(str(tmp_path))


@pytest.mark.parametrize("name", ["README.md", "dataset_infos.json"])
def test_a_text_that_metadata_call_an_image_is_not_fetched(tmp_path: Path, tried: list[object], name: str) -> None:
    words = {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"}
    features = {"tokens": words, "tags": words, "image": {"_type": "Image"}}
    kinds = "[{name: tokens, sequence: string}, {name: tags, sequence: string}, {name: image, dtype: image}]"
    (tmp_path / name).write_text(
        f"---\ndataset_info:\n  features: {kinds}\n---\n"
        if name == "README.md"
        else json.dumps({"default": {"features": features}})
    )
    record = {"tokens": ["a"], "tags": ["O"], "image": "http://127.0.0.1:9/x.png"}
    (tmp_path / "train.jsonl").write_text(json.dumps(record) + "\n")
    assert read(open_dataset(str(tmp_path))["train"])[0][0].tokens == ["a"]
    assert tried == []


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize("many", [False, True])
def test_images_that_records_name_are_not_fetched(tmp_path: Path, tried: list[object], saved: bool, many: bool) -> None:
    image = datasets.List(datasets.Image()) if many else datasets.Image()
    words, label = datasets.List(datasets.Value("string")), datasets.List(datasets.ClassLabel(names=["O", "B-X"]))
    features = datasets.Features({"tokens": words, "tags": label, "image": image})
    url = {"path": "http://127.0.0.1:9/x.png", "bytes": None}
    table = pyarrow.Table.from_pylist(
        [{"tokens": ["a"], "tags": [1], "image": [url] if many else url}], schema=features.arrow_schema
    )
    folder = tmp_path / "set"
    folder.mkdir()
    if saved:
        with pyarrow.OSFile(str(folder / "data.arrow"), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as to:
            to.write_table(table)
        (folder / "dataset_info.json").write_text(json.dumps({"features": features.to_dict()}))
        formats = {"_format_type": None, "_format_kwargs": {}, "_format_columns": None, "_output_all_columns": False}
        state = {"_data_files": [{"filename": "data.arrow"}], "_split": None, "_fingerprint": "0", **formats}
        (folder / "state.json").write_text(json.dumps(state))
    else:
        pyarrow.parquet.write_table(table, folder / "train.parquet")
    assert read(open_dataset(str(folder))["train"])[0][0].tags == ["B-X"]
    assert tried == []


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
