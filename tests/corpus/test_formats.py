"""The table of formats: what a file looks like, and errors that name the right reader."""

import json
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from tagger.corpus.dataset import load_split
from tagger.corpus.dataset_config import DataConfig
from tagger.corpus.formats import FORMATS, format_of
from tagger.errors import UserError

TASK = {"id": 1, "data": {"text": "Bo"}, "annotations": [{"result": []}]}
CONLLU = "# text = Bo\n1\tBo\tBo\tPROPN\t_\t_\t0\troot\t_\t_\n"
EXAMPLES = {
    "columns": ("a.conll", "Bo\tB-PER\n"),
    "conllu": ("a.txt", CONLLU),
    "csv": ("a.txt", "Sentence #,Word,POS,Tag\nSentence: 1,Bo,NNP,B-PER\n"),
    "jsonl": ("a.json", '{"text": "Bo", "label": []}\n{"text": "Al", "label": []}\n'),
    "labelstudio": ("a.json", json.dumps([TASK], indent=2)),
    "docred": ("a.json", json.dumps([{"title": "a", "sents": [["Bo"]], "vertexSet": []}])),
    "spacy": ("a.json", json.dumps([["Bo", {"entities": []}]])),
    "brat": ("a.ann", "T1\tPER 0 2\tBo\n"),
    "webanno": ("a.tsv", "#FORMAT=WebAnno TSV 3.3\n\n\n#Text=Bo\n1-1\t0-2\tBo\t\n"),
}


def test_the_table_has_every_format_of_files() -> None:
    known = set(get_args(get_type_hints(DataConfig)["format"]))
    assert known == {*FORMATS, "huggingface", "mix"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_format_is_recognised_by_content_or_name(tmp_path: Path, name: str) -> None:
    file, content = EXAMPLES[name]
    path = tmp_path / file
    path.write_text(content)
    assert format_of(path) == name


@pytest.mark.parametrize(
    ("name", "read_as"),
    [
        *((name, "columns") for name in ("csv", "jsonl", "labelstudio", "docred", "spacy", "brat", "webanno")),
        *(("labelstudio", other) for other in ("jsonl", "docred", "spacy", "csv", "webanno", "conllu")),
        *((name, "labelstudio") for name in ("jsonl", "csv", "webanno", "docred", "spacy")),
    ],
)
def test_errors_name_the_right_reader(tmp_path: Path, name: str, read_as: str) -> None:
    file, content = EXAMPLES[name]
    path = tmp_path / file
    path.write_text(content)
    config = DataConfig.from_mapping({"format": read_as, **dict.fromkeys(("train", "dev", "test"), str(path))})
    with pytest.raises(UserError, match=rf"; this looks like .*: data={FORMATS[name].preset}$"):
        load_split(config, "train")


@pytest.mark.parametrize("format_name", ["columns", "jsonl", "csv"])
@pytest.mark.parametrize(("name", "content"), [("a.xlsx", b"PK\x03\x04"), ("a.txt", b"PK\x03\x04[Content_Types].xml")])
def test_a_spreadsheet_is_refused_with_a_remedy(tmp_path: Path, format_name: str, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    config = DataConfig.from_mapping({"format": format_name, **dict.fromkeys(("train", "dev", "test"), str(path))})
    with pytest.raises(UserError, match=r"a spreadsheet.* save the sheet as CSV .*data=csv"):
        load_split(config, "train")


def test_a_header_row_is_never_a_word(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("Word\tPOS\tTag\nBo\tX\tB-PER\n")
    settings = {"format": "columns", **dict.fromkeys(("train", "dev", "test"), str(path))}
    split = load_split(DataConfig.from_mapping(settings), "train")
    assert [sentence.tokens for sentence in split.sentences] == [["Bo"]]
    assert "1 header rows" in split.account()
    kept = load_split(DataConfig.from_mapping({**settings, "header": "none", "scheme": "plain"}), "train")
    assert kept.sentences[0].tokens == ["Word", "Bo"]
    path.write_text("a\tb\nBo\tB-PER\n")
    split = load_split(DataConfig.from_mapping({**settings, "header": "skip"}), "train")
    assert [sentence.tokens for sentence in split.sentences] == [["Bo"]]


def test_an_address_is_read_through_fsspec(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://corpus/a.conll", "wb") as stream:
        stream.write(b"Bo\tB-PER\nran\tO\n")
    names = dict.fromkeys(("train", "dev", "test"), "memory://corpus/a.conll")
    split = load_split(DataConfig.from_mapping({"format": "columns", **names}), "train")
    assert split.sentences[0].tokens == ["Bo", "ran"]
    for address in ("memory://corpus/none.conll", "nosuch://corpus/a.conll"):
        with pytest.raises(UserError, match=f"{address}: cannot read: .*; check the address"):
            load_split(DataConfig.from_mapping({"format": "columns", **dict.fromkeys(names, address)}), "train")
