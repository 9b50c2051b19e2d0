"""List the formats of data files, with their readers, and guess a file's format from its content."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tagger.corpus.dataset_config import DataConfig
from tagger.corpus.readers.account import ReadReport, open_bytes
from tagger.corpus.readers.brat import read_brat
from tagger.corpus.readers.columns import ColumnLayout, read_columns
from tagger.corpus.readers.conllu import read_conllu
from tagger.corpus.readers.csv_rows import separator_of
from tagger.corpus.readers.csv_table import TAG_COLUMNS, TOKEN_COLUMNS, CsvLayout, read_csv
from tagger.corpus.readers.docred import read_docred
from tagger.corpus.readers.jsonl import is_pair, read_jsonl
from tagger.corpus.readers.labelstudio import read_labelstudio
from tagger.corpus.readers.parallel import read_parallel
from tagger.corpus.readers.records import RecordFields
from tagger.corpus.readers.spacy_docs import ZLIB, read_spacy
from tagger.corpus.readers.webanno import FORMAT_LINE, read_webanno
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer
from tagger.errors import UserError

_HEAD = 1 << 16  # bytes of a file by which its format is recognised
_SPREADSHEETS = (".xlsx", ".xlsm", ".xls", ".ods")
_CONLLU = re.compile(r"^1(-[0-9]+)?\t[^\t\n]+(\t[^\t\n]*){8}\r?$", re.MULTILINE)
_BRAT = re.compile(r"T\d+\t\S+ \d+ \d+[\t;]")
_SILENT = {  # formats whose readers would take files of others for their own
    "columns": ("csv", "jsonl", "labelstudio", "docred", "spacy", "brat", "webanno"),
    "labelstudio": ("docred",),
}


class Format(NamedTuple):
    """A format.

    Attributes:
        title: its name in messages.
        read: reads a file.
        preset: the preset in `conf/data/` for files of one's own.
        extensions: of its files, where these are of no other format.
        folders: a split may be a folder.
    """

    title: str
    read: Callable[[Path, ReadReport, DataConfig], Iterator[Sentence]]
    preset: str
    extensions: tuple[str, ...] = ()
    folders: bool = False


def _columns(path: Path, report: ReadReport, config: DataConfig) -> Iterator[Sentence]:
    if config.separator not in ("auto", "tab", "blanks"):
        raise UserError(f"data.separator={config.separator}: for CSV only; read it with data=csv")
    layout = ColumnLayout(
        token_column=config.token_column,
        tag_column=config.tag_column,
        separator=config.separator,
        comment_prefix=config.comment_prefix,
        header=config.header,
    )
    return read_columns(path, report, layout=layout)


def _conllu(path: Path, report: ReadReport, config: DataConfig) -> Iterator[Sentence]:
    return read_conllu(path, report, token_column=config.token_column, tag_column=config.tag_column)


def _csv(path: Path, report: ReadReport, config: DataConfig) -> Iterator[Sentence]:
    layout = CsvLayout(fields=record_fields(config), sentence=config.sentence_field, separator=config.separator)
    return read_csv(path, report, tokenizer=get_tokenizer(config.tokenizer), layout=layout)


def _jsonl(path: Path, report: ReadReport, config: DataConfig) -> Iterator[Sentence]:
    return read_jsonl(path, report, tokenizer=get_tokenizer(config.tokenizer), fields=record_fields(config))


def _labelstudio(path: Path, report: ReadReport, config: DataConfig) -> Iterator[Sentence]:
    return read_labelstudio(
        path,
        report,
        tokenizer=get_tokenizer(config.tokenizer),
        text_field=config.text_field,
        annotator=str(config.annotator),
        overlap=config.overlap,
    )


def _docred(path: Path, report: ReadReport, config: DataConfig) -> Iterator[Sentence]:
    return read_docred(path, report)


def _spacy(path: Path, report: ReadReport, config: DataConfig) -> Iterator[Sentence]:
    return read_spacy(path, report, tokenizer=get_tokenizer(config.tokenizer), overlap=config.overlap)


def _brat(path: Path, report: ReadReport, config: DataConfig) -> Iterator[Sentence]:
    return read_brat(path, report, tokenizer=get_tokenizer(config.tokenizer), overlap=config.overlap)


def _webanno(path: Path, report: ReadReport, config: DataConfig) -> Iterator[Sentence]:
    return read_webanno(path, report, layer=config.tag_field, overlap=config.overlap)


def _parallel(path: Path, report: ReadReport, config: DataConfig) -> Iterator[Sentence]:
    return read_parallel(*_pair(path, config), report)


FORMATS = {
    "columns": Format("columns (CoNLL)", _columns, "conll", (".conll", ".iob", ".iob2", ".bio", ".bioes")),
    "conllu": Format("CoNLL-U", _conllu, "conllu", (".conllu",)),
    "csv": Format("CSV", _csv, "csv", (".csv",)),
    "parallel": Format("parallel files", _parallel, "parallel", folders=True),
    "jsonl": Format("JSON lines, as of doccano and Prodigy", _jsonl, "jsonl", (".jsonl", ".ndjson")),
    "labelstudio": Format("Label Studio's export", _labelstudio, "labelstudio"),
    "docred": Format("DocRED", _docred, "redocred"),
    "spacy": Format("spaCy's training data", _spacy, "spacy", (".spacy",)),
    "brat": Format("BRAT's standoff", _brat, "brat", (".ann",), folders=True),
    "webanno": Format("WebAnno TSV 3", _webanno, "webanno"),
}


def read_file(path: Path, report: ReadReport, config: DataConfig) -> Iterator[Sentence]:
    """Read a file in the format that is set. If that fails, the error names the format that the file looks like.

    Raises:
        UserError: as the reader does; or the file is surely of another format, whose content the reader would mistake.
    """
    if path.suffix.lower() in _SPREADSHEETS:
        raise UserError(f"{path}: a spreadsheet; save the sheet as CSV and read that: data=csv")
    if config.format in _SILENT and path.exists() and (found := format_of(path)) in _SILENT[config.format]:
        raise UserError(f"{path}: not {FORMATS[config.format].title}; {_advice(found)}")
    try:
        yield from FORMATS[config.format].read(path, report, config)
    except UserError as error:
        found = format_of(path) if path.exists() else None
        if found in (None, config.format):
            raise
        raise UserError(f"{error}; {_advice(str(found))}") from error


def format_of(path: Path) -> str | None:
    """Return the format that a file looks like, by its content, and then by its extension. None if that is open.

    Raises:
        UserError: it cannot be read.
    """
    if path.is_dir():
        return "brat" if any(path.rglob("*.ann")) else None
    if not path.is_file():  # a look into a pipe would take from it
        return _by_extension(path)
    with open_bytes(path) as stream:
        head = stream.read(_HEAD)
    if head.startswith(ZLIB) and path.suffix == ".spacy":
        return "spacy"
    text = head.decode("utf-8-sig", errors="replace").lstrip()
    first = text.partition("\n")[0].removesuffix("\r")
    if text.startswith(FORMAT_LINE):
        return "webanno"
    if _BRAT.match(text):
        return "brat"
    if text.startswith(("[", "{")) and (found := _json_format(text, first)):
        return found
    if _CONLLU.search(text):
        return "conllu"
    names = {name.strip(' "').lower() for name in first.split(separator_of(first))}
    labelled = not names.isdisjoint(TAG_COLUMNS) and not names.isdisjoint((*TOKEN_COLUMNS, "text", "sentence"))
    if labelled and separator_of(first) != "\t" and len(names) > 1:
        return "csv"
    return _by_extension(path)


def _by_extension(path: Path) -> str | None:
    return next((name for name, one in FORMATS.items() if path.suffix.lower() in one.extensions), None)


def _json_format(text: str, first: str) -> str | None:
    """Return the format of a text that begins like JSON. None if it does not go on as such."""
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        value = None
    if (isinstance(value, dict) and "annotations" not in value) or (is_pair(value) and "\n[" in text):
        return "jsonl"
    if '"vertexSet"' in text:
        return "docred"
    if '"entities"' in text and re.match(r'(\{.*?"annotations":\s*)?\[\s*\[\s*"', text, re.DOTALL):
        return "spacy"
    if re.match(r"\[\s*\{", text):
        return "labelstudio"
    return None


def _advice(found: str) -> str:
    return f"this looks like {FORMATS[found].title}: data={FORMATS[found].preset}"


def record_fields(config: DataConfig) -> RecordFields:
    """Return the names of the fields of records."""
    return RecordFields(
        tokens=config.token_field,
        tags=config.tag_field,
        text=config.text_field,
        tag_names=config.tag_names,
        overlap=config.overlap,
    )


def _pair(path: Path, config: DataConfig) -> tuple[Path, Path]:
    """Return the token file and the tag file. `path` is their folder, or the prefix of both names."""
    names = config.token_file, config.tag_file
    if path.is_dir():
        return path / names[0], path / names[1]
    tokens, tags = (Path(f"{path}{name}") for name in names)
    if not tokens.exists() and not tags.exists():
        raise UserError(
            f"{path}: no such folder, which should hold {names[0]} and {names[1]} (data.token_file, data.tag_file), "
            f"nor a file {tokens}; check the path"
        )
    return tokens, tags
