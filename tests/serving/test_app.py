"""What the server answers: tags as the tagger gives them, limits, tokens and mistakes, in this process."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tagger.corpus.schemes import Scheme
from tagger.errors import UserError
from tagger.predict import Tagger, load
from tagger.serving.app import make_app
from tagger.serving.settings import ServeSettings, named_models
from tests.helpers.random_models import random_folder

TEXTS = ["Anna Smith lives in New York .", "", "🙂 Ο Γιώργος μένει στην Αθήνα . Anna ."]
TOKEN = "s3cret"
LABELS = (
    '<View><Labels name="l" toName="t"><Label value="Per"/><Label value="Org"/></Labels>'
    '<Text name="t" value="$body"/></View>'
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ServeSettings:
    folder = tmp_path_factory.mktemp("served")
    random_folder().save(folder / "ner", "")
    random_folder(scheme=Scheme.PLAIN).save(folder / "pos", "")
    return ServeSettings(models=named_models([str(folder / "ner"), str(folder / "pos")]), max_bytes=5000, max_texts=20)


@pytest.fixture(scope="module")
def ner(settings: ServeSettings) -> Tagger:
    return load(settings.models[0][1])


@pytest.fixture(scope="module")
def client(settings: ServeSettings) -> Iterator[TestClient]:
    with TestClient(make_app(settings), base_url="http://localhost", raise_server_exceptions=False) as found:
        yield found


@pytest.fixture
def guarded(settings: ServeSettings) -> Iterator[TestClient]:
    with TestClient(make_app(replace(settings, token=TOKEN)), base_url="http://localhost") as found:
        yield found


def problem(answer: Any) -> tuple[int, str]:
    """Status and message of an answer, which must be an error in JSON."""
    content = answer.json()["error"]
    assert content["status"] == answer.status_code
    return answer.status_code, content["message"]


def test_tags_are_those_of_the_tagger(client: TestClient, ner: Tagger) -> None:
    answer = client.post("/tag", json={"texts": TEXTS, "scores": True, "n_best": 2, "tokens": True}).json()
    expected = [document.to_dict() for document in ner.pipe(TEXTS, scores=True, n_best=2)]
    assert answer["model"] == "ner"
    assert [one["sentences"] for one in answer["documents"]] == [one["sentences"] for one in expected]
    rounded = [[{**e, "score": round(e["score"], 4)} for e in one["entities"]] for one in expected]
    assert [one["entities"] for one in answer["documents"]] == rounded


def test_one_text_has_one_document_without_what_was_not_asked_for(client: TestClient, ner: Tagger) -> None:
    (document,) = client.post("/tag", json={"text": TEXTS[0]}).json()["documents"]
    assert document == {"entities": ner.tag(TEXTS[0]).to_dict()["entities"]}


def test_a_model_of_plain_tags_answers_with_tokens(client: TestClient) -> None:
    (document,) = client.post("/tag", json={"text": TEXTS[0], "model": "pos"}).json()["documents"]
    assert document["entities"] == []
    assert len(document["sentences"][0]["tags"]) == len(document["sentences"][0]["tokens"]) == 7


@pytest.mark.parametrize("least", [0.3, {"PER": 0.9}])
def test_less_probable_entities_are_left_out(client: TestClient, ner: Tagger, least: Any) -> None:
    answer = client.post("/tag", json={"texts": TEXTS, "scores": True, "min_score": least}).json()
    limits = least if isinstance(least, dict) else dict.fromkeys(ner.labels, least)
    expected = [
        [one.text for one in document.entities if (one.score or 0) >= limits.get(one.label, 0)]
        for document in ner.pipe(TEXTS, scores=True)
    ]
    assert [[one["text"] for one in document["entities"]] for document in answer["documents"]] == expected


def test_half_a_character_comes_back_as_it_was(client: TestClient) -> None:
    body = '{"text": "\\ud800 Anna", "tokens": true}'
    answer = client.post("/tag", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert answer.json()["documents"][0]["sentences"][0]["tokens"][0].startswith("\ud800")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, (400, "give text, or texts, and not both")),
        ({"text": "a", "texts": ["b"]}, (400, "give text, or texts, and not both")),
        ({"txt": "a"}, (422, "txt: no such field; /docs lists them")),
        ({"text": 3}, (422, "text: Input should be a valid string")),
        ({"texts": ["a", None]}, (422, "texts.1: Input should be a valid string")),
        ({"text": "a", "n_best": 99}, (422, "n_best: Input should be less than or equal to 20")),
        ({"text": "a", "model": "x"}, (404, "no model 'x'; there are ner, pos")),
        ({"text": "a", "min_score": {"X": 0.5}}, (400, "min_score: the model knows no label 'X'; use LOC, ORG, PER")),
        (
            {"text": "", "model": "pos", "min_score": 1},
            (400, "min_score: only for models of entities; leave it out"),
        ),
        ({"texts": ["a"] * 21}, (413, "21 texts; send at most 20 at a time")),
        ({"text": "a" * 6000}, (413, "a body of more than 5,000 bytes; send less text at a time")),
        (["a"], (422, "body: expected a JSON object, and the header content-type: application/json")),
    ],
)
def test_a_mistake_is_json_of_one_line(client: TestClient, content: object, expected: tuple[int, str]) -> None:
    assert problem(client.post("/tag", json=content)) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"text', (422, "body: not JSON")),
        (b"", (422, "body: expected a JSON object, and the header content-type: application/json")),
        (b"[" * 4000, (400, "There was an error parsing the body")),
        (b"\xff", (400, "There was an error parsing the body")),
    ],
)
def test_a_body_of_any_bytes_is_answered(client: TestClient, body: bytes, expected: tuple[int, str]) -> None:
    assert problem(client.post("/tag", content=body, headers={"content-type": "application/json"})) == expected


def test_a_body_whose_length_is_not_said_is_bounded_too(client: TestClient) -> None:
    chunks = (b" " * 1000 for _ in range(10))
    assert problem(client.post("/tag", content=chunks, headers={"content-type": "application/json"}))[0] == 413


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/tag", 405), ("GET", "/nothing", 404), ("POST", "/../etc/passwd", 404)]
)
def test_other_paths_and_methods_are_json_too(client: TestClient, method: str, path: str, status: int) -> None:
    assert problem(client.request(method, path))[0] == status


def test_an_error_inside_shows_no_traceback(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(Tagger, "pipe", fails)
    assert problem(client.post("/tag", json={"text": "a"})) == (500, "internal error; the server's log has it")
    assert "RuntimeError: a secret" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_request_that_takes_too_long_is_ended(settings: ServeSettings) -> None:
    app = make_app(replace(settings, seconds=0.0))
    with TestClient(app, base_url="http://localhost") as client:
        assert problem(client.post("/tag", json={"text": "a"}))[0] == 504


def test_more_texts_than_may_wait_are_refused(settings: ServeSettings) -> None:
    with TestClient(make_app(replace(settings, max_waiting=1)), base_url="http://localhost") as client:
        answer = client.post("/tag", json={"texts": ["a", "b"]})
        assert problem(answer) == (503, "too many texts wait; try again soon")
        assert answer.headers["retry-after"] == "1"
        assert client.post("/tag", json={"text": "a"}).status_code == 200


@pytest.mark.parametrize(
    "value", [None, "", "Bearer", "Bearer wrong", f"Bearer {TOKEN}x", f"Token {TOKEN}", "Basic !", "Bearer \xe9"]
)
def test_without_the_token_nothing_is_tagged(guarded: TestClient, value: str | None) -> None:
    headers = {} if value is None else {"authorization": value.encode("latin-1")}
    for path in ("/tag", "/gates", "/predict", "/setup", "/models", "/metrics"):
        answer = guarded.post(path, json={"text": "a"}, headers=headers)  # type: ignore[arg-type]
        assert problem(answer) == (401, "a token is needed: Authorization: Bearer TOKEN")


def test_with_the_token_it_is_as_bearer_or_as_label_studio_s_password(guarded: TestClient) -> None:
    basic = base64.b64encode(f"user:{TOKEN}".encode()).decode()
    for value in (f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Basic {basic}"):
        answer = guarded.post("/tag", json={"text": "a"}, headers={"authorization": value})
        assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/", "/health", "/docs", "/openapi.json"])
def test_what_holds_no_data_needs_no_token(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_a_page_of_the_web_cannot_reach_a_local_server_by_a_name_of_its_own(client: TestClient) -> None:
    answer = client.post("/tag", json={"text": "a"}, headers={"host": "evil.example:8000"})
    assert problem(answer) == (421, "not a name of this server: evil.example:8000; allow it with --allow-host")


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "[::1]", "own.example:1"])
def test_names_of_this_machine_and_allowed_ones_are_answered(settings: ServeSettings, host: str) -> None:
    app = make_app(replace(settings, hosts=("own.example",)))
    assert TestClient(app, base_url="http://localhost").get("/health", headers={"host": host}).status_code == 200


def test_requests_and_texts_are_counted(settings: ServeSettings) -> None:
    with TestClient(make_app(settings), base_url="http://localhost") as client:
        client.post("/tag", json={"texts": ["ab", "c"]})
        client.get("/nothing")
        found = client.get("/metrics").text
    for line in (
        'tagger_requests_total{path="/tag",status="200"} 1.0',
        'tagger_requests_total{path="other",status="404"} 1.0',
        'tagger_texts_total{model="ner"} 2.0',
        'tagger_characters_total{model="ner"} 3.0',
    ):
        assert line in found.splitlines()


def test_models_are_listed_the_default_first(client: TestClient) -> None:
    found = client.get("/models").json()["models"]
    assert [(one["name"], one["plain"]) for one in found] == [("ner", False), ("pos", True)]
    assert found[0]["labels"] == ["LOC", "ORG", "PER"]


def test_the_description_names_every_path_and_fetches_nothing(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert paths.keys() == {"/tag", "/gates", "/models", "/health", "/metrics", "/setup", "/predict"}
    page = client.get("/docs")
    assert all(path in page.text for path in paths)
    assert "http" not in page.text.replace("http-equiv", "").partition("<main>")[2].replace("HTTPS", "")


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_run_their_own_script_alone(client: TestClient, path: str) -> None:
    rules = client.get(path).headers["content-security-policy"]
    assert "default-src 'none'" in rules
    assert "script-src 'sha256-" in rules


def test_gates_are_a_page_without_script_in_which_text_stays_text(client: TestClient) -> None:
    answer = client.post("/gates", json={"text": "Anna met <script>x</script> ."})
    assert answer.status_code == 200
    assert "&lt;script" in answer.text
    assert "<script" not in answer.text
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(("text", "sentence"), [("Anna .", 1), ("", 0), ("a " * 70, 0)])
def test_gates_of_no_sentence_or_a_long_one_are_refused(client: TestClient, text: str, sentence: int) -> None:
    assert problem(client.post("/gates", json={"text": text, "sentence": sentence}))[0] == 400


def test_label_studio_gets_predictions_in_utf16_units(client: TestClient, ner: Tagger) -> None:
    tasks = [{"id": 1, "data": {"body": TEXTS[2]}}]
    answer = client.post("/predict", json={"tasks": tasks, "label_config": LABELS, "project": "1.2"}).json()
    (found,) = answer["results"]
    expected = [one for one in ner.tag(TEXTS[2], scores=True).entities if one.label != "LOC"]
    assert expected
    for result, entity in zip(found["result"], expected, strict=True):
        value = result["value"]
        utf16 = TEXTS[2].encode("utf-16-le")
        assert utf16[2 * value["start"] : 2 * value["end"]].decode("utf-16-le") == entity.text == value["text"]
        assert (result["from_name"], result["to_name"], result["type"]) == ("l", "t", "labels")
        assert value["labels"] == [entity.label.capitalize()]
    assert found["model_version"] == answer["model_version"] == "ner"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("<View", "label_config: not XML"),
        ("<View/>", "label_config: no <Labels> for a <Text>"),
        (
            LABELS.replace("Per", "Gene").replace("Org", "Cell"),
            "label_config: the model knows LOC, ORG, PER; the project has none",
        ),
        (f"<!DOCTYPE x [<!ENTITY a 'b'>]>{LABELS}", "label_config: it declares entities"),
    ],
)
@pytest.mark.parametrize("path", ["/setup", "/predict"])
def test_a_project_that_does_not_fit_is_refused(client: TestClient, path: str, config: str, message: str) -> None:
    status, found = problem(client.post(path, json={"schema": config, "label_config": config, "tasks": []}))
    assert status == 400
    assert found.startswith(message)


def test_label_studio_s_setup_and_health(client: TestClient) -> None:
    setup = {"project": "1", "schema": LABELS, "hostname": "http://ls", "access_token": "x", "extra_params": None}
    assert client.post("/setup", json=setup).json() == {"model_version": "ner"}
    assert client.get("/health").json()["status"] == "UP"


def test_a_task_without_text_is_named(client: TestClient) -> None:
    answer = client.post("/predict", json={"tasks": [{"data": {"x": "a"}}], "label_config": LABELS})
    assert problem(answer) == (400, "tasks[0]: no text in data.body")


def test_models_have_names_of_their_own(tmp_path: Path) -> None:
    given = ["en-ner", str(tmp_path / "run" / "model"), "other=en-ner", "hub:a/b"]
    assert [name for name, _ in named_models(given)] == ["en-ner", "run", "other", "hub:a/b"]
    with pytest.raises(UserError, match="another model is called 'en-ner'"):
        named_models(["en-ner", "en-ner"])


def test_settings_reach_other_processes_unchanged(settings: ServeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGGER_SERVE_SETTINGS", "")
    given = replace(settings, token=TOKEN, batch_ms=0.5)
    given.put_into_environment()
    found = ServeSettings.from_environment()
    assert json.dumps(found.models) == json.dumps(given.models)
    assert replace(found, models=()) == replace(given, models=(), hosts=[])
