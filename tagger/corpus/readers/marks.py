"""The sentence a reader of lines is in the middle of, and what marks and comments between its lines say of it."""

from __future__ import annotations

from tagger.corpus.readers.account import MalformedError, ReadReport, check_tag
from tagger.corpus.sentence import Sentence

_DOCUMENT_MARK = "-DOCSTART-"
_NO_ID = frozenset({"O", "-X-", "-", "_"})  # what fills the further columns of a mark in the CoNLL data sets
_NEW_DOCUMENT = "newdoc"


def is_document_mark(line: str) -> bool:
    """Whether a line opens a document: `-DOCSTART-`, alone or with further columns."""
    return line.startswith(_DOCUMENT_MARK) and line.split(maxsplit=1)[0] == _DOCUMENT_MARK


class OpenSentence:
    """Gathers a sentence line by line: its tokens and tags, and the document and running text that marks announce."""

    def __init__(self, report: ReadReport) -> None:
        self._report = report
        self._document: str | None = None
        self._documents = 0  # begun so far, the unmarked one that a file may begin with included
        self._place = ""
        self._faulty = False
        self._text: str | None = None
        self._tokens: list[str] = []
        self._tags: list[str] = []

    def mark_document(self, line: str) -> None:
        """Begin a document at a `-DOCSTART-` line; a further column that says something is its id, else a number is."""
        self._begin_document(next((column for column in line.split()[1:] if column not in _NO_ID), ""))

    def comment(self, text: str) -> None:
        """Take in a comment without its prefix; `newdoc id = ...` and `text = ...` (as in CoNLL-U) mean something."""
        key, separator, value = text.partition("=")
        key, value = key.strip(), value.strip()
        if key == "text" and separator:
            self._text = value
        elif key.split()[:1] == [_NEW_DOCUMENT]:
            self._begin_document(value)

    def begin(self, place: str) -> None:
        """Note a line of content at `place` (`file:line`)."""
        self._place = self._place or place

    def add(self, place: str, token: str, tag: str | None) -> None:
        """Append a token with its tag; tags of one sentence are all given or all None. A malformed tag is a fault."""
        self.begin(place)
        self._tokens.append(token)
        if tag is None:
            return
        bare = tag.strip()
        try:
            check_tag(bare)
        except MalformedError as problem:
            self.fault(place, str(problem))
            return
        if tag != bare:
            self._report.repair(f"{place}: blanks around tag {tag!r} removed")
        self._tags.append(bare)

    def fault(self, place: str, problem: str) -> None:
        """Report a malformed line of the sentence.

        Raises:
            UserError: with `on_error=stop`.
        """
        self.begin(place)
        self._faulty = True
        self._report.reject(place, problem)

    def close(self) -> Sentence | None:
        """End the sentence and count it. None where there is none, or one that is not to be kept."""
        if not self._place:
            self._report.close_lines()
            self._clear()
            return None
        if not self._tokens and not self._faulty:
            self.fault(self._place, "a sentence without words; remove it")
        self._documents = self._documents or 1
        sentence = None
        if self._report.close_sentence():
            offsets = None if self._text is None else locate(self._tokens, self._text)
            sentence = Sentence(
                self._tokens,
                self._tags or None,
                text=None if offsets is None else self._text,
                offsets=offsets,
                document=self._document,
                place=self._place,
            )
        self._clear()
        return sentence

    def _clear(self) -> None:
        self._place = ""
        self._faulty = False
        self._text = None
        self._tokens = []
        self._tags = []

    def _begin_document(self, name: str) -> None:
        self._documents += 1
        self._document = name or str(self._documents)


def locate(tokens: list[str], text: str) -> list[tuple[int, int]] | None:
    """Where each token stands in `text`, as half-open spans; None where more than white space lies between them."""
    spans: list[tuple[int, int]] = []
    position = 0
    for token in tokens:
        while not text.startswith(token, position):
            if not text[position : position + 1].isspace():
                return None
            position += 1
        spans.append((position, position + len(token)))
        position += len(token)
    return None if text[position:].strip() else spans
