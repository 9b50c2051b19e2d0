"""Read labelled files, and write labelled documents, for the commands around labelling."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagger.bulk.inputs import find_sources
from tagger.bulk.parts import all_records
from tagger.bulk.records import InputFormat, ReadOptions, Unit
from tagger.corpus.dataset import DataConfig, Split, load_split
from tagger.corpus.document import Document
from tagger.corpus.formats import FORMATS, format_of
from tagger.corpus.tokenizers import get_tokenizer, split_text
from tagger.corpus.writers import OUTPUT_STYLES, WriteNames, written
from tagger.errors import UserError
from tagger.files import written_whole
from tagger.remote import is_remote

if TYPE_CHECKING:
    from tagger.predict import Tagger

_AT_ONCE = 1024  # documents that are tagged together
_PRESETS = {one.preset: name for name, one in FORMATS.items()}


def read_labelled(path: str, format_name: str | None, settings: Sequence[str] = ()) -> Split:
    """Read a labelled file.

    Args:
        path: of the file or folder.
        format_name: as of `data=`; None: what it looks like.
        settings: further settings, as `data.overlap=longest`.

    Raises:
        UserError: it is of no known format, or cannot be read; or a setting is wrong.
    """
    found = format_name or (None if is_remote(path) else format_of(Path(path)))
    if found is None:
        raise UserError(f"{path}: of no known format; name it with --from, one of {', '.join(_PRESETS)}")
    given = {"title": path, "format": _PRESETS.get(found, found), **dict(map(_setting, settings))}
    # all three splits are named, so that none is drawn from another
    return load_split(DataConfig.from_mapping({**dict.fromkeys(("train", "dev", "test"), path), **given}), "train")


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.startswith("data."):
        raise UserError(f"{text}: expected a setting such as data.overlap=longest")
    try:
        return name.removeprefix("data."), json.loads(value)
    except ValueError:
        return name.removeprefix("data."), value


def add_reading_options(parser: ArgumentParser) -> None:
    """Add the options of commands that read raw text with a model."""
    add = parser.add_argument
    add("inputs", nargs="*", metavar="FILE", help="text, JSONL, CSV, Parquet, CoNLL; files, folders, patterns; "
        "default: standard input")  # fmt: skip
    add("--model", required=True, metavar="MODEL", help="a model folder, a ready model's name, or hub:ORG/NAME")
    add("--input-format", choices=[*map(str, InputFormat)], help="of all inputs; default: by extension")
    add("--unit", choices=[*map(str, Unit)], default="line", help="text: what makes a document; default: line")
    add("--text-field", "--text-column", default="text", metavar="NAME", help="jsonl, csv, parquet: default: text")
    add("--format", choices=[*OUTPUT_STYLES], default="labelstudio", help="of the output; default: labelstudio")
    add("--output", metavar="FILE", help="default: standard output")
    add("--from-name", default="label", metavar="NAME", help="labelstudio: the name of <Labels>; default: label")
    add("--to-name", default="text", metavar="NAME", help="labelstudio: the name of <Text>; default: text")


def raw_documents(given: Any, tokenizer: str) -> Iterator[Document]:
    """Yield the documents of the inputs that the command line names, split into sentences, in constant memory.

    Raises:
        UserError: an input cannot be read, or a record is malformed.
    """
    sources, notes = find_sources(given.inputs, given.input_format and InputFormat(given.input_format))
    for note in notes:
        print(note, file=sys.stderr)
    reading = ReadOptions(unit=Unit(given.unit), text_field=given.text_field)
    tokenize = get_tokenizer(tokenizer)
    for source, record in all_records(sources, reading):
        yield record.document(lambda text: split_text(text, tokenize), source.name)


def tagged(model: Tagger, documents: Iterable[Document]) -> Iterator[Document]:
    """Yield the documents with predicted tags and scores."""
    left = iter(documents)
    while some := list(islice(left, _AT_ONCE)):
        sentences = model.tag_sentences((one for document in some for one in document.sentences), scores=True)
        for document in some:
            document.sentences = list(islice(sentences, len(document.sentences)))
            document.plain = model.plain
            yield document


def write_labelled(
    documents: Iterable[Document], style: str, output: str | None, names: WriteNames | None = None
) -> None:
    """Write documents to a file, whole or not at all, or to standard output. Raises UserError if that fails."""
    texts = written(documents, style, names)
    if output is None or output == "-":
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")
        for text in texts:
            sys.stdout.write(text)
        sys.stdout.flush()
        return
    with written_whole(Path(output)) as stream:
        for text in texts:
            stream.write(text)
