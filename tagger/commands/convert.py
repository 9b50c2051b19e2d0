"""Convert a labelled file to another format, and account for every span.

    tagger convert all.jsonl corpus.conll
    tagger convert project.json corpus.jsonl --to doccano data.annotator=latest data.overlap=longest

The format read is what the file looks like, unless --from names it. The format written follows from the extension, or
from --to. Spans are fitted to whole tokens; what was repaired, left out or rejected is said on standard error. Settings
of conf/data/base.yaml can be given as data.KEY=VALUE.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tagger.commands.labelled_files import read_labelled, write_labelled
from tagger.commands.main import command_parser
from tagger.corpus.document import Document
from tagger.corpus.formats import FORMATS
from tagger.corpus.readers.account import counted
from tagger.corpus.schemes import Scheme
from tagger.corpus.writers import OUTPUT_STYLES, documents_of
from tagger.errors import UserError


def main(arguments: Sequence[str]) -> int:
    """Convert as the command line asks; returns 0.

    Raises:
        UserError: the file cannot be read or written, or a format is not known.
    """
    parser = command_parser("convert", __doc__)
    parser.add_argument("input", metavar="INPUT", help="a labelled file, or a folder of BRAT's")
    parser.add_argument("output", metavar="OUTPUT", help="the file to write; - is standard output")
    parser.add_argument("settings", nargs="*", metavar="data.KEY=VALUE", help="settings of reading")
    known = [one.preset for name, one in FORMATS.items() if name != "parallel"]
    parser.add_argument("--from", dest="source", choices=known, help="format of INPUT; default: what it looks like")
    parser.add_argument("--to", choices=[*OUTPUT_STYLES], help="format of OUTPUT; default: by its extension")
    given = parser.parse_args(arguments)
    style = given.to or _style_of(given.output)
    if Path(given.output).exists() and Path(given.output).resolve() == Path(given.input).resolve():
        raise UserError(f"{given.output}: the input; name another file to write")
    split = read_labelled(given.input, given.source, given.settings)
    plain = split.scheme is Scheme.PLAIN
    counts = [0, 0]

    def counting() -> Iterator[Document]:
        for document in documents_of(split.sentences, plain=plain):
            counts[0] += 1
            counts[1] += len(document.entities)
            yield document

    write_labelled(counting(), style, given.output)
    spans = 0 if plain else split.labels().total()
    assert plain or spans == counts[1], "a span lost on the way"
    print(split.account().partition("\n")[2], file=sys.stderr)
    what = "" if plain else f", {counted(spans, 'span')}"
    done = f"{counted(counts[0], 'document')}, {counted(len(split.sentences), 'sentence')}{what}"
    print(f"written as {OUTPUT_STYLES[style].title}: {done}", file=sys.stderr)
    return 0


def _style_of(output: str) -> str:
    suffix = Path(output).suffix.lower()
    found = next((name for name, style in OUTPUT_STYLES.items() if suffix in style.extensions), None)
    if found is None:
        raise UserError(f"{output}: no format has this extension; name one with --to: {', '.join(OUTPUT_STYLES)}")
    return found
