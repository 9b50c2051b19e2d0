"""Choose what to label next: the sentences that a model can learn most from.

    tagger suggest --model runs/latest/model raw/*.txt --number 50 --by diverse --format labelstudio --output next.json

The sentences are written with the model's own labels, as suggestions to correct. --by says what makes a sentence worth
labelling; `docs/labelling.md` describes each way. The same seed chooses the same sentences. Memory does not grow with
the input.
"""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Iterator, Sequence

from tagger.commands.labelled_files import add_reading_options, raw_documents, write_labelled
from tagger.commands.main import command_parser, whole_number
from tagger.corpus.document import Document
from tagger.corpus.sentence import Sentence
from tagger.corpus.writers import WriteNames, documents_of, sentence_alone
from tagger.errors import UserError


def main(arguments: Sequence[str]) -> int:
    """Choose sentences as the command line asks; returns 0.

    Raises:
        UserError: the model or an input cannot be read, or the output cannot be written.
    """
    from tagger.evaluation.suggestion import STRATEGIES, suggest
    from tagger.predict import load

    parser = command_parser("suggest", __doc__)
    add_reading_options(parser)
    parser.add_argument("--number", type=whole_number, default=50, metavar="N", help="of sentences; default: 50")
    parser.add_argument("--by", choices=STRATEGIES, default="diverse", help="default: diverse")
    parser.add_argument("--seed", type=_seed, default=1, metavar="N", help="of --by random; default: 1")
    parser.add_argument("--min-tokens", type=whole_number, default=3, metavar="N", help="pass over shorter sentences; "
        "default: 3")  # fmt: skip
    given = parser.parse_args(arguments)
    model = load(given.model, engine="numpy") if given.by == "diverse" else load(given.model)
    read: Counter[str] = Counter()

    def sentences() -> Iterator[Sentence]:
        for document in raw_documents(given, model.tokenizer):
            read["documents"] += 1
            for sentence in document.sentences:
                read["sentences"] += 1
                yield sentence

    found = suggest(model, sentences(), given.number, given.by, seed=given.seed, fewest_tokens=given.min_tokens)
    if not found:
        raise UserError(f"no sentence of {given.min_tokens} tokens or more in {read['documents']:,} documents")
    tagged = model.tag_sentences(map(sentence_alone, (sentence for sentence, _ in found)), scores=True)
    documents: Iterator[Document] = documents_of(tagged, plain=model.plain)
    write_labelled(documents, given.format, given.output, WriteNames(True, given.model, given.from_name, given.to_name))
    print(f"{len(found):,} of {read['sentences']:,} sentences, by {given.by}", file=sys.stderr)
    return 0


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError(f"expected a whole number, got {text!r}")
    return int(text)
