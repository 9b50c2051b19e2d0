"""Stand between the network and the application: who may ask, how much, for how long; errors as JSON."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from tagger.serving.answers import error_answer
from tagger.serving.metrics import Metrics
from tagger.serving.settings import ServeSettings

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger(__name__)
_LOCAL = ("127.0.0.1", "localhost", "[::1]", "::1")
PUBLIC = ("/", "/health", "/docs", "/openapi.json")  # hold no data; the page asks for the token


class Guard:
    """An ASGI application around another one."""

    def __init__(self, app: App, settings: ServeSettings, metrics: Metrics, paths: Collection[str]) -> None:
        """
        Args:
            app: what answers.
            settings: limits, token and hosts.
            metrics: where requests are counted.
            paths: those that are counted under their name; others are "other".
        """
        self._app, self._settings, self._metrics, self._paths = app, settings, metrics, frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in self._paths else "other"
        status = 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        self._metrics.open.inc()
        try:
            await self._answer(scope, receive, counted, started=lambda: bool(status))
        finally:
            self._metrics.open.dec()
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - began)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, *, started: Callable[[], bool]) -> None:
        seconds = self._settings.seconds
        headers = dict(scope["headers"])
        try:
            self._check(scope["path"], headers)
            async with asyncio.timeout(seconds):
                await self._app(scope, self._bounded(receive), send)
            return
        except HTTPException as error:
            answer = error_answer(error.status_code, str(error.detail), error.headers)
        except TimeoutError:
            answer = error_answer(504, f"the request took longer than {seconds:g} s; send less text at a time")
        except Exception as error:  # its text may hold what clients must not see
            _log.error(
                "%s: %s: %s", scope["path"], type(error).__name__, error, exc_info=_log.isEnabledFor(logging.DEBUG)
            )
            return  # the application has answered
        if not started():
            await answer(scope, receive, send)

    def _check(self, path: str, headers: MutableMapping[bytes, bytes]) -> None:
        """Refuse a request that may not be answered.

        Raises:
            HTTPException: the name of the host, the token or the size is wrong.
        """
        settings = self._settings
        host = headers.get(b"host", b"").decode("latin-1")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if settings.is_local and name not in (*_LOCAL, settings.host, *settings.hosts):
            # a page of the web whose name was pointed at this machine
            raise HTTPException(421, f"not a name of this server: {host}; allow it with --allow-host")
        if settings.token is not None and path not in PUBLIC and not _is_given(settings.token, headers):
            raise HTTPException(401, "a token is needed: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > settings.max_bytes:
            raise self._too_large()

    def _bounded(self, receive: Receive) -> Receive:
        """Count the bytes of a body, whose length need not be said before."""
        read = 0

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._settings.max_bytes:
                raise self._too_large()
            return message

        return bounded

    def _too_large(self) -> HTTPException:
        most = self._settings.max_bytes
        return HTTPException(
            413, f"a body of more than {most:,} bytes; send less text at a time", {"Connection": "close"}
        )


def _is_given(token: str, headers: MutableMapping[bytes, bytes]) -> bool:
    """Return whether a request has the token: as a bearer token, or as the password that Label Studio sends.

    The time it takes does not depend on where a wrong token differs.
    """
    kind, _, value = headers.get(b"authorization", b"").partition(b" ")
    if kind.lower() == b"basic":
        try:
            value = base64.b64decode(value.strip(), validate=True).partition(b":")[2]
        except binascii.Error:
            return False
    elif kind.lower() != b"bearer":
        return False
    return hmac.compare_digest(value.strip(), token.encode())
