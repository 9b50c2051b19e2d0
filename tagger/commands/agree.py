"""Compare annotators who labelled the same texts: F1 over spans, Cohen's and Fleiss' kappa over tokens, and the places.

    tagger agree a.json b.json
    tagger agree project.json                    the annotators of one export of Label Studio
    tagger agree a.conll b.conll c.conll --places 50

Texts are matched by their characters. Texts that only some have are counted and left out. F1 needs exact ends and
labels. Kappa corrects for agreement by chance; over the labelled tokens alone it is not raised by the many that all
leave out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tagger.commands.labelled_files import read_labelled
from tagger.commands.main import command_parser
from tagger.corpus.document import Document
from tagger.corpus.formats import FORMATS, format_of
from tagger.corpus.readers.labelstudio import annotators_of
from tagger.corpus.schemes import Scheme
from tagger.corpus.writers import documents_of
from tagger.errors import UserError
from tagger.evaluation.agreement import Agreement, agreement
from tagger.files import written_whole
from tagger.printable import in_a_line

_AROUND = 30  # characters shown on either side of a place


def main(arguments: Sequence[str]) -> int:
    """Compare as the command line asks; returns 0.

    Raises:
        UserError: a file cannot be read, or there are no two annotators, or no text that all have.
    """
    parser = command_parser("agree", __doc__)
    parser.add_argument("inputs", nargs="+", metavar="FILE", help="a file per annotator, or one export of Label "
        "Studio; and settings of reading, data.KEY=VALUE")  # fmt: skip
    known = [one.preset for one in FORMATS.values()]
    parser.add_argument(
        "--from", dest="source", choices=known, help="format of the files; default: what they look like"
    )
    parser.add_argument("--places", type=int, default=20, metavar="N", help="of disagreement to show; default: 20")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures and places")
    given = parser.parse_args(arguments)
    settings = [one for one in given.inputs if one.startswith("data.")]
    found = agreement(_annotators([one for one in given.inputs if one not in settings], given.source, settings))
    if not found.texts:
        raise UserError(f"{given.inputs[0]}: no text that all annotators have; are these files of the same texts?")
    print(_table(found, given.places))
    if given.json:
        value = {
            **{name: getattr(found, name) for name in ("texts", "others", "tokens", "fleiss")},
            "pairs": [vars(pair) for pair in found.pairs],
            "places": [place._asdict() for place in found.places],
        }
        with written_whole(given.json) as stream:
            json.dump(value, stream, ensure_ascii=False, indent=1)
    return 0


def _annotators(files: Sequence[str], source: str | None, settings: Sequence[str]) -> Mapping[str, Sequence[Document]]:
    named = [(file, file, [*settings]) for file in files]
    if len(files) == 1:
        ids = annotators_of(Path(files[0])) if (source or format_of(Path(files[0]))) == "labelstudio" else []
        if len(ids) < 2:
            raise UserError(f"{files[0]}: one annotator; name a file for each, or an export with several annotators")
        named = [(f"annotator {one}", files[0], [*settings, f'data.annotator="{one}"']) for one in ids]
    if len({name for name, _, _ in named}) < len(named):
        raise UserError("a file is named twice; name each once")
    found = {}
    for name, file, own in named:
        split = read_labelled(file, source, own)
        found[name] = list(documents_of(split.sentences, plain=split.scheme is Scheme.PLAIN))
    return found


def _table(found: Agreement, most: int) -> str:
    lines = [
        f"{found.texts:,} texts, {found.tokens:,} tokens; {found.others:,} texts that not all have were left out",
        "",
    ]
    for pair in found.pairs:
        lines += [f"{pair.first} and {pair.second}", f"  F1 over spans                {_number(pair.f1)}"]
        lines += [f"    {label:<26} {_number(value)}" for label, value in pair.labels.items()]
        lines.append(f"  Cohen's kappa, tokens        {_number(pair.kappa)}")
        lines.append(f"  Cohen's kappa, labelled ones {_number(pair.kappa_labelled)}")
    if len(found.pairs) > 1:
        lines.append(f"Fleiss' kappa of all, tokens   {_number(found.fleiss)}")
    if found.places:
        lines += ["", f"{len(found.places):,} spans on which they disagree:"]
    for text, start, end, label, has, lacks in found.places[:most]:
        shown = f"{text[max(0, start - _AROUND) : start]}[{text[start:end]}]{text[end : end + _AROUND]}"
        lines.append(f"  {label}: … {shown} …  {', '.join(has)}; not {', '.join(lacks)}")
    if len(found.places) > most:
        lines.append(f"  and {len(found.places) - most:,} more (--places, --json)")
    return "\n".join(map(in_a_line, lines))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
