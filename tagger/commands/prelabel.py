"""Label raw text with a model, as suggestions for an annotation tool.

    tagger prelabel --model runs/latest/model raw.jsonl --format labelstudio --output tasks.json
    tagger prelabel --model en-ner notes/*.txt --format prodigy --min-score 0.3 > notes.jsonl

Label Studio gets predictions with scores, which it shows before anything is annotated. doccano and Prodigy get labels
and scores. Entities less probable than --min-score are left out. Memory does not grow with the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tagger.bulk.min_scores import MinimumScores
from tagger.commands.labelled_files import add_reading_options, raw_documents, tagged, write_labelled
from tagger.commands.main import command_parser
from tagger.corpus.document import Document
from tagger.corpus.writers import WriteNames
from tagger.errors import UserError


def main(arguments: Sequence[str]) -> int:
    """Label as the command line asks; returns 0.

    Raises:
        UserError: the model or an input cannot be read, or the output cannot be written.
    """
    parser = command_parser("prelabel", __doc__)
    add_reading_options(parser)
    parser.add_argument("--min-score", action="append", metavar="P", help="leave out entities less probable than P; "
        "LABEL=P for one label; may be repeated")  # fmt: skip
    given = parser.parse_args(arguments)
    minimum = MinimumScores.parse(given.min_score) if given.min_score else None
    from tagger.predict import load  # it takes time

    model = load(given.model)
    if minimum is not None and model.plain:
        raise UserError("--min-score: the model gives every token a plain tag, and no entities to leave out; drop it")
    if minimum is not None:
        minimum.require_known(model.labels)

    def documents() -> Iterator[Document]:
        for document in tagged(model, raw_documents(given, model.tokenizer)):
            if minimum is not None:
                document.sentences = list(map(minimum.applied, document.sentences))
            yield document

    names = WriteNames(True, str(given.model), given.from_name, given.to_name)
    write_labelled(documents(), given.format, given.output, names)
    return 0
