"""Write the model card of a ready model: sources, licences and scores."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ready.judging import Judged

from tagger.corpus.dataset import DataConfig
from tagger.corpus.dataset_config import SourceConfig
from tagger.errors import UserError
from tagger.evaluation.scores import Scores
from tagger.files import shipped_folder
from tagger.model_folder.folder import ModelFolder
from tagger.runs.tables import as_markdown

LICENCE = "CC BY-SA 4.0"
_LICENCE = re.compile(r"Licence: ((?:[^.\n]|\.(?=\d))+)\.")  # in the head of a preset
_BUNDLED = {"starter": ("CC0 1.0", "data/starter/README.md")}  # licence and origin


@dataclass(frozen=True)
class RawSource:
    """Raw text that teachers tag.

    Attributes:
        files: pattern below the data folder.
        name: for people.
        licence, origin: of the text.
    """

    files: str
    name: str
    licence: str
    origin: str


@dataclass(frozen=True)
class Making:
    """Sources, teacher and limits of a model, for its card.

    Attributes:
        name, title: of the model.
        data: the labelled data.
        text: the raw text.
        encoder: name of the teacher's encoder; None for a teacher without one.
        teacher: its test score by name, the headline first.
        limits: what the model is not good at.
        command: makes the model again.
    """

    name: str
    title: str
    data: DataConfig
    text: Sequence[RawSource]
    encoder: str | None
    teacher: Mapping[str, float]
    limits: Sequence[str]
    command: str


def licence_and_origin(preset: str, data: DataConfig) -> tuple[str, str]:
    """Return licence and origin of a data set, from the head of its preset.

    Raises:
        UserError: the preset names no licence.
    """
    if preset in _BUNDLED:
        return _BUNDLED[preset]
    head = (shipped_folder("conf") / "data" / f"{preset}.yaml").read_text(encoding="utf-8").partition("\ndefaults:")[0]
    found = _LICENCE.search(head.replace("\n# ", " "))
    if found is None:
        raise UserError(f"conf/data/{preset}.yaml: its head names no licence; add one (Licence: NAME.)")
    return found[1].strip(), data.origin or ""


def card(making: Making, folder: ModelFolder, judged: Judged) -> str:
    """Write the card in Markdown."""
    scores = judged.whole["test"]
    lines = [
        f"# {making.name}: {making.title}",
        "",
        f"Language: English only. Labels: {', '.join(folder.labels)}. Tokenizer: {folder.tokenizer}. "
        f"Licence of this folder: {LICENCE}.",
        "",
        "## Use",
        "",
        "```",
        f'echo "Ada Lovelace met Charles Babbage in London." | python tag.py --model {making.name}',
        "```",
        "",
        f'In Python: `tagger.load("{making.name}").tag(text)`. Tagging needs the base install alone.',
        "",
        "## How it was made",
        "",
        *_making(making, folder),
        "",
        "The command that makes it again (DATA holds a folder for each data set; ENCODER is the encoder's):",
        "",
        "```",
        making.command,
        "```",
        "",
        "### Labelled data",
        "",
        *_labelled(making.data),
        "",
        "Settings and names of labels: `conf/data/`. No test split was trained on. Of the dev splits, those in the "
        "table were. The others were used for choices.",
        "",
        "### Raw text",
        "",
        as_markdown(
            ["text", "licence", "origin"], [[raw.name, raw.licence, raw.origin] for raw in making.text], left=3
        ),
        "",
        "Sentences of the labelled data (train, dev and test) were left out of it. Other sentences of the same "
        "articles may be in it, without labels.",
        "",
        "## Scores",
        "",
        f"{scores.headline_name[:1].upper()}{scores.headline_name[1:]}, in points. Labels that a source does not "
        "annotate are not judged. Scores of dev are somewhat too good, because choices were made by them.",
        "",
        *_scores(judged, making.data.title),
        "",
        "### Other ways to write",
        "",
        "The dev split again, its words rewritten:",
        "",
        as_markdown(
            ["dev split", scores.headline_name],
            [[name, _points(of_copy)] for name, of_copy in judged.variants.items()],
            left=1,
        ),
        "",
        *_other_languages(judged.tagged),
        "## What it is not good at",
        "",
        *(f"- {limit}" for limit in (*making.limits, *_weakest(judged))),
        "",
        "## Licence",
        "",
        *_licence(making),
    ]
    return "\n".join(lines) + "\n"


def _points(scores: Scores | None) -> str:
    return "" if scores is None else f"{100 * scores.headline:.1f}"


def _making(making: Making, folder: ModelFolder) -> list[str]:
    parameters = sum(tensor.size for tensor in folder.tensors.values())
    name, value = next(iter(making.teacher.items()))
    encoder = f" on the frozen encoder {making.encoder}" if making.encoder else ""
    return [
        f"By distillation (`docs/distillation.md`). A teacher{encoder} was trained on the labelled data. Its {name} "
        f"on their test splits is {100 * value:.1f}. It tagged the raw text. This model, of {parameters:,} parameters, "
        "was trained on the labelled data and on the teacher's probabilities."
    ]


def _labelled(data: DataConfig) -> list[str]:
    """Return a table of the labelled data: licences, origins, and the splits that were trained on."""
    rows = []
    for source in data.sources or (data,):
        mixed = isinstance(source, SourceConfig)
        name, preset = (source.named, source.preset or source.title) if mixed else (source.title, source.title)
        trained = ", ".join(source.taken("train")) if mixed else "train"
        rows.append([name, *licence_and_origin(preset, source), trained])
    return [as_markdown(["data set", "licence", "origin", "trained on"], rows, left=4)]


def _scores(judged: Judged, title: str) -> list[str]:
    """Return a table by source: dev, test, and F1 of each label on test; of plain tags a table by tag."""
    whole = judged.whole["test"]
    sources = {**judged.sources, "all together" if judged.sources else title: judged.whole}
    if whole.kind == "tags":
        by_tag = [[name, f"{100 * prf.f1:.1f}", f"{prf.support:,}"] for name, prf in whole.types.items()]
        return [
            as_markdown(["dev", "test"], [[_points(judged.whole["dev"]), _points(whole)]], left=0),
            "",
            as_markdown(["tag", "F1 on test", "tokens"], by_tag, left=1),
        ]
    labels = list(whole.types)
    rows = []
    for name, found in sources.items():
        test = found.get("test")
        prfs = [test.types.get(label) if test else None for label in labels]
        of_labels = [f"{100 * prf.f1:.1f}" if prf and prf.support else "" for prf in prfs]
        rows.append([name, _points(found.get("dev")), _points(test), *of_labels])
    return [as_markdown(["data set", "dev", "test", *(f"test {label}" for label in labels)], rows, left=1)]


def _other_languages(tagged: Mapping[str, float]) -> list[str]:
    if not tagged:
        return []
    rows = [[language, f"{100 * share:.1f}"] for language, share in tagged.items()]
    return [
        "### Other languages",
        "",
        "The model is for English only. On other text it finds names that are not there. Share of tokens that it tags:",
        "",
        as_markdown(["text", "% of tokens"], rows, left=1),
        "",
    ]


def _weakest(judged: Judged) -> list[str]:
    """Return lines on the lowest scores: of a source, and of a rewritten copy."""
    lines = []
    tests = {name: found["test"].headline for name, found in judged.sources.items() if "test" in found}
    if len(tests) > 1:
        name = min(tests, key=tests.__getitem__)
        lines.append(f"Text like that of {name}: {100 * tests[name]:.1f} on its test split, the lowest of all sources.")
    copies = {name: scores.headline for name, scores in judged.variants.items()}
    name, plain = min(copies, key=copies.__getitem__), next(iter(copies.values()))
    if copies[name] < plain:
        lines.append(f"Text {name}: {100 * (plain - copies[name]):.1f} points less than on the same text as it is.")
    return lines


def _licence(making: Making) -> list[str]:
    sources = making.data.sources or (making.data,)
    named = {}
    for source in sources:
        preset = source.preset if isinstance(source, SourceConfig) and source.preset else source.title
        named[preset] = licence_and_origin(preset, source)[0]
    texts = "; ".join([f"{name} ({licence})" for name, licence in named.items()])
    raw = "; ".join(f"{one.name} ({one.licence})" for one in making.text)
    return [
        f"The model learnt from texts under share-alike licences, so its weights are published under {LICENCE} "
        "(https://creativecommons.org/licenses/by-sa/4.0/). Credit is due to the authors of:",
        "",
        f"- the labelled data: {texts};",
        f"- the raw text: {raw}. Texts of Wikipedia are by its contributors;",
        "- the word vectors: made from sentence-transformers/all-MiniLM-L6-v2, Apache-2.0 "
        "(`data/vectors/all-MiniLM-L6-v2/README.md`).",
    ]


def files_of(text: Sequence[RawSource], folder: PurePosixPath) -> list[str]:
    """Return the patterns of raw text below a folder."""
    return [str(folder / raw.files) for raw in text]
