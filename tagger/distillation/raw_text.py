"""Raw text as sentences, each once, without those that the student is scored on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from tagger.bulk.inputs import STANDARD_INPUT, find_sources
from tagger.bulk.parts import all_records
from tagger.corpus.sentence import Sentence, sentence_key
from tagger.corpus.tokenizers import get_tokenizer, split_text
from tagger.errors import UserError
from tagger.files import sha256_of

DUPLICATES, HELD_OUT = "repeated", "of the labelled data"  # reasons to leave out a sentence


class RawText:
    """The sentences of files of raw text.

    Attributes:
        sources: the files.
        left_out: number of sentences left out so far, by reason.
    """

    def __init__(self, files: Sequence[str], tokenizer: str, labelled: Iterable[Sequence[str]]) -> None:
        """
        Args:
            files: files, folders or patterns.
            tokenizer: its name.
            labelled: tokens of sentences to leave out: the student's training, dev and test splits.

        Raises:
            UserError: a file is missing, or the tokenizer is unknown.
        """
        if STANDARD_INPUT in files:
            raise UserError("distill.text: standard input cannot be read twice; name a file")
        self.sources, _ = find_sources(files)
        self._tokenizer = tokenizer
        self._split = get_tokenizer(tokenizer)
        self._labelled = {sentence_key(tokens) for tokens in labelled}
        self.left_out: Counter[str] = Counter()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the files."""
        return tuple(source.name for source in self.sources)

    @property
    def size(self) -> int:
        """Number of bytes of the files."""
        return sum(Path(source.name).stat().st_size for source in self.sources)

    def digest(self) -> str:
        """Return the SHA-256 of all that decides on the sentences."""
        parts = [self._tokenizer, *(sha256_of(Path(source.name)) for source in self.sources)]
        labelled = hashlib.sha256(b"".join(sorted(self._labelled))).hexdigest()
        return hashlib.sha256(" ".join([*parts, labelled]).encode()).hexdigest()

    def sentences(self, read: Callable[[int], object] = lambda size: None) -> Iterator[Sentence]:
        """Yield the sentences in order; `left_out` counts the others.

        Sentences are compared by their characters without blanks and case. A line or record that holds a labelled
        sentence as a whole is left out, however the tokenizer splits it.

        Args:
            read: called with the number of bytes of the files that were read since the last call.

        Raises:
            UserError: a file is malformed, or no text.
        """
        seen: set[bytes] = set()
        self.left_out.clear()
        for _, record in all_records(self.sources, read=read):
            if sentence_key([record.text]) in self._labelled:
                self.left_out[HELD_OUT] += 1
                continue
            for sentence in record.document(lambda text: split_text(text, self._split)).sentences:
                key = sentence_key(sentence.tokens)
                if key in self._labelled:
                    self.left_out[HELD_OUT] += 1
                elif key in seen:
                    self.left_out[DUPLICATES] += 1
                else:
                    seen.add(key)
                    yield Sentence(sentence.tokens)
