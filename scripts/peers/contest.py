"""A peer on a data set: environment made, splits handed over, predictions scored by this project's own scorer."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tagger.corpus.dataset import Split, data_digest
from tagger.corpus.schemes import Scheme, convert_tags, count_illegal
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.evaluation.assessment import assess
from tagger.evaluation.report_files import write_report
from tagger.evaluation.scores import Scores, gold_tags
from tagger.files import written_whole
from tagger.runs.record import named_scores

from .exchange import FACTS, read_lines, write_lines

RESULT = "result.json"
_HERE = Path(__file__).resolve().parent
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")  # what would let another environment's packages in


@dataclass(frozen=True)
class Peer:
    """Another tagger to compare with.

    Attributes:
        name: on the command line and in results.
        title: in tables.
        script: beside this file, run in the peers' environment.
        requirements: pinned packages.
        tuning: what it was trained with, and what tuning it was given.
    """

    name: str
    title: str
    script: str
    requirements: tuple[str, ...]
    tuning: str


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name="crfsuite",
            title="CRFsuite",
            script="crfsuite_peer.py",
            requirements=("python-crfsuite==0.9.12",),
            tuning="features: word, lower case, shape, prefixes and suffixes to 4, lower case and shape of two "
            "neighbours to either side, pairs with the next ones; L-BFGS, 100 iterations; of c1 0, 0.01, 0.1 with c2 "
            "0.01, 0.1, 1 the best of nine on dev",
        ),
        Peer(
            name="spacy",
            title="spaCy",
            script="spacy_peer.py",
            requirements=("spacy==3.8.18", "thinc==8.3.14", "numpy==2.4.6"),
            tuning="`spacy init config -o efficiency` with `-p ner`, or `-p tagger` for parts of speech, unchanged: "
            "early stopping on dev (patience 1,600 of at most 20,000 steps), seed 0, CPU, no vectors; no tuning beyond",
        ),
    )
}
REQUIREMENTS = tuple(pin for peer in PEERS.values() for pin in peer.requirements)


class PeerError(Exception):
    """A peer that gave no predictions, and why."""


def make_environment(folder: Path, requirements: Sequence[str] = REQUIREMENTS) -> Path:
    """The Python of an environment with these pinned packages, by default those of all peers, made on first use.

    Raises:
        UserError: it cannot be made.
    """
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = "".join(f"{pin}\n" for pin in requirements)
    mark = folder / "peers.txt"
    if python.exists() and mark.exists() and mark.read_text(encoding="utf-8") == wanted:
        return python.absolute()
    print(f"making {folder}: {', '.join(wanted.split())}", flush=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted.split()]
    try:
        venv.create(folder, with_pip=True)
        done = subprocess.run(pip, env=environment(1), stderr=subprocess.PIPE, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(f"{folder}: cannot make the peers' environment: {error}; set --env") from error
    if done.returncode:
        raise UserError(f"{folder}: pip could not install the peers: {last_line(done.stderr)}")
    with written_whole(mark) as stream:
        stream.write(wanted)
    return python.absolute()


def examine(
    peer: Peer, name: str, splits: Mapping[str, Split], *, language: str, python: Path, work: Path, threads: int
) -> dict[str, Any]:
    """The scores of a peer on a data set: those kept in `work` if they are of the same data, pins and tuning.

    Args:
        peer: who.
        name: of the data set.
        splits: train, dev and test, as read.
        language: ISO 639-1 code, or empty.
        python: of the peers' environment.
        work: folder for all peers' files.
        threads: that the peer's libraries may use.

    Raises:
        PeerError: it failed, or gave something else than a tag per token.
    """
    folder = work / name.replace("/", "_") / peer.name
    digest = data_digest(splits)
    kept = kept_result(folder, peer, digest)
    if kept is not None:
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    for stale in (RESULT, FACTS):
        (folder / stale).unlink(missing_ok=True)
    repaired = hand_over(splits, folder)
    kind = "tags" if splits["train"].scheme is Scheme.PLAIN else "entities"
    command = [str(python), str(_HERE / peer.script), "--folder", str(folder.absolute())]
    log = folder / "log.txt"
    with log.open("w", encoding="utf-8") as stream:
        asked = [*command, "--kind", kind, "--language", language or "xx"]
        done = subprocess.run(asked, env=environment(threads), stdout=stream, stderr=subprocess.STDOUT)
    if done.returncode:
        reason = last_line(log.read_text(encoding="utf-8", errors="replace"))
        raise PeerError(f"exit code {done.returncode}: {reason} ({log})")
    scores = {split: score_predictions(splits[split], folder, f"{peer.title} on {name}") for split in ("dev", "test")}
    result = {
        "set": name,
        "peer": peer.name,
        "data_sha256": digest,
        "requirements": list(peer.requirements),
        "tuning": peer.tuning,
        "threads": threads,
        "repaired_sentences": repaired,
        **{split: named_scores(found) for split, found in scores.items()},
        "facts": json.loads((folder / FACTS).read_text(encoding="utf-8")),
    }
    with written_whole(folder / RESULT) as stream:
        stream.write(json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    return result


def kept_result(folder: Path, peer: Peer, digest: str) -> dict[str, Any] | None:
    """The result of an earlier comparison; None where there is none, or one of other data, pins or tuning."""
    try:
        result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        same = (result["data_sha256"], result["requirements"], result["tuning"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return result if same == (digest, list(peer.requirements), peer.tuning) else None


def hand_over(splits: Mapping[str, Split], folder: Path) -> dict[str, int]:
    """Write the splits for a peer: spans in IOB2, and no tags for the test split.

    Returns:
        Of how many sentences the tags broke their own scheme, by split; their spans were read as conlleval reads them.
    """
    repaired = {}
    for name in ("train", "dev"):
        split = splits[name]
        write_lines(folder / f"{name}.jsonl", [_labelled(sentence, split.scheme) for sentence in split.sentences])
        if split.scheme in (Scheme.IOB2, Scheme.BIOES):
            repaired[name] = sum(bool(count_illegal(sentence.tags or [], split.scheme)) for sentence in split.sentences)
    write_lines(folder / "test.jsonl", [{"tokens": sentence.tokens} for sentence in splits["test"].sentences])
    return repaired


def _labelled(sentence: Sentence, scheme: Scheme) -> dict[str, list[str]]:
    taught = Scheme.PLAIN if scheme is Scheme.PLAIN else Scheme.IOB2
    return {"tokens": sentence.tokens, "tags": convert_tags(sentence.tags or [], taught)}


def score_predictions(split: Split, folder: Path, system: str) -> Scores:
    """Score what a peer handed in for a split against the gold tags as read, and write a report with the predictions.

    Raises:
        PeerError: there is not a tag for each token.
    """
    gold_tags(split.sentences, split.name)
    scored = {"system": system, "split": split.name}
    try:
        found = assess(split.sentences, read_lines(folder / f"{split.name}.tags.jsonl"), split.scheme, scored)
    except (OSError, ValueError, UserError) as error:
        raise PeerError(f"its predictions of {split.name} are of no use: {error}") from error
    return write_report(folder / f"report_{split.name}", found).scores


def thread_limits(threads: int) -> dict[str, str]:
    """Environment variables that hold the usual numerical libraries to so many threads."""
    return dict.fromkeys(_THREADS, str(threads))


def environment(threads: int) -> dict[str, str]:
    """The variables that a process of a peer gets: nothing of another environment's, and so many threads."""
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return {**kept, **thread_limits(threads), "PYTHONHASHSEED": "0"}


def last_line(text: str) -> str:
    """The last line that is not blank."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
