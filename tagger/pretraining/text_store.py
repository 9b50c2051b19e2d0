"""Raw text, split into words once and kept on disk. Training streams it in constant memory.

The folder holds
    train.txt, held_out.txt     a sentence a line, its tokens with single blanks between them
    words.tsv                   the most frequent words, as they are written, with their counts in train.txt
    about.json                  what it was made from, and where the blocks of both texts begin; written last
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from tqdm import tqdm

from tagger.bulk.inputs import STANDARD_INPUT, InputFormat, Source, find_sources
from tagger.bulk.parts import all_records
from tagger.corpus.tokenizers import get_tokenizer, split_text
from tagger.errors import UserError
from tagger.files import cache_folder, lock_folder, sha256_of, written_whole

LONGEST = 100  # tokens; longer sentences are cut
BLOCK_TOKENS = 400_000  # of the text that is in memory at once
_LONGEST_DOCUMENT = 5000  # tokens; longer documents are cut for holding out
_LONGEST_LINE = 10_000_000  # characters
_MOST_COUNTED, _MOST_WORDS = 4_000_000, 500_000
_TRAIN, _HELD_OUT, _WORDS, _ABOUT = "train.txt", "held_out.txt", "words.tsv", "about.json"
_FORMAT = 1

Tokens = list[str]


class Block(NamedTuple):
    """A run of sentences in one of the two texts.

    Attributes:
        begin: its first byte.
        size: number of bytes.
        sentences, tokens: how many it has.
    """

    begin: int
    size: int
    sentences: int
    tokens: int


@dataclass(frozen=True)
class About:
    """What a stored text was made from.

    Attributes:
        digest: of the files and settings; it names the folder.
        files: names of the files.
        train, held_out: blocks of the two texts.
        documents, held_out_documents: how many there are, with those held out, and how many of them are held out.
    """

    digest: str
    files: tuple[str, ...]
    train: tuple[Block, ...]
    held_out: tuple[Block, ...]
    documents: int
    held_out_documents: int

    @property
    def tokens(self) -> int:
        """Number of tokens to train on."""
        return sum(block.tokens for block in self.train)

    @property
    def sentences(self) -> int:
        """Number of sentences to train on."""
        return sum(block.sentences for block in self.train)

    @property
    def held_out_tokens(self) -> int:
        """Number of held-out tokens."""
        return sum(block.tokens for block in self.held_out)

    def __str__(self) -> str:
        files = self.files[0] + (f" and {len(self.files) - 1} more" if len(self.files) > 1 else "")
        return f"{self.tokens:,} tokens in {self.sentences:,} sentences of {files}"


class StoredText:
    """A text that was split into words before."""

    def __init__(self, folder: Path) -> None:
        """Open a folder.

        Raises:
            UserError: it is damaged.
        """
        self._folder = folder
        try:
            found: dict[str, Any] = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
            blocks = {name: tuple(Block(*block) for block in found[name]) for name in ("train", "held_out")}
            self.about = About(**{**found, **blocks, "files": tuple(found["files"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise self._damaged(error) from error

    def words(self, most: int, min_count: int) -> dict[str, int]:
        """Return the most frequent words as they are written, with their counts, at most `most`."""
        found: dict[str, int] = {}
        try:
            with (self._folder / _WORDS).open(encoding="utf-8", newline="\n") as stream:
                for line in stream:
                    word, count = line.rstrip("\n").split("\t")
                    if len(found) == most or int(count) < min_count:
                        break
                    found[word] = int(count)
        except (OSError, ValueError) as error:
            raise self._damaged(error) from error
        return found

    def block(self, number: int) -> list[Tokens]:
        """Read the sentences of a block to train on."""
        return self._read(_TRAIN, self.about.train[number])

    def held_out(self) -> Iterator[Tokens]:
        """Yield the held-out sentences."""
        for block in self.about.held_out:
            yield from self._read(_HELD_OUT, block)

    def train(self) -> Iterator[Tokens]:
        """Yield the sentences to train on."""
        for block in self.about.train:
            yield from self._read(_TRAIN, block)

    def _read(self, name: str, block: Block) -> list[Tokens]:
        try:
            with (self._folder / name).open("rb") as stream:
                stream.seek(block.begin)
                lines = stream.read(block.size).decode().split("\n")[:-1]
        except (OSError, ValueError) as error:
            raise self._damaged(error) from error
        if len(lines) != block.sentences:
            raise self._damaged(f"{name} was cut off or changed")
        return [line.split(" ") for line in lines]

    def _damaged(self, why: object) -> UserError:
        return UserError(f"{self._folder}: damaged ({why}); remove this folder, it is made again")


def stored_text(
    files: Sequence[str],
    tokenizer: str,
    *,
    held_out: float,
    dev: Sequence[str] = (),
    dev_tokenizer: str | None = None,
) -> StoredText:
    """Split files of raw text into words. What was split before is found in the cache.

    Documents end at blank lines and at the end of a file. A record of JSONL or Parquet is one. A document of more than
    5,000 tokens is cut at line ends.

    Args:
        files: files, folders or patterns of text, JSONL or Parquet, also compressed.
        tokenizer: its name.
        held_out: share of the tokens to hold out, by document. Unused if `dev` names files.
        dev: files of held-out text.
        dev_tokenizer: splits them; None for `tokenizer`.

    Raises:
        UserError: a file is missing, malformed, empty or no text, or the cache cannot be written.
    """
    sources, others = _sources(files), _sources(dev) if dev else []
    settings = [_FORMAT, LONGEST, BLOCK_TOKENS, tokenizer, dev_tokenizer, held_out]
    depends_on = [*settings, *map(_digest, sources), "", *map(_digest, others)]
    digest = hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()
    folder = cache_folder() / "pretraining" / digest
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot write: {error.strerror or error}; set TAGGER_CACHE to a folder") from error
    with lock_folder(folder, wait=True):
        if not (folder / _ABOUT).is_file():
            try:
                _Splitting(folder, digest).finish(sources, tokenizer, others, dev_tokenizer or tokenizer, held_out)
            except OSError as error:
                raise UserError(f"{folder}: cannot write: {error.strerror or error}") from error
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    return StoredText(folder)


def _sources(files: Sequence[str]) -> list[Source]:
    if STANDARD_INPUT in files:
        raise UserError("data.text: standard input cannot be read twice; name a file")
    return find_sources(files)[0]


def _digest(source: Source) -> str:
    assert source.path is not None
    try:
        return sha256_of(Path(source.path))
    except OSError as error:
        raise UserError(f"{source.path}: cannot read: {error.strerror or error}") from error


class _Writer:
    """Writes sentences to a file and keeps account of its blocks."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.blocks: list[Block] = []
        self._begin = self._size = self._sentences = self._tokens = 0
        self.tokens = 0

    def write(self, sentence: Tokens) -> None:
        line = " ".join(sentence).encode("utf-8", "replace") + b"\n"
        self._stream.write(line)
        self._size += len(line)
        self._sentences += 1
        self._tokens += len(sentence)
        self.tokens += len(sentence)
        if self._tokens >= BLOCK_TOKENS:
            self.end_block()

    def end_block(self) -> None:
        if self._sentences:
            self.blocks.append(Block(self._begin, self._size, self._sentences, self._tokens))
        self._begin += self._size
        self._size = self._sentences = self._tokens = 0


class _Splitting:
    """Splits texts into words, into a folder."""

    def __init__(self, folder: Path, digest: str) -> None:
        self._folder, self._digest = folder, digest
        self._counts: Counter[str] = Counter()
        self._least = 1

    def finish(
        self, sources: Sequence[Source], tokenizer: str, others: Sequence[Source], dev_tokenizer: str, held_out: float
    ) -> None:
        """Split the texts and complete the folder.

        Args:
            sources, tokenizer: the text, and what splits it.
            others, dev_tokenizer: held-out text, and what splits it.
            held_out: share to hold out of the text, if there is no other.
        """
        share = 0.0 if others else held_out
        documents = kept_back = 0
        with (self._folder / _TRAIN).open("wb") as train_file, (self._folder / _HELD_OUT).open("wb") as held_out_file:
            train, held = _Writer(train_file), _Writer(held_out_file)
            for document in _documents(sources, tokenizer, "text"):
                documents += 1
                if share and held.tokens + len(document) / 2 < share * (held.tokens + train.tokens):
                    kept_back += 1
                    _write_all(document, held)
                    continue
                _write_all(document, train)
                for sentence in document:
                    self._counts.update(sentence)
                self._forget_rare()
            for document in _documents(others, dev_tokenizer, "held-out text") if others else ():
                kept_back += 1
                documents += 1
                _write_all(document, held)
            train.end_block()
            held.end_block()
        if not train.tokens:
            raise UserError(f"{sources[0].name}: there is no text in it; name files with text in data.text")
        if not held.tokens:
            raise UserError(
                f"{sources[0].name}: too little text to hold out a share of it ({train.tokens:,} tokens in {documents} "
                "documents); give more text, or set data.dev_text"
            )
        about = About(
            digest=self._digest,
            files=tuple(source.name for source in sources),
            train=tuple(train.blocks),
            held_out=tuple(held.blocks),
            documents=documents,
            held_out_documents=kept_back,
        )
        words = sorted(self._counts.items(), key=lambda entry: (-entry[1], entry[0]))[:_MOST_WORDS]
        with written_whole(self._folder / _WORDS) as stream:
            stream.writelines(f"{word}\t{count}\n" for word, count in words)
        with written_whole(self._folder / _ABOUT) as stream:
            stream.write(json.dumps(asdict(about)))

    def _forget_rare(self) -> None:
        """Forget the rarest words where there are too many to count."""
        while len(self._counts) > _MOST_COUNTED:
            self._counts = Counter({word: count for word, count in self._counts.items() if count > self._least})
            self._least += 1


def _write_all(document: Sequence[Tokens], writer: _Writer) -> None:
    for sentence in document:
        writer.write(sentence)


def _written(token: str) -> str:
    """Return a token without white space in it."""
    return token if token.isalnum() else "_".join(token.split()) or "_"


def split_files(files: Sequence[str], tokenizer: str) -> list[Tokens]:
    """Split files into sentences, in memory.

    Raises:
        UserError: a file is missing, malformed, or no text.
    """
    return [sentence for document in _documents(_sources(files), tokenizer, "test text") for sentence in document]


def _documents(sources: Sequence[Source], tokenizer: str, name: str) -> Iterator[list[Tokens]]:
    """Yield documents as lists of sentences, long ones in parts."""
    size = sum(Path(source.path).stat().st_size for source in sources if source.path)
    split = get_tokenizer(tokenizer)
    document: list[Tokens] = []
    tokens, current = 0, None
    with tqdm(desc=name, total=size, unit="B", unit_scale=True, file=sys.stderr, mininterval=1) as bar:
        for source, record in all_records(sources, read=bar.update):
            if len(record.text) > _LONGEST_LINE:
                raise UserError(
                    f"{source.name}: a line of {len(record.text):,} characters; put line ends between paragraphs"
                )
            lines = source.input_format is InputFormat.TEXT
            blank = lines and not record.text.strip()
            if document and (blank or not lines or source != current or tokens > _LONGEST_DOCUMENT):
                yield document
                document, tokens = [], 0
            current = source
            for sentence in record.document(lambda text: split_text(text, split)).sentences:
                written = [_written(token) for token in sentence.tokens]
                document.extend(written[first : first + LONGEST] for first in range(0, len(written), LONGEST))
                tokens += len(written)
    if document:
        yield document
