"""tag.py: what goes in comes out, in order, and what is wrong is told before anything is lost."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import json
import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

import tagger
from tagger.bulk.formats.lines import OutputFormat, WriteOptions
from tagger.bulk.inputs import Source
from tagger.bulk.job import Job, PartTagger
from tagger.bulk.parts import plan_parts
from tagger.bulk.records import InputFormat, ReadOptions, Unit
from tagger.commands import tag as tag_command
from tagger.commands.main import main as command_line
from tagger.commands.tag import main
from tagger.corpus.sentence import Sentence
from tests.helpers.capitals_tagger import CapitalsTagger
from tests.helpers.failing_output import FailingOutput

_NEEDS_PERMISSIONS = pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Call `tag.py` in an empty folder with a fake model."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, stdin: str | bytes = "", model: CapitalsTagger | None = None) -> Result:
        monkeypatch.setattr("tagger.predict.load", lambda path, **_: model or CapitalsTagger())
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
        try:
            code = main(["--model", "m", *arguments])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return Result(code, *capsys.readouterr())

    return call


def write(name: str, content: str | bytes) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def names(record: dict[str, Any]) -> list[str]:
    return [entity["text"] for entity in record["entities"]]


def all_files(folder: str) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def files_in(folder: str) -> list[str]:
    """The files that are not hidden, nor in a hidden folder."""
    return [name for name in all_files(folder) if not any(part.startswith(".") for part in Path(name).parts)]


def test_a_process_alone_has_the_threads_of_one_among_many(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    opened = tag_command._open_tagger
    monkeypatch.setattr(tag_command, "_open_tagger", lambda *given: asked.update(given[2]) or opened(*given))
    assert run(stdin="Ada\n").code == 0
    assert asked["threads"] == 1


def test_a_filter_in_a_pipe(run: Run) -> None:
    result = run(stdin="Ada Lovelace met Bob in London\n")
    assert (result.code, result.err) == (0, "")
    assert result.records[0]["text"] == "Ada Lovelace met Bob in London"
    assert names(result.records[0]) == ["Ada Lovelace", "Bob", "London"]


def test_record_n_is_line_n(run: Run) -> None:
    lines = ["", "a", "", "", "B c", "  ", "d"] * 7
    result = run(stdin="\n".join(lines) + "\n")
    assert [record["text"] for record in result.records] == lines


def test_units_of_text(run: Run) -> None:
    content = "a\nB\n\n\nc\n"
    assert [record["text"] for record in run("--unit", "paragraph", stdin=content).records] == ["a\nB", "c"]
    assert [record["text"] for record in run("--unit", "file", stdin=content).records] == [content]


def test_inputs_come_out_in_the_order_they_were_named(run: Run) -> None:
    write("b.txt", "second")
    write("a.txt", "third")
    result = run("-", "b.txt", "a.txt", stdin="first")
    assert [record["text"] for record in result.records] == ["first", "second", "third"]


def test_tokenizer_of_the_model_unless_named(run: Run) -> None:
    model = CapitalsTagger(tokenizer="characters")
    assert run("--tokens", stdin="Ab", model=model).records[0]["tokens"] == ["A", "b"]
    assert run("--tokens", "--tokenizer", "whitespace", stdin="Ab", model=model).records[0]["tokens"] == ["Ab"]


def test_tokens_of_jsonl_need_no_tokenizer(run: Run) -> None:
    model = CapitalsTagger(tokenizer="no-such")
    assert run("--input-format", "jsonl", stdin='{"tokens": ["A"]}', model=model).code == 0
    assert run("--input-format", "jsonl", stdin='{"text": "A"}', model=model).code == 2


def test_jsonl_fields_pass_through_with_lone_surrogates(run: Run) -> None:
    write("a.jsonl", '{"id": "\\ud800", "text": "Ada \\udc00"}\n')
    assert run("a.jsonl").records == [
        {"id": "\ud800", "text": "Ada \udc00", "entities": [{"start": 0, "end": 3, "label": "NAME", "text": "Ada"}]}
    ]


def compressed(content: str, kind: str) -> bytes:
    raw = content.encode()
    return gzip.compress(raw) if kind == ".gz" else zstandard.ZstdCompressor().compress(raw)


@pytest.mark.parametrize("kind", [".gz", ".zst"])
def test_compressed_files_are_read_and_their_outputs_named_without_it(run: Run, kind: str) -> None:
    write(f"in/a.jsonl{kind}", compressed('{"id": 1, "text": "Ada"}\n', kind))
    write(f"in/b.2024{kind}", compressed("Bob", kind))
    assert [record["id"] for record in run(f"in/a.jsonl{kind}").records] == [1]
    assert run("in", f"in/b.2024{kind}", "--output", "out").code == 0
    assert files_in("out") == ["a.jsonl", "b.2024.jsonl"]
    write(f"cut.txt{kind}", compressed("Ada met Bob", kind)[:-6])
    result = run(f"cut.txt{kind}")
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch(
        rf"tag.py: cut.txt{kind}: cannot read: \w+ data cut off after .*; check the input\n", result.err
    )


def test_parquet_rows_are_records_with_their_ids(run: Run) -> None:
    rows = pyarrow.table({"body": ["Ada met Bob", ""], "key": ["a", "b"], "more": [1, 2]})
    parquet.write_table(rows, "a.parquet")
    result = run("a.parquet", "--text-column", "body", "--id-column", "key", "--tokenizer", "whitespace")
    assert [(record["key"], record["body"], names(record)) for record in result.records] == [
        ("a", "Ada met Bob", ["Ada", "Bob"]),
        ("b", "", []),
    ]
    assert [record["more"] for record in result.records] == [1, 2]
    assert all(record.keys() == {"key", "body", "more", "entities"} for record in result.records)


def rows_of(path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("options", [[], ["--tokens"], ["--scores", "--n-best", "2"]])
def test_parquet_says_what_jsonl_says(run: Run, options: list[str], plain: bool) -> None:
    write(
        "a.jsonl",
        '{"id": "x", "text": "Ada met Bob", "more": {"of": 1}}\n{"text": "é", "id": 7}\n{"tokens": ["A", "b"]}\n',
    )
    model = CapitalsTagger(plain=plain)
    assert run("a.jsonl", "--output", "out", "--format", "parquet", *options, model=model).code == 0
    found = rows_of("out/a.parquet")
    expected = run("a.jsonl", *options, model=model).records
    assert [row["id"] for row in found] == ["x", "7", None]
    assert [json.loads(row["fields"] or "{}") for row in found] == [{"more": {"of": 1}}, {}, {}]
    for row, record in zip(found, expected, strict=True):
        said = {name: value for name, value in row.items() if name not in ("id", "fields") and value is not None}
        assert said == {name: value for name, value in record.items() if name not in ("id", "more")}


def test_parquet_keeps_the_type_of_ids(run: Run) -> None:
    for name, kind in (("a", pyarrow.uint8()), ("b", pyarrow.string()), ("c", pyarrow.large_string())):
        parquet.write_table(pyarrow.table({"text": ["Ada"], "id": pyarrow.array([7]).cast(kind)}), f"{name}.parquet")
        assert run(f"{name}.parquet", "--output", "out", "--format", "parquet").code == 0
        assert parquet.read_schema(f"out/{name}.parquet").field("id").type == kind
    write("d.txt", "Ada \n")
    assert run("d.txt", "--output", "out", "--format", "parquet").code == 0
    assert [(row["id"], row["text"]) for row in rows_of("out/d.parquet")] == [(None, "Ada ")]


def test_parquet_takes_half_characters_as_u_fffd(run: Run) -> None:
    write("a.jsonl", '{"text": "Ada \\udc00", "x": "\\ud800"}\n')
    assert run("a.jsonl", "--output", "out", "--format", "parquet").code == 0
    (row,) = rows_of("out/a.parquet")
    assert (row["text"], row["fields"]) == ("Ada \ufffd", '{"x": "\\ud800"}')


def test_parquet_of_many_rows_is_in_row_groups(run: Run) -> None:
    write("a.txt", "Ada\n" * 100_000)
    assert run("a.txt", "--output", "out", "--format", "parquet", model=CapitalsTagger(window=1000)).code == 0
    written = parquet.ParquetFile("out/a.parquet")
    assert (written.metadata.num_rows, written.num_row_groups) == (100_000, 2)


def test_plain_tags_are_written_as_tokens_and_tags(run: Run) -> None:
    result = run(stdin="Ada runs\n\n", model=CapitalsTagger(plain=True))
    assert result.records == [
        {"text": "Ada runs", "tokens": ["Ada", "runs"], "tags": ["CAP", "LOW"]},
        {"text": "", "tokens": [], "tags": []},
    ]


def test_conll_in_and_out_ignores_gold_tags(run: Run) -> None:
    write("a.conll", "Ada O\nmet B-X\n\nBob O\n")
    assert run("a.conll", "--format", "conll").out == "Ada\tB-NAME\nmet\tO\n\nBob\tB-NAME\n\n"


def test_html_on_standard_output_is_one_page(run: Run) -> None:
    write("a.txt", "Ada")
    write("b.txt", "Bob")
    page = run("a.txt", "b.txt", "--format", "html").out
    assert page.count("<!DOCTYPE html>") == page.count("</html>") == 1
    assert page.count("<h2>") == 2


def test_half_a_page_is_never_written(run: Run) -> None:
    result = run("--format", "html", stdin=b"Ada\n" * 1000 + b"\xff")
    assert (result.code, result.out) == (2, "")


def test_output_files_keep_sub_folders_below_a_folder_or_pattern(run: Run) -> None:
    write("notes/a.txt", "Ada")
    write("notes/deep/a.txt", "Bob")
    write("notes/deep/report.2024", "x")
    write("notes/.hidden.txt", "x")
    write("notes/.hidden/a.txt", "x")
    result = run("notes", "--output", "out")
    assert files_in("out") == ["a.jsonl", "deep/a.jsonl"]
    assert json.loads(Path("out/deep/a.jsonl").read_text())["text"] == "Bob"
    assert [name for name in all_files("out") if not name.startswith(".tag-run/")] == files_in("out")
    assert "notes: left out 1 of unknown kind (1 .2024)" in result.err
    assert run("notes/**/*a.txt", "notes/deep/report.2024", "--output", "out2", "--format", "conll").code == 0
    assert files_in("out2") == ["a.conll", "deep/a.conll", "report.2024.conll"]


def test_output_says_what_was_done_unless_quiet(run: Run) -> None:
    write("a.txt", "Ada met\n\nBob")
    told = run("a.txt", "--output", "out").err
    assert re.fullmatch(r"tag.py: 1 file, 3 records, 2 sentences, 3 tokens in .* tokens/s\), written to out\n", told)
    assert run("a.txt", "--output", "out2", "--quiet").err == ""


def test_the_output_folder_is_no_input(run: Run) -> None:
    write("a.txt", "Ada")
    assert run(".", "--output", "out").code == 0
    assert run(".", "--output", "out", "--overwrite").code == 0
    assert files_in("out") == ["a.jsonl"]


def test_standard_input_can_go_to_a_folder(run: Run) -> None:
    assert run("--output", "out", stdin="Ada").code == 0
    assert files_in("out") == ["stdin.jsonl"]


def test_outputs_do_not_depend_on_what_else_is_tagged(run: Run) -> None:
    for number in range(10):
        write(f"in/{number}.txt", "Ada\n" * number + "bob\n\n")
    run("in", "--output", "all", model=CapitalsTagger(window=4))
    for number in range(10):
        alone = run(f"in/{number}.txt", model=CapitalsTagger(window=1)).out
        assert Path(f"all/{number}.jsonl").read_text() == alone


REFUSED = [
    (["gone.txt"], "gone.txt: no such file"),
    (["*.gone"], "*.gone: no file matches this pattern"),
    (["nul.txt"], "nul.txt:2: a NUL character"),
    (["latin.txt"], "latin.txt:1: invalid UTF-8"),
    (["bad.conll"], "bad.conll:2: 1 column where the first line has 2"),
    (["a.txt", "./a.txt"], "a.txt: named twice"),
    (["a.txt", "."], "a.txt: named twice"),
    (["-", "-"], "standard input: named twice"),
    (["unknown"], "unknown: no file in this folder is of a known kind"),
    (["a.txt", "sub/a.txt", "--output", "out"], "sub/a.txt: its output out/a.jsonl is also that of a.txt"),
    (["a.txt", "a.conll", "--output", "out"], "a.conll: its output out/a.jsonl is also that of a.txt"),
    (["a.txt", "--output", "a.conll"], "a.conll: is a file; --output names a folder"),
    (["a.txt", "--output", "new.jsonl"], "new.jsonl: --output names a folder; for a single file, redirect"),
    (["a.txt", "--output", "done"], "done/a.jsonl: is there already"),
    (["b.jsonl", "--output", ".", "--overwrite"], "b.jsonl: is an input and would be overwritten"),
    (["a.txt", "--overwrite"], "--overwrite replaces files in the folder --output"),
    (["a.txt", "--format", "parquet"], "--format parquet is written to files"),
    (["a.txt", "--format", "parquet", "--output", "out", "--text-field", "id"], "--text-field id: the ids have that"),
    (["a.txt", "--tokens", "--format", "conll"], "--tokens belongs to --format jsonl"),
    (["b.jsonl", "--text-field", "tags"], "--text-field tags: tags are written there"),
    (["a.txt", "--tokenizer", "nltk"], "tokenizer 'nltk' is unknown"),
    (["x.parquet"], "x.parquet: no Parquet file"),
    (["x.parquet.gz"], "x.parquet.gz: Parquet is compressed within"),
    (["a.txt", "--id-column", "entities"], "--id-column entities: entities are written there"),
    (["a.txt", "--text-field", "a", "--id-column", "a"], "--text-field a: the ids have that name too"),
    (["a.txt", "--output", "a.txt/below"], "a.txt/below/.tag-run: cannot write: Not a dir"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_refused_in_one_line_before_anything_is_written(run: Run, arguments: list[str], message: str) -> None:
    write("a.txt", "Ada")
    write("a.conll", "Ada O\n")
    write("sub/a.txt", "Ada")
    write("done/a.jsonl", "precious")
    write("b.jsonl", '{"text": "Ada"}')
    write("unknown/a.png", "x")
    write("x.parquet", "Ada")
    write("x.parquet.gz", "Ada")
    write("nul.txt", b"a\n\0\n")
    write("latin.txt", b"\xe9\n")
    write("bad.conll", "a O\nb\n")
    before = {name: Path(name).read_bytes() for name in all_files(".")}
    result = run(*arguments, stdin="x")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"tag.py: {message}")
    assert result.err.count("\n") == 1
    assert {name: Path(name).read_bytes() for name in all_files(".")} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ouput", "out", "a.txt"], "unknown option --ouput"),
        (["a.txt", "-x"], "unknown option -x"),
        (["--model"], "argument --model: expected one argument"),
        (["--model", "m", "--format", "xml"], "argument --format: invalid choice: 'xml'"),
    ],
)
def test_wrong_use_is_told_in_a_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments, "tagger tag")
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    assert told.err.startswith(f"tagger tag: error: {message}")
    assert told.err.endswith("; see --help\n")
    assert told.err.count("\n") == 1


def test_the_version_is_that_of_the_package(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    for command in ([], ["train"], ["evaluate"], ["train", "seed=2"]):
        monkeypatch.setattr("sys.argv", ["tagger", *command, "--version"])
        assert command_line() == 0
    assert capsys.readouterr().out == f"tagger {tagger.__version__}\n" * 5


def test_a_bad_record_ends_the_run_and_what_was_whole_is_kept(run: Run) -> None:
    write("a.txt", "Ada\n" * 500)
    write("z.conll", "Ada O\n\n" * 50 + "x\n")
    result = run("a.txt", "z.conll", "--output", "out", "--part-size", "1K")
    assert (result.code, files_in("out")) == (2, ["a.jsonl"])
    assert result.err == (
        "tag.py: z.conll:101: 1 column where the first line has 2; correct the line; what was done is kept, and the "
        "same command with --resume continues from there\n"
    )


def test_a_bad_record_in_the_first_part_leaves_nothing(run: Run) -> None:
    write("a.txt", "Ada")
    write("z.jsonl", '{"text": "Ada"}\n' * 50 + "{")
    result = run("a.txt", "z.jsonl", "--output", "out")
    assert (result.code, all_files("."), Path("out").exists()) == (2, ["a.txt", "z.jsonl"], False)
    assert result.err.startswith("tag.py: z.jsonl:51: no JSON")


def test_empty_standard_input_is_told(run: Run) -> None:
    result = run(stdin="")
    assert (result.code, result.err.startswith("tag.py: standard input: nothing to tag")) == (2, True)


EMPTY: dict[str, str | bytes] = {
    "0.txt": "",
    "1.conll": "\n \n",
    "2.jsonl": "\n",
    "3.conllu": "",
    "4.txt.gz": gzip.compress(b""),
    "5.txt.zst": b"",
}


@pytest.mark.parametrize("alone", [True, False])
def test_an_empty_file_gives_an_empty_output_and_is_counted(run: Run, alone: bool) -> None:
    for name, content in EMPTY.items():
        write(f"in/{name}", content)
    if not alone:
        write("in/00.txt", "Ada\n")
        write("in/1b.txt", "Bob\n")
        write("in/9.txt", "Eve\n")
    result = run("in", "--output", "out")
    assert (result.code, len(files_in("out"))) == (0, len(EMPTY) + 3 * (not alone))
    assert "6 empty or blank files, with nothing to tag\n" in result.err
    assert f"{len(EMPTY) + 3 * (not alone)} files, {3 * (not alone)} records, " in result.err
    for name in files_in("out"):
        assert bool(Path("out", name).read_text()) == (name in ("00.jsonl", "1b.jsonl", "9.jsonl"))
    result = run("in", "--quiet")
    assert (result.code, len(result.records), result.err) == (0, 3 * (not alone), "")


@pytest.mark.parametrize("plain", [False, True])
def test_an_empty_file_gives_a_table_with_the_columns_of_others(run: Run, plain: bool) -> None:
    write("in/a.txt", "")
    write("in/b.txt", "Ada\n")
    parquet.write_table(
        pyarrow.table({"id": pyarrow.array([], pyarrow.int64()), "text": pyarrow.array([], pyarrow.string())}),
        "in/c.parquet",
    )
    options = ["--scores", "--n-best", "2", "--tokens"]
    result = run("in", "--output", "out", "--format", "parquet", *options, model=CapitalsTagger(plain=plain))
    assert result.code == 0
    schemas = {name: parquet.read_schema(f"out/{name}.parquet") for name in "abc"}
    assert schemas["a"] == schemas["b"]
    assert schemas["c"].names == schemas["b"].names
    assert schemas["c"].field("id").type == pyarrow.int64()
    assert [parquet.read_table(f"out/{name}.parquet").num_rows for name in "abc"] == [0, 1, 0]


def test_an_empty_file_gives_an_empty_page(run: Run) -> None:
    write("a.txt", "")
    assert "nothing marked" in run("a.txt", "--format", "html").out
    assert run("a.txt", "--format", "html", "--output", "out").code == 0
    assert "nothing marked" in Path("out/a.html").read_text()


def test_that_nothing_was_found_in_much_text_is_told(run: Run) -> None:
    told = "tag.py: no entity found in 1,000 tokens; is the model for this language and kind of text?\n"
    assert run("--tokenizer", "whitespace", stdin="ada " * 1000).err == told
    assert run("--tokenizer", "whitespace", "--quiet", stdin="ada " * 1000).err == ""
    assert run("--tokenizer", "whitespace", stdin="ada " * 999).err == ""
    assert run("--tokenizer", "whitespace", stdin="Ada" + " ada" * 99_999).err == ""
    assert run("--tokenizer", "whitespace", stdin="ada\n" * 99_999 + "Ada").err == ""


CONTROLS = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0))} - {"\n"}


def test_names_of_files_do_not_steer_the_terminal(run: Run) -> None:
    write("in\x1b[2J/a.txt", "Ada")
    write("in\x1b[2J/b.\x1b]0;title\x07", "x")
    for arguments in (["in\x1b[2J"], ["in\x1b[2J"], ["--\x1b[2J"]):  # the second time there is something already
        result = run(*arguments, "--output", "out\x1b[2J", "--progress")
        assert "␛[2J" in result.err
        assert not set(result.err) & CONTROLS
    assert "left out 1 of unknown kind (1 .␛]0;title␇)" in run("in\x1b[2J", "--output", "other").err


def test_overwrite_replaces(run: Run) -> None:
    write("a.txt", "Ada")
    write("out/a.jsonl", "old")
    assert run("a.txt", "--output", "out", "--overwrite").code == 0
    assert names(json.loads(Path("out/a.jsonl").read_text())) == ["Ada"]


@_NEEDS_PERMISSIONS
def test_unreadable_files_and_folders_are_told(run: Run) -> None:
    write("a.txt", "Ada")
    write("folder/a.txt", "Ada")
    Path("a.txt").chmod(0)
    Path("folder").chmod(0)
    assert "a.txt: cannot read: Permission denied" in run("a.txt").err
    assert "folder: cannot read: Permission denied" in run("folder").err
    Path("folder").chmod(0o700)


def test_a_broken_link_in_a_folder_is_told(run: Run) -> None:
    write("folder/a.txt", "Ada")
    Path("folder/b.txt").symlink_to("gone")
    assert "folder/b.txt: no such file" in run("folder").err


@pytest.mark.parametrize(
    ("number", "code", "told"),
    [(signal.SIGINT, 130, "tag.py: stopped; what was done is kept"), (signal.SIGTERM, 143, "")],
)
def test_a_signal_leaves_no_half_written_file(run: Run, number: signal.Signals, code: int, told: str) -> None:
    class Interrupted(CapitalsTagger):
        def _tagged(self, sentence: Sentence) -> Sentence:
            if sentence.tokens == ["stop"]:
                signal.raise_signal(number)
            return super()._tagged(sentence)

    write("a.txt", "Ada\n" * 300)
    write("b.txt", "Bob\n" * 1000 + "stop")
    result = run("a.txt", "b.txt", "--output", "out", "--part-size", "1K", model=Interrupted(window=1))
    assert (result.code, result.err[: len(told) or None]) == (code, told)
    assert files_in("out") == ["a.jsonl"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("arguments", [["--format", "xml"], ["--unit", "word"], ["--no-such"], ["--form", "jsonl"]])
def test_wrong_options_exit_with_2(run: Run, arguments: list[str]) -> None:
    assert run(*arguments).code == 2


def test_options_may_stand_between_files(run: Run) -> None:
    write("a.txt", "Ada")
    write("-b.txt", "Bob")
    assert len(run("a.txt", "--tokens", "--", "-b.txt").records) == 2


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_fits_a_screen_and_begins_with_examples(run: Run, option: str) -> None:
    result = run(option)
    lines = result.out.splitlines()
    assert (result.code, result.out.isascii()) == (0, True)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert "--help-all" in lines[-1]
    whole = run("--help-all").out
    assert {line.split()[0] for line in lines if line.startswith("  --")} <= set(whole.replace(",", " ").split())


def test_all_of_the_help_is_there(run: Run) -> None:
    result = run("--help-all")
    assert (result.code, "examples:" in result.out) == (0, True)
    assert result.out.isascii()


@pytest.mark.parametrize(
    ("number", "code", "told"),
    [(errno.EPIPE, 141, ""), (errno.ENOSPC, 2, "tag.py: standard output: cannot write: No space left on device\n")],
)
def test_failing_standard_output(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, code: int, told: str
) -> None:
    output = io.TextIOWrapper(io.BufferedWriter(FailingOutput(number)))
    monkeypatch.setattr("sys.stdout", output)
    result = run(stdin="Ada")
    assert (result.code, capsys.readouterr().err + result.err) == (code, told)
    with contextlib.suppress(OSError):
        output.close()


def carried_out(content: str, *, window: int = 3, **settings: Any) -> str:
    source = Source(None, settings.pop("kind", InputFormat.TEXT))
    tag = PartTagger(Job(**settings), CapitalsTagger(window))
    parts = plan_parts([source], settings.get("reading", ReadOptions()), io.BytesIO(content.encode()))
    return b"".join(tag(part).output or b"" for part in parts if part).decode()


_TEXT = st.text(
    st.characters(exclude_characters="\0\ufeff\u200b\x1c\x1d\x1e\x1f", exclude_categories=["Cs"]), min_size=1
)


@given(text=_TEXT, tokenizer=st.sampled_from(["syntok", "whitespace", "characters"]), window=st.integers(1, 4))
def test_no_character_is_lost_or_moved(text: str, tokenizer: str, window: int) -> None:
    reading = ReadOptions(unit=Unit.FILE)
    record = json.loads(carried_out(text, window=window, tokenizer=tokenizer, reading=reading))
    assert record["text"] == text
    assert all(entity["text"] == text[entity["start"] : entity["end"]] for entity in record["entities"])
    lines = carried_out(text, window=window, tokenizer=tokenizer, output_format=OutputFormat.CONLL)
    assert "".join(line.split("\t")[0] for line in lines.split("\n")) == "".join(text.split())


@given(lines=st.lists(st.text(st.sampled_from("Aa. \t"))), window=st.integers(1, 4))
def test_records_do_not_depend_on_the_window(lines: list[str], window: int) -> None:
    content = "".join(f"{line}\n" for line in ["first", *lines])
    records = [json.loads(line) for line in carried_out(content, window=window).splitlines()]
    assert [record["text"] for record in records] == ["first", *lines]
    assert carried_out(content, window=window) == carried_out(content, window=1000)


@given(sentences=st.lists(st.lists(_TEXT, min_size=1), min_size=1), window=st.integers(1, 4))
def test_as_many_tags_as_tokens(sentences: list[list[str]], window: int) -> None:
    content = "".join(json.dumps({"tokens": tokens}) + "\n" for tokens in sentences)
    lines = carried_out(content, window=window, kind=InputFormat.JSONL).splitlines()
    for line, tokens in zip(lines, sentences, strict=True):
        record = json.loads(line)
        assert record["tokens"] == tokens
        assert len(record["tags"]) == len(tokens)


def test_a_token_of_a_megabyte_and_a_sentence_of_many_tokens() -> None:
    assert len(json.loads(carried_out("A" * 1_000_000))["entities"][0]["text"]) == 1_000_000
    assert json.loads(carried_out("a " * 100_000, writing=WriteOptions(tokens=True)))["tags"] == ["O"] * 100_000


def test_a_pipe_is_read_once(run: Run) -> None:
    reading_end, writing_end = os.pipe()
    os.write(writing_end, b"Ada\n")
    os.close(writing_end)
    assert [record["text"] for record in run(f"/dev/fd/{reading_end}").records] == ["Ada"]
    os.close(reading_end)
