"""Serve models over HTTP, with a page to try them.

    tagger serve                                        the English models that come along
    tagger serve --model runs/latest/model --port 8080
    curl -s localhost:8000/tag -H 'content-type: application/json' -d '{"text": "Ada lived in London.", "scores": true}'

The page is at http://127.0.0.1:8000/, the description of all paths at /docs. Label Studio can use the server as a
machine-learning backend. docs/server.md says more. The server is reached from this machine alone, unless --host is
given. With a token ($TAGGER_TOKEN, or --token-file) clients send `Authorization: Bearer TOKEN`.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path

from tagger.commands.main import command_parser, whole_number
from tagger.errors import UserError, extra_needed
from tagger.printable import in_a_line

_TOKEN = "TAGGER_TOKEN"


def main(arguments: Sequence[str]) -> int:
    """Serve until stopped; returns 0 after SIGTERM.

    Raises:
        UserError: a model, an option or the address is wrong.
        KeyboardInterrupt: Ctrl-C has ended it.
    """
    parser = command_parser("serve", __doc__)
    add = parser.add_argument
    add("--model", action="append", default=[], metavar="[NAME=]DIR",
        help="folder, name of a ready model, or hub:ORG/NAME; may be repeated; default: en-ner, en-pos")  # fmt: skip
    add("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for all; default: %(default)s")
    add("--port", type=_port, default=8000, help="default: %(default)s; 0 takes a free one")
    add("--workers", type=whole_number, default=1, metavar="N", help="processes, each with its own models; default: 1")
    add("--engine", default="auto", help="numpy, torch, onnx or auto")
    add("--device", default="cpu", help="for torch, such as cuda")
    add("--precision", default="fp32", help="fp32; for numpy also int16; for torch also bf16, fp16")
    add("--batch-ms", type=_number, default=2.0, metavar="MS",
        help="time for which requests of several clients are gathered; default: %(default)s")  # fmt: skip
    add("--max-bytes", type=whole_number, default=1 << 20, metavar="N", help="of a request; default: %(default)s")
    add("--max-texts", type=whole_number, default=1000, metavar="N", help="of a request; default: %(default)s")
    add("--timeout", type=_number, default=30.0, metavar="S", help="seconds that a request may take; default: 30")
    add("--token-file", type=Path, metavar="FILE", help=f"file with the token that clients send; else ${_TOKEN}")
    add("--allow-host", action="append", default=[], metavar="NAME",
        help="another name that browsers may call this server by, as behind a proxy; may be repeated")  # fmt: skip
    given = parser.parse_args(arguments)
    with extra_needed("serve", "tagger serve"):
        from tagger.serving.server import serve
    from tagger.serving.settings import ServeSettings, named_models

    settings = ServeSettings(
        models=named_models(given.model or ["en-ner", "en-pos"]),
        engine=given.engine,
        device=given.device,
        precision=given.precision,
        host=given.host,
        port=given.port,
        workers=given.workers,
        batch_ms=given.batch_ms,
        max_bytes=given.max_bytes,
        max_texts=given.max_texts,
        seconds=given.timeout,
        token=_token(given.token_file),
        hosts=tuple(given.allow_host),
    )
    if not settings.is_local and settings.token is None:
        _say(f"warning: {settings.host}: all who reach this address can use the server; ${_TOKEN} sets a token")
    names = ", ".join(name for name, _ in settings.models)
    serve(settings, lambda address: _say(f"{names} at {address} (description: {address}/docs)"))
    return 0


def _say(line: str) -> None:
    print(in_a_line(f"tagger serve: {line}"), file=sys.stderr, flush=True)


def _token(file: Path | None) -> str | None:
    """Return the token that clients have to send; None for none.

    Raises:
        UserError: the file cannot be read, or the token is empty or has characters that no header can carry.
    """
    if file is None:
        token, place = os.environ.get(_TOKEN), f"${_TOKEN}"
        if token is None:
            return None
    else:
        place = str(file)
        try:
            token = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{file}: cannot read the token: {error}") from error
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable():
        raise UserError(f"{place}: expected a token of printable ASCII characters")
    return token


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise ArgumentTypeError(f"expected a number from 0 to 65535, got {text!r}")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 86_400:
        raise ArgumentTypeError(f"expected a number from 0, got {text!r}")
    return value
