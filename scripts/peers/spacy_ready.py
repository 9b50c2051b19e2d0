"""Tag sentences with a trained pipeline of spaCy. It runs in the peers' environment."""

from __future__ import annotations

import argparse
from pathlib import Path

import spacy
from exchange import read_lines, write_lines
from spacy_docs import make_doc, tags_of

UNUSED = ("tagger", "attribute_ruler", "lemmatizer")  # no part in names; the parser sets sentences, which names respect


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="has test.jsonl, and gets test.tags.jsonl")
    parser.add_argument("--model", type=Path, required=True, help="the folder of the pipeline")
    arguments = parser.parse_args()
    nlp = spacy.load(arguments.model, exclude=UNUSED)
    docs = (make_doc(nlp.vocab, record["tokens"]) for record in read_lines(arguments.folder / "test.jsonl"))
    tags = [tags_of(doc, "entities") for doc in nlp.pipe(docs)]
    write_lines(arguments.folder / "test.tags.jsonl", tags)


if __name__ == "__main__":
    main()
