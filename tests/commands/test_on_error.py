"""tag.py --on-error: malformed records are left out or written without entities, and accounted for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from tagger.commands.tag import main
from tests.helpers.capitals_tagger import CapitalsTagger

Tag = Callable[..., int]


@pytest.fixture
def tag(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tag:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tagger.predict.load", lambda path, **_: CapitalsTagger())
    return lambda *arguments: main(["--model", "m", "--tokenizer", "whitespace", *arguments])


def write_bad_in_the_middle() -> None:
    lines = [f'{{"id": {number}.50, "text": "Ada {number}"}}' for number in range(1000)]
    lines[500] = '{"id": 1e999, "text": 7}'
    lines[501] = "no JSON"
    lines[700] = '{"id": 700.50, "text": ""}'
    Path("a.jsonl").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("part_size", ["700", "2M"])
def test_skip_leaves_bad_records_out_and_says_which(
    tag: Tag, capsys: pytest.CaptureFixture[str], part_size: str
) -> None:
    write_bad_in_the_middle()
    assert tag("a.jsonl", "--output", "out", "--on-error", "skip", "--part-size", part_size) == 0
    assert capsys.readouterr().err.startswith(
        "tag.py: 1,000 records read = 997 tagged + 1 empty + 2 rejected\ntag.py: 1 file, 1,000 records, 997 sentences, "
    )
    records = [json.loads(line) for line in Path("out/a.jsonl").read_text().splitlines()]
    assert [record["id"] for record in records] == [number + 0.5 for number in range(1000) if number not in (500, 501)]
    rejects = [json.loads(line) for line in Path("out/a.rejects.jsonl").read_text().splitlines()]
    assert [(one["place"], one["record"]) for one in rejects] == [
        ("a.jsonl:501", '{"id": 1e999, "text": 7}'),
        ("a.jsonl:502", "no JSON"),
    ]
    assert rejects[0]["reason"].startswith("field 'text' holds a number, not text")


def test_null_keeps_their_places(tag: Tag) -> None:
    write_bad_in_the_middle()
    assert tag("a.jsonl", "--output", "out", "--on-error", "null", "--part-size", "700") == 0
    lines = Path("out/a.jsonl").read_text().splitlines()
    assert len(lines) == 1000
    entity = '{"start": 0, "end": 3, "label": "NAME", "text": "Ada"}'
    assert lines[499] == f'{{"id": 499.50, "text": "Ada 499", "entities": [{entity}]}}'
    assert lines[500].startswith(
        '{"id": 1e999, "text": 7, "entities": null, "rejected": "field \'text\' holds a number'
    )
    assert lines[501].startswith('{"text": null, "entities": null, "rejected": "no JSON (')
    assert len(Path("out/a.rejects.jsonl").read_text().splitlines()) == 2


def test_stop_names_the_first_one_by_its_line_in_the_file(tag: Tag, capsys: pytest.CaptureFixture[str]) -> None:
    write_bad_in_the_middle()
    assert tag("a.jsonl", "--output", "out", "--part-size", "700") == 2
    assert capsys.readouterr().err.startswith("tag.py: a.jsonl:501: field 'text' holds a number, not text; ")
    assert not Path("out/a.jsonl").exists()


def test_without_a_folder_they_are_reported_on_standard_error(tag: Tag, capsys: pytest.CaptureFixture[str]) -> None:
    write_bad_in_the_middle()
    assert tag("a.jsonl", "--on-error", "skip", "--quiet") == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 998
    first, second, account = err.splitlines()
    assert first.startswith("tag.py: a.jsonl:501: field 'text' holds")
    assert first.endswith("; left out")
    assert second.startswith("tag.py: a.jsonl:502: no JSON (")
    assert account == "tag.py: 1,000 records read = 997 tagged + 1 empty + 2 rejected"


@pytest.mark.parametrize("output_format", ["conll", "html", "parquet"])
def test_skip_is_for_all_formats(tag: Tag, output_format: str) -> None:
    Path("a.conll").write_text("Ada O\n\nMet\nx O\n\nBob O\n")
    parquet.write_table(pyarrow.table({"text": ["Ada", None, "Eve"]}), "b.parquet", row_group_size=1)
    options = ["--format", output_format, "--on-error", "skip", "--part-size", "1"]
    assert tag("a.conll", "b.parquet", "--output", "out", *options) == 0
    content = Path(f"out/a.{output_format}").read_bytes()
    assert (b"Ada" in content, b"Bob" in content, b"Met" in content) == (True, True, False)
    places = [json.loads(Path(f"out/{name}.rejects.jsonl").read_text())["place"] for name in "ab"]
    assert places == ["a.conll:3", "b.parquet: row 2"]


def test_an_old_file_of_rejected_records_does_not_stay(tag: Tag) -> None:
    Path("a.jsonl").write_text("{\n")
    options = ["a.jsonl", "--output", "out", "--on-error", "skip", "--quiet"]
    assert tag(*options) == 0
    assert Path("out/a.rejects.jsonl").exists()
    Path("a.jsonl").write_text('{"text": "Ada"}\n')
    assert tag(*options, "--overwrite") == 0
    assert not Path("out/a.rejects.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--on-error", "null", "--format", "conll"], "--on-error null: conll has no place for a reason"),
        (["--on-error", "null", "--format", "html"], "--on-error null: html has no place for a reason"),
        (["--on-error", "skip", "b.rejects.txt"], "b.rejects.txt: rejected records could get its output's name"),
        (["--on-error", "skip", "--output", "done"], "done/a.rejects.jsonl: is there already"),
        (["--on-error", "null", "--text-field", "rejected"], "--text-field rejected: rejected are written there"),
    ],
)
def test_refused_in_one_line(tag: Tag, capsys: pytest.CaptureFixture[str], options: list[str], message: str) -> None:
    for name in ("a.txt", "b.rejects.txt", "done/a.rejects.jsonl"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("precious")
    assert tag("a.txt", *["--output", "out"] * ("--output" not in options), *options) == 2
    assert capsys.readouterr().err.startswith(f"tag.py: {message}")
