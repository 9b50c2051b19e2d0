"""Have a teacher tag raw text, once. The result is kept in the cache; an interrupted reading continues."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.distillation.config import DistillConfig
from tagger.distillation.raw_text import RawText
from tagger.distillation.teacher import Teacher
from tagger.errors import UserError
from tagger.features.distilled_text import (
    SENTENCES_PER_PART,
    About,
    DistilledText,
    is_complete,
    part_path,
    read_state,
    words_of,
    write_about,
    write_part,
)
from tagger.features.soft_targets import TagDistribution
from tagger.files import cache_folder, lock_folder
from tagger.predict import digest_of, load

_AT_ONCE = 1000  # sentences
_MOST_WORDS = 200_000
UNSURE, WITHOUT_ENTITY = "below distill.min_confidence", "without entities"  # reasons to leave out a sentence


def distilled_text(
    config: DistillConfig,
    labelled: Sequence[Sequence[str]],
    *,
    tags: Sequence[str],
    scheme: Scheme,
    tokenizer: str,
) -> DistilledText:
    """Return the text that a teacher has tagged: from the cache, or tag it now.

    Args:
        config: teacher, text and choice of sentences. The teacher is not `auto`.
        labelled: tokens of the labelled sentences, which are left out.
        tags, scheme: the student's tags.
        tokenizer: of the data.

    Raises:
        UserError: the teacher or the text is missing, damaged or does not fit, or the cache cannot be written.
    """
    text = RawText(config.files, config.tokenizer or tokenizer, labelled)
    choice = [config.sentences, config.min_confidence, config.entity_share, config.temperature, config.targets]
    depends_on = [list(map(digest_of, config.teachers)), list(tags), config.labels or {}, choice, text.digest()]
    digest = hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()
    folder = cache_folder() / "distilled" / digest
    if not is_complete(folder):
        teacher = Teacher(
            {path: load(path) for path in config.teachers},
            tags,
            scheme,
            config.labels or {},
            temperature=config.temperature,
            best_path_alone=config.targets == "tags",
        )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{folder}: cannot write: {error.strerror or error}; set TAGGER_CACHE to a folder"
            ) from error
        with lock_folder(folder, wait=True):
            if not is_complete(folder):
                _Reading(folder, config, teacher, text).finish(digest, tags)
    return DistilledText(folder)


class _Reading:
    """A teacher's reading of a text into a folder."""

    def __init__(self, folder: Path, config: DistillConfig, teacher: Teacher, text: RawText) -> None:
        self._folder, self._config, self._teacher, self._text = folder, config, teacher, text
        self._state: Counter[str] = Counter()  # sentences: given by the text, kept, with entities, left out by reason
        self._parts = 0

    def finish(self, digest: str, tags: Sequence[str]) -> None:
        """Read what is left of the text, and complete the folder."""
        self._continue()
        sentences: list[Sentence] = []
        targets: list[TagDistribution] = []
        with self._progress() as progress:
            for sentence, target in self._chosen(progress):
                sentences.append(sentence)
                targets.append(target)
                if len(sentences) == SENTENCES_PER_PART:
                    self._write(sentences, targets)
                    sentences, targets = [], []
        if sentences:
            self._write(sentences, targets)
        if not self._parts:
            left_out = ", ".join(f"{count:,} {reason}" for reason, count in self._left_out().items() if count)
            raise UserError(f"{self._text.names[0]}: no sentence was kept ({left_out or 'the text is empty'})")
        words: Counter[str] = Counter()
        tokens = []
        for number in range(self._parts):
            of_part = list(words_of(part_path(self._folder, number)))
            tokens.append(len(of_part))
            words.update(of_part)
        about = About(
            digest=digest,
            teachers=self._config.teachers,
            text=self._text.names,
            tags=tuple(tags),
            sentences=self._state["kept"],
            tokens=sum(tokens),
            tokens_of_parts=tuple(tokens),
            left_out=self._left_out(),
        )
        write_about(self._folder, about, dict(words.most_common(_MOST_WORDS)))
        print(f"distillation: {about}", flush=True)

    def _continue(self) -> None:
        """Count the parts of an interrupted reading."""
        while (path := part_path(self._folder, self._parts)).is_file():
            try:
                self._state = Counter(read_state(path))
            except (OSError, ValueError, KeyError):
                return
            self._parts += 1

    def _write(self, sentences: Sequence[Sentence], targets: Sequence[TagDistribution]) -> None:
        write_part(part_path(self._folder, self._parts), sentences, targets, self._state)
        self._parts += 1

    def _chosen(self, progress: Callable[[int, int], None]) -> Iterator[tuple[Sentence, TagDistribution]]:
        """Tag the text from where an earlier reading ended, and yield the sentences to keep."""
        most = self._config.sentences
        given = self._text.sentences(lambda size: progress(size, 0))
        rest = islice(given, self._state["given"], None)
        while chunk := list(islice(rest, _AT_ONCE)):
            for sentence, target in zip(chunk, self._teacher.distributions(chunk), strict=True):
                if most is not None and self._state["kept"] >= most:
                    return
                self._state["given"] += 1
                reason = self._reason_against(target)
                self._state[reason or "kept"] += 1
                self._state["with entities"] += target.has_entity and not reason
                if not reason:
                    progress(0, 1)
                    yield sentence, target

    def _reason_against(self, target: TagDistribution) -> str:
        if target.confidence < self._config.min_confidence:
            return UNSURE
        share = self._config.entity_share or 0.0
        lacking = self._state["with entities"] < share * (self._state["kept"] + 1)
        return WITHOUT_ENTITY if lacking and not target.has_entity else ""

    @contextmanager
    def _progress(self) -> Iterator[Callable[[int, int], None]]:
        """Show progress and time left: by sentences where their number is set, else by bytes of the text."""
        most = self._config.sentences
        unit: dict[str, Any] = {"total": most, "initial": self._state["kept"], "unit": " sentences"}
        if most is None:
            unit = {"total": self._text.size, "unit": "B", "unit_scale": True}
        with tqdm(desc="teacher", file=sys.stderr, mininterval=1, **unit) as bar:
            yield lambda size, sentences: bar.update(size if most is None else sentences) and None

    def _left_out(self) -> dict[str, int]:
        return {**self._text.left_out, **{reason: self._state[reason] for reason in (UNSURE, WITHOUT_ENTITY)}}
