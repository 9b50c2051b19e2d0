"""Score a ready model for its card: by source, on re-cased text, and on text in other languages."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from tagger.corpus.dataset import DataConfig, Split, load_split
from tagger.corpus.schemes import OUTSIDE
from tagger.corpus.sentence import Sentence
from tagger.corpus.split import SplitName
from tagger.distillation.raw_text import RawText
from tagger.evaluation.model_scores import score_split
from tagger.evaluation.scores import Scores
from tagger.predict import Tagger

_RAW_SENTENCES = 1000


@dataclass(frozen=True)
class Judged:
    """Scores of a model.

    Attributes:
        sources: scores of `dev` and `test` by source. A source lacks a split that it gives to train, or does not have.
        whole: scores of all sources together, of `dev` and `test`.
        variants: scores on rewritten copies of the dev split, by their descriptions.
        tagged: share of the tokens that are tagged, by language of the text. Empty for plain tags.
    """

    sources: Mapping[str, Mapping[str, Scores]]
    whole: Mapping[str, Scores]
    variants: Mapping[str, Scores]
    tagged: Mapping[str, float]


def judge(tagger: Tagger, data: DataConfig, texts: Mapping[str, Sequence[str]]) -> Judged:
    """Score a model on the data that it was trained on, but not on their training splits.

    Args:
        tagger: the model.
        data: the labelled data, a mix or a single set.
        texts: files of raw text, or patterns, by language. Those that are not there are left out.

    Raises:
        UserError: the data cannot be read.
    """
    whole: dict[SplitName, Split] = {"dev": load_split(data, "dev"), "test": load_split(data, "test")}
    return Judged(
        sources=_by_source(tagger, data),
        whole={name: score_split(tagger, split) for name, split in whole.items()},
        variants={name: score_split(tagger, split) for name, split in rewritten(whole["dev"]).items()},
        tagged={} if tagger.plain else _tagged(tagger, texts),
    )


def _by_source(tagger: Tagger, data: DataConfig) -> dict[str, dict[str, Scores]]:
    """Score each source of a mix, with its labels as the mix has them. A single set has no sources."""
    found: dict[str, dict[str, Scores]] = {}
    names: tuple[SplitName, ...] = ("dev", "test")
    for source in data.sources or ():
        alone = replace(data, sources=(source,))
        kept = [name for name in names if source.taken(name)]
        found[source.named] = {name: score_split(tagger, load_split(alone, name)) for name in kept}
    return found


def rewritten(split: Split) -> dict[str, Split]:
    """Return copies of a split with the same tags and other words, by what was done to them."""
    ways: dict[str, Callable[[Sentence], Sentence]] = {
        "as it is": lambda sentence: sentence,
        "in lower case": lambda sentence: _in_case(sentence, str.lower),
        "in capitals": lambda sentence: _in_case(sentence, str.upper),
        "in Title Case": lambda sentence: _in_case(sentence, str.title),
        "without final punctuation": _without_final_punctuation,
    }
    return {name: replace(split, sentences=[*map(way, split.sentences)]) for name, way in ways.items()}


def _in_case(sentence: Sentence, write: Callable[[str], str]) -> Sentence:
    return replace(sentence, tokens=[*map(write, sentence.tokens)], text=None, offsets=None)


def _without_final_punctuation(sentence: Sentence) -> Sentence:
    """Remove the last token if it is a punctuation mark, and not all that there is."""
    last = sentence.tokens[-1] if len(sentence) > 1 else ""
    if not last or not all(unicodedata.category(character).startswith("P") for character in last):
        return sentence
    tags = None if sentence.tags is None else sentence.tags[:-1]
    return replace(sentence, tokens=sentence.tokens[:-1], tags=tags, text=None, offsets=None)


def _tagged(tagger: Tagger, texts: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Return the share of tokens that are tagged, in the first sentences of each text."""
    shares = {}
    for language, files in texts.items():
        if all(any(Path(file).parent.glob(Path(file).name)) for file in files):
            sentences = islice(RawText(files, tagger.tokenizer, ()).sentences(), _RAW_SENTENCES)
            tags = [tag for sentence in tagger.tag_sentences(sentences) for tag in sentence.tags or ()]
            shares[language] = sum(tag != OUTSIDE for tag in tags) / max(len(tags), 1)
    return shares
