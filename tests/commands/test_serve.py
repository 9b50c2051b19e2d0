"""`tagger serve` refuses what cannot be served, in a line and before it serves anything."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tagger.commands.main import run_command
from tagger.serving import server
from tests.helpers.random_models import random_folder


@pytest.fixture
def model(tmp_path: Path) -> list[str]:
    random_folder().save(tmp_path / "m", "")
    return ["--model", str(tmp_path / "m")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "nothing/there", "--port", "0"], "nothing/there"),
        (["--host", "203.0.113.1"], "203.0.113.1:8000: cannot listen"),
        (["--host", "not a host"], "not a host:8000: cannot listen"),
        (["--token-file", "missing"], "missing: cannot read the token"),
        (["--model", "en-ner", "--model", "en-ner"], "--model en-ner: another model is called 'en-ner'"),
    ],
)
def test_a_mistake_is_a_line(
    arguments: list[str], message: str, model: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    own = arguments if "--model" in arguments else [*model, *arguments]
    assert run_command("serve", own) == 2
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith(f"tagger serve: {message}")
    assert "Traceback" not in error


@pytest.mark.parametrize("token", ["", " ", "a\nb", "é"])
def test_a_token_that_no_header_can_carry_is_refused(
    token: str, model: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAGGER_TOKEN", token)
    assert run_command("serve", model) == 2
    expected = "tagger serve: $TAGGER_TOKEN: expected a token of printable ASCII characters\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("option", [["--port", "70000"], ["--port", "x"], ["--workers", "0"], ["--timeout", "-1"]])
def test_a_number_out_of_range_is_refused(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        run_command("serve", option)
    assert raised.value.code == 2
    assert "expected a" in capsys.readouterr().err


def test_a_port_in_use_is_named(model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert run_command("serve", [*model, "--port", port]) == 2
    assert f"127.0.0.1:{port}: cannot listen" in capsys.readouterr().err


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("127.0.0.1", False), ("localhost", False)])
def test_an_open_address_without_a_token_is_warned_of(
    host: str, warned: bool, model: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server, "serve", lambda settings, announce: announce("http://x"))
    assert run_command("serve", [*model, "--host", host]) == 0
    assert ("warning" in capsys.readouterr().err) is warned
