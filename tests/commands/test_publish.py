"""Models pushed to a stand-in of the Hub and fetched from it, and everything that can be wrong with either."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import yaml

import tagger
from tagger.commands import evaluate, tag
from tagger.commands.main import run_command
from tagger.commands.publish import prepare
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.model_folder.contents import MOST_BYTES
from tagger.runs.record import RunRecord
from tests.helpers.hub_stand_in import READER, WRITER, Repository, StandIn, serving
from tests.helpers.random_models import PARTS, random_folder, random_words
from tests.helpers.repository import REPOSITORY
from tests.helpers.small_corpus import column_files

REPO = "somebody/a-model"
STATIC = {"static/pieces.txt", "static/vectors.safetensors"}
FILES = {"README.md", "config.json", "model.safetensors", "vocab.json", *STATIC}
RECORD = RunRecord(
    seed=1,
    data_sha256="0" * 64,
    train_tokens=10,
    dev={"dev_f1": 0.4},
    test={"micro F1": 0.31254, "precision": 0.5, "recall": 0.25, "macro F1": 0.2},
    epochs=3,
    seconds=1.0,
    resumed=False,
    stopped_by=None,
    model_bytes=1,
    versions={},
)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A Hub to which this process may write, and an empty cache."""
    constants = huggingface_hub.constants
    with serving() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        template = f"{hub.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setenv("HF_TOKEN", WRITER)
        yield hub


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model in the folder of its run."""
    run = tmp_path / "run"
    random_folder(parts=[*PARTS, "static"]).save(run / "model", "# Card\n\npython tag.py --model THIS_FOLDER\n")
    RECORD.write(run)
    (run / "config.yaml").write_text("data: {title: wnut17, domain: null, path: null}\n", encoding="utf-8")
    return run / "model"


def publish(model: Path, *arguments: str) -> int:
    return run_command("publish", ["--model", str(model), "--repo", REPO, *arguments])


def told(capsys: pytest.CaptureFixture[str], model: Path, *arguments: str) -> str:
    """The line that a command which fails says."""
    capsys.readouterr()
    assert publish(model, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("tagger publish: ")
    assert printed.err.count("\n") == 1
    assert WRITER not in printed.err
    assert READER not in printed.err
    return printed.err


def metadata(card: bytes) -> dict[str, Any]:
    return dict(yaml.safe_load(card.decode().split("---\n")[1]))


def refused(name: str) -> str:
    with pytest.raises(UserError) as caught:
        tagger.load(name)
    assert WRITER not in str(caught.value)
    return str(caught.value)


def tags(model: str | Path) -> list[list[str] | None]:
    sentences = [Sentence(words) for words in random_words([5, 1, 9, 3])]
    return [sentence.tags for sentence in tagger.load(model).tag_sentences(sentences)]


def test_what_is_published_is_fetched_and_tags_alike(hub: StandIn, model: Path) -> None:
    assert publish(model) == 0
    assert tags(f"hub:{REPO}") == tags(model)
    published = hub.repositories[REPO].files
    assert published.keys() - {".gitattributes"} == FILES
    for name in FILES - {"README.md"}:
        assert published[name] == (model / name).read_bytes()


def test_the_card_has_the_scores_of_the_run(hub: StandIn, model: Path) -> None:
    assert publish(model, "--license", "apache-2.0") == 0
    card = hub.repositories[REPO].files["README.md"]
    found = metadata(card)
    assert (found["language"], found["license"]) == ("en", "apache-2.0")
    assert found["pipeline_tag"] == "token-classification"
    (entry,) = found["model-index"]
    assert entry["name"] == "a-model"
    (result,) = entry["results"]
    assert result["task"] == {"type": "token-classification"}
    assert result["dataset"] == {"name": "wnut17", "type": "wnut17", "split": "test"}
    assert {metric["type"]: metric["value"] for metric in result["metrics"]} == {
        "f1": 0.3125,
        "precision": 0.5,
        "recall": 0.25,
    }
    assert card.decode().endswith(f"\n\n# Card\n\npython tag.py --model hub:{REPO}\n")


def test_a_hub_data_set_is_named_by_its_id(model: Path) -> None:
    (model.parent / "config.yaml").write_text("data: {title: mine, path: org/set}\n", encoding="utf-8")
    (entry,) = metadata(prepare(model, REPO).card.encode())["model-index"]
    assert entry["results"][0]["dataset"] == {"name": "mine", "type": "org/set", "split": "test"}


def test_a_card_is_given_its_metadata_once(model: Path) -> None:
    first = prepare(model, REPO).card
    (model / "README.md").write_text(first, encoding="utf-8")
    assert prepare(model, REPO).card == first


def test_a_model_without_its_run_has_a_card_without_scores(model: Path, tmp_path: Path) -> None:
    moved = model.rename(tmp_path / "moved")
    publication = prepare(moved, REPO)
    assert "model-index" not in metadata(publication.card.encode())
    assert any("so the card has no scores" in note for note in publication.notes)
    assert "model-index" in metadata(prepare(moved, REPO, run=tmp_path / "run").card.encode())


def test_only_a_model_s_own_files_are_published(hub: StandIn, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strays = [".env", "notes.txt", "tag.py", "other.json", "static/words.bak"]
    for name in strays:
        (model / name).write_text("secret", encoding="utf-8")
    (model / "deep").mkdir()
    (model / "deep" / "model.safetensors").write_text("secret", encoding="utf-8")
    assert publish(model) == 2, "the vectors' folder is held to its checksums"
    (model / "static" / "words.bak").unlink()
    assert publish(model) == 0
    printed = capsys.readouterr().err
    assert hub.repositories[REPO].files.keys() - {".gitattributes"} == FILES
    assert all(f"left out, as it is not a model's: {name}\n" in printed for name in strays[:-1])


def test_files_of_an_earlier_model_go_away_and_others_stay(hub: StandIn, model: Path, tmp_path: Path) -> None:
    assert publish(model) == 0
    repository = hub.repositories[REPO]
    repository.commit({**repository.files, "LICENSE": b"text"})
    random_folder().save(tmp_path / "smaller", "")
    assert publish(tmp_path / "smaller") == 0
    assert repository.files.keys() == (FILES - STATIC) | {".gitattributes", "LICENSE"}
    assert tags(f"hub:{REPO}") == tags(tmp_path / "smaller")


def test_what_is_there_already_is_not_sent_again(hub: StandIn, model: Path) -> None:
    assert publish(model) == 0
    hub.requests.clear()
    assert publish(model) == 0
    assert "PUT" not in [method for method, _ in hub.requests]


@pytest.mark.parametrize(("arguments", "private"), [((), True), (("--public",), False)])
def test_a_repository_that_is_made_is_private_unless_asked(
    hub: StandIn, model: Path, arguments: tuple[str, ...], private: bool
) -> None:
    assert publish(model, *arguments) == 0
    assert hub.repositories[REPO].private is private


def test_the_commit_that_is_printed_is_the_one_that_was_made(
    hub: StandIn, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(model, "--message", "second try") == 0
    repository = hub.repositories[REPO]
    assert capsys.readouterr().out == f"published: hub:{REPO}@{repository.branches['main']}\n"
    assert repository.messages[-1] == "second try"


def test_a_dry_run_sends_nothing(
    hub: StandIn, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert publish(model, "--dry-run") == 0
    printed = capsys.readouterr().out
    assert "model-index" in printed
    assert all(name in printed for name in FILES)
    assert hub.requests == []


@pytest.mark.parametrize("repo", ["", "name", "a/b/c", "../b", "a/..", "a b/c", "a/-b", "a/b@main", "https://x/y"])
def test_a_wrong_name_is_reported(model: Path, repo: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected ORG/NAME" in told(capsys, model, "--repo", repo)


def test_a_damaged_model_is_not_published(hub: StandIn, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (model / "vocab.json").write_bytes((model / "vocab.json").read_bytes()[:-3])
    assert "checksum" in told(capsys, model)
    assert hub.requests == []


def test_a_pickle_beside_the_model_is_not_published(
    hub: StandIn, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "notes.txt").write_bytes(pickle.dumps([1]))
    assert "pickled" in told(capsys, model)
    assert hub.requests == []


def test_publishing_needs_a_token(
    hub: StandIn, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert "no token for the Hub; set HF_TOKEN" in told(capsys, model)
    assert hub.requests == []


@pytest.mark.parametrize("token", [READER, "hf_unknown"])
def test_publishing_without_the_right_is_reported(
    hub: StandIn, model: Path, token: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    message = told(capsys, model)
    assert "the Hub does not permit it; check HF_TOKEN and its rights" in message
    assert token not in message


@pytest.mark.parametrize("status", [400, 418])
def test_a_failure_is_reported_without_the_token(
    hub: StandIn, model: Path, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.failing = status  # its answer repeats the token
    message = told(capsys, model)
    assert f"{REPO}: the Hub failed: " in message
    assert refused(f"hub:{REPO}").startswith(f"{REPO}: the Hub failed: ")


def unused_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def test_a_hub_that_is_not_there_is_reported_at_once(
    hub: StandIn, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("tried again"))
    assert "cannot be reached; connect to publish" in told(capsys, model)
    assert "cannot be reached; connect, or give the path of a local copy" in refused(f"hub:{REPO}")


def test_offline_nothing_is_asked_for(
    hub: StandIn, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert "is not to be asked (HF_HUB_OFFLINE); connect to publish" in told(capsys, model)
    assert "not in the Hub's cache" in refused(f"hub:{REPO}")
    assert hub.requests == []


def test_offline_a_model_that_was_fetched_is_read_from_the_cache(
    hub: StandIn, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(model)
    expected = tags(f"hub:{REPO}")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    hub.requests.clear()
    assert tags(f"hub:{REPO}") == expected
    assert hub.requests == []


def test_a_commit_that_was_fetched_is_not_asked_for_again_and_a_branch_with_one_request(
    hub: StandIn, model: Path
) -> None:
    publish(model)
    commit = hub.repositories[REPO].branches["main"]
    expected = tags(f"hub:{REPO}")
    hub.requests.clear()
    assert tags(f"hub:{REPO}@{commit}") == expected
    assert hub.requests == []
    assert tags(f"hub:{REPO}@main") == expected
    assert [path for _, path in hub.requests] == [f"/api/models/{REPO}/revision/main"]


def test_revisions_are_reported_apart(hub: StandIn, model: Path, tmp_path: Path) -> None:
    publish(model)
    first = hub.repositories[REPO].branches["main"]
    random_folder(seed=5).save(tmp_path / "other", "")
    publish(tmp_path / "other")
    hub.repositories[REPO].branches["v1"] = first
    assert tags(f"hub:{REPO}@v1") == tags(f"hub:{REPO}@{first}") == tags(model)
    assert tags(f"hub:{REPO}") == tags(tmp_path / "other") != tags(model)


@pytest.mark.parametrize("name", ["hub:", "hub:a", "hub:a/b/c", "hub:../x", "hub:/etc/passwd", "hub:@main"])
def test_a_name_on_the_hub_that_is_none_is_reported(name: str) -> None:
    assert "expected hub:ORG/NAME" in refused(name)


def test_what_is_not_on_the_hub_is_reported(hub: StandIn, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no such repository, or not for you" in refused("hub:nobody/nothing")
    publish(model)
    assert "no such revision" in refused(f"hub:{REPO}@v9")
    monkeypatch.delenv("HF_TOKEN")
    assert "no such repository, or not for you" in refused(f"hub:{REPO}")


def with_files(hub: StandIn, model: Path, *more: str) -> StandIn:
    """The model in a public repository, and other files of such names beside it."""
    own = {name: (model / name).read_bytes() for name in FILES}
    hub.repositories[REPO] = Repository()
    hub.repositories[REPO].commit({**own, **dict.fromkeys(more, pickle.dumps("evil"))})
    return hub


def test_only_a_model_s_own_files_are_fetched(hub: StandIn, model: Path) -> None:
    with_files(hub, model, "setup.py", "pytorch_model.bin", "code/model.safetensors", "encoder/modeling.py")
    assert tags(f"hub:{REPO}") == tags(model)
    fetched = {path.rpartition("/resolve/")[2].partition("/")[2] for _, path in hub.requests if "/resolve/" in path}
    assert fetched == FILES


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.json", "static/vectors.safetensors", "README.md"])
def test_a_file_that_is_too_large_is_refused_before_anything_is_fetched(hub: StandIn, model: Path, name: str) -> None:
    with_files(hub, model).lies[name] = MOST_BYTES[name] + 1
    assert f"{name} is not what a model of this tagger has, or too large" in refused(f"hub:{REPO}")
    assert not any("/resolve/" in path for _, path in hub.requests)


def test_folders_in_folders_are_refused_before_anything_is_fetched(hub: StandIn, model: Path) -> None:
    with_files(hub, model, "encoder/deep/x.json")
    assert "encoder/deep/x.json is not what a model" in refused(f"hub:{REPO}")
    assert not any("/resolve/" in path for _, path in hub.requests)


def test_a_repository_of_something_else_is_refused(hub: StandIn) -> None:
    hub.repositories[REPO] = Repository()
    hub.repositories[REPO].commit({"model.safetensors": b"x", "README.md": b"x"})
    assert "no config.json in it" in refused(f"hub:{REPO}")
    hub.repositories[REPO].commit(
        {"config.json": b'{"model_type": "bert"}', "vocab.json": b"{}", "model.safetensors": b""}
    )
    assert "not a model of this tagger" in refused(f"hub:{REPO}")


def test_a_model_damaged_on_the_hub_is_refused(hub: StandIn, model: Path) -> None:
    with_files(hub, model)
    files = hub.repositories[REPO].files
    files["model.safetensors"] = files["model.safetensors"][:-1] + b"!"
    assert "checksum" in refused(f"hub:{REPO}")


def test_the_commands_take_a_name_on_the_hub(
    hub: StandIn, model: Path, in_tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(model)
    text = in_tmp_path / "text.txt"
    text.write_text("Anna met Bo .\n", encoding="utf-8")
    outputs = []
    for name in (str(model), f"hub:{REPO}"):
        capsys.readouterr()
        assert tag.main(["--model", name, "--tokens", "--quiet", str(text)]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    before = sorted(in_tmp_path.rglob("*"))
    data = column_files(in_tmp_path)
    assert evaluate.main([*data, f"model=hub:{REPO}@main"]) == 0
    assert "micro avg" in capsys.readouterr().out
    assert not any("report" in path.name for path in {*in_tmp_path.rglob("*")} - {*before})
    assert evaluate.main([*data, f"model=hub:{REPO}@main", "out=scored"]) == 0
    assert json.loads((in_tmp_path / "scored" / "report.json").read_text())["scored"]["model"] == f"hub:{REPO}@main"


def test_the_environment_says_where_the_hub_is_and_when_not_to_ask(model: Path, tmp_path: Path) -> None:
    """In processes of their own, as the Hub's client reads its environment when it is imported."""
    with serving() as hub:
        with_files(hub, model)
        environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "home")}
        environment["HF_HUB_OFFLINE"] = "0"
        command = [sys.executable, str(REPOSITORY / "tag.py"), "--model", f"hub:{REPO}", "--quiet"]

        def run(**variables: str) -> subprocess.CompletedProcess[str]:
            asked = {**environment, **variables}
            return subprocess.run(command, env=asked, input="Anna .\n", capture_output=True, text=True, check=False)

        too_soon = run(HF_HUB_OFFLINE="1")
        assert (too_soon.returncode, too_soon.stdout, hub.requests) == (2, "", [])
        assert too_soon.stderr.count("\n") == 1
        online = run()
        assert (online.returncode, online.stderr) == (0, "")
        hub.requests.clear()
        offline = run(HF_HUB_OFFLINE="1")
        assert (offline.returncode, offline.stdout, hub.requests) == (0, online.stdout, [])
