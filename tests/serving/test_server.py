"""The server as a process: a real socket, many clients, worker processes, a graceful end, and its page in a browser."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tagger.corpus.schemes import Scheme
from tagger.predict import load
from tests.helpers.browser import opened, started
from tests.helpers.random_models import random_folder
from tests.helpers.serving import Server, running

pytestmark = pytest.mark.extended

TEXT = "Anna <b>Smith</b> lives in 🙂 New York . Ο Γιώργος μένει στην Αθήνα ."


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("served")
    random_folder().save(folder / "ner", "")
    random_folder(scheme=Scheme.PLAIN).save(folder / "pos", "")
    return ["--model", str(folder / "ner"), "--model", str(folder / "pos")]


@pytest.fixture(scope="module")
def server(models: list[str]) -> Iterator[Server]:
    with running(*models) as found:
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with started() as browser:
        yield browser


def test_many_clients_get_their_own_texts_tagged(server: Server, models: list[str]) -> None:
    tagger = load(models[1])
    texts = [f"Anna {'Smith ' * (n % 7)}lives in {n} ." for n in range(200)]
    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda text: server.post("/tag", {"text": text, "tokens": True}), texts))
    assert {status for status, _ in answers} == {200}
    found = [answer["documents"][0]["sentences"] for _, answer in answers]
    assert [[one["tags"] for one in sentences] for sentences in found] == [
        [one.tags for one in document.sentences] for document in tagger.pipe(texts)
    ]
    assert b'tagger_texts_total{model="ner"} 200.0' in server.get("/metrics")


def test_worker_processes_add_up_their_counts_and_end_together(models: list[str]) -> None:
    with running(*models, "--workers", "2") as server:
        until = time.monotonic() + 60
        answers = []
        while len(answers) < 20 and time.monotonic() < until:  # a worker may not listen yet
            answers.append(server.post("/tag", {"text": TEXT})[0])
        assert answers == [200] * 20
        assert b'tagger_texts_total{model="ner"} 20.0' in server.get("/metrics")


def test_a_request_under_way_is_answered_before_the_end(models: list[str]) -> None:
    answers: list[tuple[int, Any]] = []
    with running(*models, "--max-bytes", "10000000") as server:
        texts = [f"{TEXT} {n}" * 20 for n in range(400)]
        client = threading.Thread(target=lambda: answers.append(server.post("/tag", {"texts": texts})))
        client.start()
        while b"tagger_open_requests 2.0" not in server.get("/metrics"):
            assert client.is_alive(), "answered too soon for this test"
        server.process.send_signal(signal.SIGTERM)
        client.join()
        server.process.wait(60)
    ((status, answer),) = answers
    assert (status, len(answer["documents"])) == (200, 400)


def test_ctrl_c_ends_it_with_a_line(models: list[str]) -> None:
    command = [sys.executable, "-m", "tagger", "serve", "--port", "0", *models]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert " at http://127.0.0.1:" in process.stderr.readline()
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert (process.wait(60), process.stderr.read()) == (130, "tagger serve: stopped by Ctrl-C\n")
    process.stderr.close()


def write(page: Page, text: str) -> None:
    page.get_by_label("Text", exact=True).fill(text)
    shown = "given => JSON.parse(document.getElementById('json').textContent || '{}').text === given"
    page.wait_for_function(shown, arg=text)


def test_text_is_marked_as_it_is_typed_and_never_html(server: Server, chromium: Browser, models: list[str]) -> None:
    with opened(chromium, server.address) as page:
        write(page, TEXT)
        expected = load(models[1]).tag(TEXT).entities
        assert page.locator("#tagged mark").count() == len(expected) > 0
        assert [one.evaluate("mark => mark.firstChild.data") for one in page.locator("#tagged mark").all()] == [
            one.text for one in expected
        ]
        without = """() => { const copy = document.getElementById('tagged').cloneNode(true)
            copy.querySelectorAll('small').forEach(label => label.remove()); return copy.textContent }"""
        assert page.evaluate(without) == TEXT
        assert page.locator("#tagged b").count() == 0


def test_the_slider_leaves_out_what_is_less_probable(server: Server, chromium: Browser) -> None:
    with opened(chromium, server.address) as page:
        write(page, TEXT)
        page.get_by_label("Least probability").fill("1")
        expect(page.locator("#tagged mark")).to_have_count(0)
        expect(page.locator("#least-shown")).to_have_text("100%")
        assert json.loads(page.locator("#json").text_content() or "") == {"text": TEXT, "entities": []}


def test_the_keyboard_reaches_marks_with_score_and_alternatives(server: Server, chromium: Browser) -> None:
    with opened(chromium, server.address) as page:
        write(page, TEXT)
        for _ in range(8):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.tagName") == "MARK":
                break
        assert page.evaluate("document.activeElement.tagName") == "MARK"
        details = page.get_by_role("region", name="The chosen entity")
        expect(details).to_contain_text("%")
        assert details.locator("li").count() >= 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_both_schemes(server: Server, chromium: Browser, scheme: Literal["light", "dark"]) -> None:
    with opened(chromium, server.address, width=390, scheme=scheme) as page:
        write(page, f"{TEXT} {'x' * 300}")
        page.locator("#tagged mark").first.click()
        page.get_by_text("JSON", exact=True).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        brightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]")
        assert (brightness < 60) is (scheme == "dark")


def test_gates_of_a_sentence_are_shown_without_script(server: Server, chromium: Browser) -> None:
    with opened(chromium, server.address) as page:
        write(page, TEXT)
        page.get_by_role("button", name="Show its gates").click()
        inside = page.frame_locator("#gates")
        expect(inside.get_by_role("heading", name="A look inside the gates")).to_be_visible()
        assert inside.locator("table").count() > 0


def test_a_model_of_plain_tags_marks_every_token(server: Server, chromium: Browser, models: list[str]) -> None:
    with opened(chromium, server.address) as page:
        write(page, TEXT)
        page.locator("#model").select_option("pos")
        expected = sum(map(len, load(models[3]).tag(TEXT).sentences))
        expect(page.locator("#tagged mark")).to_have_count(expected)


def test_every_control_has_a_name(server: Server, chromium: Browser) -> None:
    with opened(chromium, server.address) as page:
        write(page, TEXT)
        nameless = """() => [...document.querySelectorAll('button, input, select, textarea, iframe')].filter(one =>
            !one.labels?.length && !one.textContent.trim() && !one.title && !one.ariaLabel).length"""
        assert page.evaluate(nameless) == 0
        assert page.locator("h1").count() == 1


def test_the_page_asks_for_the_token(models: list[str], chromium: Browser) -> None:
    with running(*models, TAGGER_TOKEN="s3cret") as server:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(server.address)
        expect(page.get_by_role("alert")).to_contain_text("a token is needed")
        page.get_by_label("Token").fill("s3cret")
        page.get_by_label("Token").press("Tab")
        expect(page.locator("#tagged")).to_contain_text("Ada")
        context.close()
