"""Collect a sentence line by line, and interpret document marks and comments."""

from __future__ import annotations

from tagger.corpus.readers.account import MalformedError, ReadReport, check_tag
from tagger.corpus.sentence import Sentence

_DOCUMENT_MARK = "-DOCSTART-"
_NO_ID = frozenset({"O", "-X-", "-", "_"})  # fillers in the other columns of a mark in the CoNLL data sets
_NEW_DOCUMENT = "newdoc"


def is_document_mark(line: str) -> bool:
    """Return whether a line begins a document: `-DOCSTART-`, alone or with more columns."""
    return line.startswith(_DOCUMENT_MARK) and line.split(maxsplit=1)[0] == _DOCUMENT_MARK


class OpenSentence:
    """A sentence that is being read: its tokens and tags so far, its document and its running text."""

    def __init__(self, report: ReadReport) -> None:
        self._report = report
        self._document: str | None = None
        self._documents = 0  # begun so far, including an unmarked one at the start of the file
        self._place = ""
        self._faulty = False
        self._text: str | None = None
        self._tokens: list[str] = []
        self._tags: list[str] = []

    def mark_document(self, line: str) -> None:
        """Begin a document at a `-DOCSTART-` line. Its id is the first other column with content, else a number."""
        self._begin_document(next((column for column in line.split()[1:] if column not in _NO_ID), ""))

    def comment(self, text: str) -> None:
        """Interpret a comment, given without its prefix: `newdoc id = ...` and `text = ...`, as in CoNLL-U."""
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
        """Append a token with its tag. Tags of one sentence are all given or all None. A malformed tag is a fault."""
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
        """Close the sentence, count it, and return it. None if there is none, or it is rejected."""
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
    """Locate tokens in `text`, as half-open spans. None if anything but white space is between them."""
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
