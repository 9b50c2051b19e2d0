"""What is tagged: sentences of which no two are the same, the test split among them, as tokens and as text."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tagger.commands.hydra.hydra_entry import choices, compose
from tagger.corpus.dataset import DataConfig, Split, load_splits
from tagger.corpus.schemes import Scheme, spans_from_tags
from tagger.errors import UserError
from tagger.evaluation.scores import gold_tags, score, score_entities

_SEED = 1
_CLINGING = frozenset([*",.;:!?)]}%…", "n't", "'s", "'re", "'ve", "'ll", "'m", "'d"])  # no blank stands before these
_OPENING = frozenset("([{$#")  # nor after these

_SPACE = re.compile(r"\s")

Tokens = list[str]
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Material:
    """The input of all systems.

    Attributes:
        sentences: no two the same.
        tokens: in all of them.
        spliced: how many of these stand in sentences made of halves of two others.
        sources: how many tokens each data set gave, by name.
        places: which of `sentences` each sentence of the test split is; two that are the same share a place.
        test: the test split.
    """

    sentences: list[Tokens]
    tokens: int
    spliced: int
    sources: Mapping[str, int]
    places: list[int]
    test: Split

    def test_score(self, predicted: Sequence[Sequence[str]]) -> float:
        """The test split's headline score (micro F1, or accuracy), from the tags of all sentences.

        Raises:
            ValueError: there is not a tag for each token.
        """
        gold = gold_tags(self.test.sentences, "test")
        if [*map(len, predicted)] != [*map(len, self.sentences)]:
            raise ValueError("there is not a tag for each token")
        return score(gold, [predicted[place] for place in self.places], self.test.scheme).headline

    def test_score_of_text(self, records: Sequence[Mapping[str, Any]]) -> float | None:
        """The same in characters of running text, whatever the tokens were; None for plain tags.

        Args:
            records: of all sentences: `text`, and `entities` with `start`, `end` and `label`.

        Raises:
            ValueError: they are not these sentences.
        """
        if [record["text"] for record in records] != [as_text(tokens)[0] for tokens in self.sentences]:
            raise ValueError("its records are not the lines of the input")
        if self.test.scheme is Scheme.PLAIN:
            return None
        gold, found = [], []
        for sentence, place in zip(self.test.sentences, self.places, strict=True):
            _, offsets = as_text(sentence.tokens)
            gold.append(
                {
                    (offsets[span.start][0], offsets[span.end - 1][1], span.label)
                    for span in spans_from_tags(sentence.tags or [])
                }
            )
            entities = records[place]["entities"]
            found.append({(entity["start"], entity["end"], entity["label"]) for entity in entities})
        return score_entities(gold, found).headline

    def write(self, tokens: Path, text: Path) -> None:
        """Write the sentences as JSON lists of tokens and as lines of text."""
        tokens.parent.mkdir(parents=True, exist_ok=True)
        with tokens.open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines(json.dumps(sentence) + "\n" for sentence in self.sentences)
        with text.open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines(as_text(sentence)[0] + "\n" for sentence in self.sentences)


def gather(test: Split, pool: Mapping[str, Iterable[Tokens]], tokens: int) -> Material:
    """Take the whole test split, and others at random until there are so many tokens; splice where there are too few.

    Args:
        test: what is scored.
        pool: sentences by the name of their data set.
        tokens: at least so many.

    Raises:
        UserError: there are too few sentences even to splice.
    """
    own = [sentence.tokens for sentence in test.sentences]
    chosen = list(unrepeated(own))
    named = [(name, sentence) for name, sentences in pool.items() for sentence in sentences]
    others = shuffled(list({(*sentence,): (name, sentence) for name, sentence in reversed(named)}.values()))
    sources = {"test split": sum(map(len, chosen))}
    seen, total = {(*sentence,) for sentence in chosen}, sources["test split"]
    for name, sentence in others:
        if total >= tokens:
            break
        if sentence and (*sentence,) not in seen:
            chosen.append(sentence)
            total += len(sentence)
            sources[name] = sources.get(name, 0) + len(sentence)
    spliced = []
    for sentence in splices(chosen):
        if total >= tokens:
            break
        spliced.append(sentence)
        total += len(sentence)
    if total < tokens:
        raise UserError(f"the data give no more than {total:,} tokens without repeats; lower --tokens")
    sentences = shuffled(chosen + spliced)
    places = {(*sentence,): place for place, sentence in enumerate(sentences)}
    return Material(
        sentences=sentences,
        tokens=total,
        spliced=sum(map(len, spliced)),
        sources=dict(sorted(sources.items())),
        places=[places[(*sentence,)] for sentence in own],
        test=test,
    )


def unrepeated(sentences: Iterable[Tokens]) -> Iterator[Tokens]:
    """Each sentence where it comes first."""
    seen: set[tuple[str, ...]] = set()
    for sentence in sentences:
        if (*sentence,) not in seen:
            seen.add((*sentence,))
            yield sentence


def splices(sentences: Sequence[Tokens]) -> Iterator[Tokens]:
    """Sentences of the first half of one and the second half of another, none of them twice nor among the given.

    The first round joins each with the next, the second with the one after that, and so on.
    """
    seen = {hash((*sentence,)) for sentence in sentences}
    for distance in range(1, len(sentences)):
        for number, first in enumerate(sentences):
            second = sentences[(number + distance) % len(sentences)]
            made = first[: (len(first) + 1) // 2] + second[len(second) // 2 :]
            if hash((*made,)) not in seen:
                seen.add(hash((*made,)))
                yield made


def shuffled(items: list[_Item]) -> list[_Item]:
    """The items in an order that is the same each time."""
    return random.Random(_SEED).sample(items, len(items))


def as_text(tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """A line of text made of tokens, with blanks where English has them, and where in it each token is."""
    line, offsets = "", []
    for number, token in enumerate(tokens):
        glued = number == 0 or token.lower() in _CLINGING or tokens[number - 1] in _OPENING
        line += "" if glued else " "
        shown = _SPACE.sub(" ", token)
        offsets.append((len(line), len(line) + len(shown)))
        line += shown
    return line, offsets


def settings_of(preset: str, folder: Path) -> DataConfig:
    """Of a data set in a folder.

    Args:
        preset: `wnut17`, or `crossner/politics` with a domain.
        folder: in which a folder of the preset's name lies.
    """
    name, _, domain = preset.partition("/")
    part = [f"data.domain={domain}"] if domain else []
    overrides = [f"data={name}", *part, f'data.dir="{folder / name}"']
    return DataConfig.from_mapping(compose("train", overrides)["data"])


def siblings(folder: Path, own: str, language: str | None) -> tuple[dict[str, list[Tokens]], list[str]]:
    """The sentences of all data sets of a language beside one, read by the presets of their names.

    Args:
        folder: in which they lie.
        own: the preset that is left out.
        language: ISO 639-1 code.

    Returns:
        Sentences by preset, and a line for each that could not be read.
    """
    found: dict[str, list[Tokens]] = {}
    unread = []
    for name in choices("data"):
        if name == own or not (folder / name).is_dir():
            continue
        parts = [f"{name}/{part.name}" for part in sorted((folder / name).iterdir()) if part.is_dir()]
        for preset in parts if settings_of(name, folder).domain else [name]:
            config = settings_of(preset, folder)
            if config.language != language:
                continue
            try:
                found[preset] = tokens_of(load_splits(config))
            except UserError as error:
                unread.append(f"{preset} is not in the input: {error}")
    return found, unread


def tokens_of(splits: Mapping[str, Split]) -> list[Tokens]:
    """The tokens of each sentence of all splits."""
    return [sentence.tokens for split in splits.values() for sentence in split.sentences]
