"""spaCy's own training with its efficiency configuration of the entity recogniser or of the tagger. See exchange.py.

What `spacy init config -p ner -o efficiency` gives is used as it is, but for the seed where one is asked for: early
stopping on dev, CPU, no vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import spacy
from exchange import Facts, Task, bytes_of, timed, versions
from spacy.cli.init_config import init_config
from spacy.cli.train import train
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.util import get_lang_class, load_config
from spacy.vocab import Vocab
from spacy_docs import STAND_IN, make_doc, tags_of

OTHER_LANGUAGE = "xx"


def known_language(code: str) -> str:
    """The code itself if spaCy has that language, else that of its language for all others."""
    try:
        get_lang_class(code)
    except ImportError:
        return OTHER_LANGUAGE
    return code


def labelled_doc(vocab: Vocab, tokens: Sequence[str], tags: Sequence[str], kind: str) -> Doc:
    """The same with entities out of IOB2 tags, or with plain tags."""
    doc = make_doc(vocab, tokens)
    if kind == "tags":
        for token, tag in zip(doc, tags, strict=True):
            token.tag_ = tag
        return doc
    return Doc(vocab, words=[token.text for token in doc], ents=list(tags))


def write_docs(path: Path, docs: Iterable[Doc]) -> None:
    DocBin(docs=docs, store_user_data=False).to_disk(path)


def prepare(task: Task) -> tuple[Path, dict[str, str | int]]:
    """Write train and dev as spaCy's documents, and its configuration.

    Returns:
        The configuration's file, and what of it is to be overridden.
    """
    language = known_language(task.language)
    vocab = spacy.blank(language).vocab
    for split in ("train", "dev"):
        labelled = (labelled_doc(vocab, tokens, tags, task.kind) for tokens, tags in task.sentences(split) if tokens)
        write_docs(task.folder / f"{split}.spacy", labelled)
    config = task.folder / "config.cfg"
    init_config(lang=language, pipeline=[pipe(task.kind)], optimize="efficiency").to_disk(config)
    return config, {
        **{f"paths.{split}": str(task.folder / f"{split}.spacy") for split in ("train", "dev")},
        "system.seed": task.seed,
    }


def pipe(kind: str) -> str:
    return "ner" if kind == "entities" else "tagger"


def main() -> None:
    task = Task.from_command_line(__doc__)
    config, paths = prepare(task)
    seconds = timed(lambda: train(config, task.folder / "spacy", overrides=paths))
    best = task.folder / "spacy" / "model-best"
    nlp = spacy.load(best)
    dev = tag(nlp, [tokens for tokens, _ in task.sentences("dev")], task.kind)
    test = [tokens for tokens, _ in task.sentences("test")]
    predicted: list[list[str]] = []
    spent = timed(lambda: predicted.extend(tag(nlp, test, task.kind)))
    training = load_config(config, interpolate=True)["training"]
    language = known_language(task.language)
    facts = Facts(
        settings={
            "pipeline": pipe(task.kind),
            "lang": language,
            **{k: training[k] for k in ("max_steps", "patience", "seed")},
        },
        seconds=seconds,
        search_seconds=seconds,
        tokens_per_second=sum(map(len, test)) / spent,
        model_bytes=bytes_of(best),
        versions=versions("spacy", "thinc", "numpy"),
        notes=notes(task, language),
    )
    task.answer(dev, predicted, facts)


def tag(nlp: Language, sentences: Sequence[Sequence[str]], kind: str) -> list[list[str]]:
    return [tags_of(doc, kind) for doc in nlp.pipe(make_doc(nlp.vocab, tokens) for tokens in sentences)]


def notes(task: Task, language: str) -> list[str]:
    """What was done to the data so that spaCy could take them."""
    found = [] if task.language == language else [f"spaCy has no language {task.language!r}: {language!r} instead"]
    for split in ("train", "dev", "test"):
        blank = sum(not token.strip() for tokens, _ in task.sentences(split) for token in tokens)
        found += [f"{split}: {blank} empty or blank tokens written as {STAND_IN}"] if blank else []
    return found


if __name__ == "__main__":
    main()
