"""Find labels that are probably wrong: train on most of the data, and doubt the labels of the rest, fold by fold.

    tagger doubt --model-folds 5 --out doubts data=conll data.train=a.conll data.language=en trainer.max_epochs=15

It takes the settings of `tagger train`; only data.train is read. Each fold is a training run. A fold is doubted by a
model that has not seen it. --out gets, worst first:

    doubts.html        a page to browse: the labels beside what the model says
    doubts.jsonl       a sentence per line: score, tokens, tags, the model's tags, place
    labelstudio.json   tasks to correct, with your labels as annotations

The same command continues a search that was stopped: folds that are finished are not trained again.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from tagger.commands.main import command_parser, whole_number
from tagger.corpus.dataset import DataConfig, Split, load_split
from tagger.corpus.document import Document
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.corpus.splits import drawn_whole, fold_of
from tagger.corpus.writers import sentence_alone, written
from tagger.errors import UserError
from tagger.files import written_whole
from tagger.printable import in_a_line, visible_on_page
from tagger.python_process import run_python

if TYPE_CHECKING:
    from tagger.evaluation.doubts import Doubt

_PRINTED = 20


def main(arguments: Sequence[str]) -> int:
    """Doubt labels as the command line asks; returns 0, or 1 if a training run failed.

    Raises:
        UserError: a setting is wrong, or the data cannot be read.
    """
    parser = command_parser("doubt", __doc__)
    parser.add_argument("settings", nargs="+", metavar="KEY=VALUE", help="as of train")
    parser.add_argument("--model-folds", type=whole_number, default=5, metavar="N", help="default: 5")
    parser.add_argument("--out", type=Path, default=Path("doubts"), metavar="DIR", help="default: doubts")
    parser.add_argument("--number", type=whole_number, default=1000, metavar="N", help="of sentences on the page and "
        "in the files; default: 1000")  # fmt: skip
    given = parser.parse_args(arguments)
    if given.model_folds < 3:
        raise UserError(f"--model-folds {given.model_folds}: expected 3 or more: one is doubted, one is for dev")
    from tagger.commands.hydra import hydra_entry

    settings = hydra_entry.compose("train", given.settings)
    split = load_split(_all_of_train(DataConfig.from_mapping(settings["data"])), "train")
    _refuse_unwritable(split)
    print(split.account(), flush=True)
    folds = _folds(split.sentences, given.model_folds)
    own = [one for one in given.settings if not one.lstrip("+").startswith(("data=", "data.", "run_dir="))]
    plain = split.scheme is Scheme.PLAIN
    own += ["data=conll", f"data.scheme={'plain' if plain else 'iob2'}", "data.header=none", "data.separator=tab"]
    if settings["data"].get("language"):
        own.append(f"data.language={settings['data']['language']}")
    _refuse_other(given.out, folds, own)
    files = _write_folds(folds, given.out, plain=plain)
    found: list[Doubt] = []
    for number, fold in enumerate(folds):
        print(f"fold {number + 1} of {len(folds)}", flush=True)
        run = given.out / f"fold-{number + 1}"
        if code := _train(run, files, number, own):
            return code
        from tagger.evaluation.doubts import doubts
        from tagger.predict import load

        found += doubts(load(run / "model"), fold)
    found.sort(key=lambda one: -one.score)
    _write(found[: given.number], given.out, plain=plain)
    print(_table(found, split.sentences))
    print("\n" + in_a_line(f"page: {given.out / 'doubts.html'}"))
    return 0


def _train(run: Path, files: Sequence[Path], number: int, settings: Sequence[str]) -> int:
    """Train the model that doubts a fold, in a process of its own, unless it is there; return the exit code."""
    if (run / "run.json").exists():
        return 0
    dev = (number + 1) % len(files)
    train = ",".join(_quoted(path) for place, path in enumerate(files) if place not in (number, dev))
    data = [f"data.train=[{train}]", f"data.dev={_quoted(files[dev])}", f"data.test={_quoted(files[number])}"]
    how = ["report=false", "latest=null", *settings, *data, f"run_dir={_quoted(run)}", "resume=true"]
    command = ["-m", "tagger", "train", *how]
    code = run_python(command, stdout=subprocess.DEVNULL).returncode  # errors are on standard error
    return code if code in (0, 2) else 1


def _quoted(path: Path) -> str:
    """Quote a path so that Hydra takes any as text."""
    return '"' + str(path).replace('"', '\\"') + '"'


def _refuse_other(out: Path, folds: Sequence[Sequence[Sentence]], settings: Sequence[str]) -> None:
    """Note what the folder's models are trained on. Raises UserError if it has models of other data or settings."""
    content = json.dumps([[[one.tokens, one.tags] for one in fold] for fold in folds])
    asked = {"data_sha256": hashlib.sha256(content.encode()).hexdigest(), "settings": [*settings]}
    path = out / "folds.json"
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        before = asked
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot read: {error}; name another folder with --out") from error
    if before != asked:
        raise UserError(f"{out}: holds models of other data or settings; name another folder with --out")
    with written_whole(path) as stream:
        json.dump(asked, stream)


def _all_of_train(config: DataConfig) -> DataConfig:
    """Return the settings with train as all splits, so that none is drawn from it."""
    return config if config.dev and config.test else replace(config, dev=config.train, test=config.train)


def _refuse_unwritable(split: Split) -> None:
    """Refuse sentences that columns cannot hold."""
    for sentence in split.sentences:
        if any(not token.strip() or "\t" in token or "\n" in token for token in sentence.tokens):
            raise UserError(f"{sentence.place}: a token that is empty or holds a TAB or line end; correct it")


def _folds(sentences: Sequence[Sentence], folds: int) -> list[list[Sentence]]:
    """Put each sentence into a fold by its words, or with its document; so the same words are in one fold."""
    whole = drawn_whole(sentence.document for sentence in sentences)
    found: list[list[Sentence]] = [[] for _ in range(folds)]
    for sentence in sentences:
        key = sentence.document if whole and sentence.document else " ".join(sentence.tokens)
        found[fold_of(key, folds)].append(sentence)
    if not all(found):
        raise UserError(f"{len(sentences)} sentences are too few for {folds} folds; lower --model-folds")
    return found


def _write_folds(folds: Sequence[Sequence[Sentence]], out: Path, *, plain: bool) -> list[Path]:
    files = []
    for number, sentences in enumerate(folds, start=1):
        files.append(out / f"fold-{number}.conll")
        documents = (Document("", [one], plain) for one in sentences)
        with written_whole(files[-1]) as stream:
            stream.writelines(written(documents, "conll"))
    return files


def _write(found: Sequence[Doubt], out: Path, *, plain: bool) -> None:
    with written_whole(out / "doubts.jsonl") as stream:
        for one in found:
            record = {"score": round(one.score, 4), "tokens": one.sentence.tokens, "tags": one.sentence.tags}
            record |= {"predicted": one.predicted.tags, "place": one.sentence.place}
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
    if not plain:
        alone = (sentence_alone(one.sentence) for one in found)
        with written_whole(out / "labelstudio.json") as stream:
            stream.writelines(written((Document(one.text or "", [one]) for one in alone), "labelstudio"))
    with written_whole(out / "doubts.html") as stream:
        stream.writelines(_page(found))


def _page(found: Sequence[Doubt]) -> Iterator[str]:
    yield "<!doctype html>\n<html lang=en><head><meta charset=utf-8><title>Labels that may be wrong</title>\n"
    yield "<style>body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    yield "li{margin:0 0 1em}del{background:#fdd}ins{background:#dfd;text-decoration:none}small{color:#666}</style>\n"
    yield f"</head><body>\n<h1>Labels that may be wrong</h1>\n<p>{len(found):,} sentences, the most doubtful first. "
    yield "Your label is struck out where a model that has not seen it disagrees; its own label is green.</p>\n<ol>\n"
    for one in found:
        words = [escape(visible_on_page(token)) for token in one.sentence.tokens]
        for span, labelled, _ in one.changes:
            name = "del" if labelled else "ins"
            words[span.start] = f"<{name}>[{escape(visible_on_page(span.label))}: {words[span.start]}"
            words[span.end - 1] += f"]</{name}>"
        place = escape(visible_on_page(one.sentence.place))
        yield f"<li>{' '.join(words)}<br><small>doubt {one.score:.3f}, {place}</small></li>\n"
    yield "</ol></body></html>\n"


def _table(found: Sequence[Doubt], sentences: Sequence[Sentence]) -> str:
    lines = [f"{len(found):,} of {len(sentences):,} sentences have labels on which the models disagree; the worst:"]
    for one in found[:_PRINTED]:
        words = one.sentence.tokens
        changes = [
            f"{'' if labelled else '→ '}{' '.join(words[span.start : span.end])} {span.label}"
            for span, labelled, _ in one.changes
        ]
        lines.append(f"  {one.score:.3f}  {one.sentence.place}: {'; '.join(changes)}")
    return "\n".join(map(in_a_line, lines))
