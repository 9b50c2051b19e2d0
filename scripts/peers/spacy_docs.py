"""Tokens as spaCy's documents and back; apart from spacy_peer.py, since what training imports takes memory."""

from __future__ import annotations

from collections.abc import Sequence

from exchange import OUTSIDE
from spacy.tokens import Doc
from spacy.vocab import Vocab

STAND_IN = "␣"  # for tokens that are empty or blank, which spaCy allows no entity to hold


def make_doc(vocab: Vocab, tokens: Sequence[str]) -> Doc:
    """A document of these very tokens. Without `spaces` spaCy's training does not tokenise it anew."""
    return Doc(vocab, words=[token if token.strip() else STAND_IN for token in tokens])


def tags_of(doc: Doc, kind: str) -> list[str]:
    """Plain tags, or IOB2 tags out of the document's entities."""
    if kind == "tags":
        return [token.tag_ for token in doc]
    return [f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else OUTSIDE for token in doc]
