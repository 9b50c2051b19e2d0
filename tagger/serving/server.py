"""Run the server: one process, or several behind one socket. The only module that imports uvicorn."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable
from dataclasses import replace

import uvicorn
from uvicorn.supervisors import Multiprocess

from tagger.errors import UserError
from tagger.python_process import safe_spawning
from tagger.serving.app import make_app
from tagger.serving.metrics import FOLDER
from tagger.serving.settings import ServeSettings

_FACTORY = "tagger.serving.app:app_from_environment"
_CLOSING_SECONDS = 5.0  # for answers under way, beside the time a request may take


def serve(settings: ServeSettings, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C. Requests under way are answered first.

    Args:
        settings: of the server.
        announce: called with the server's address when it can be reached.

    Raises:
        UserError: a model cannot be loaded, or the address cannot be used.
        KeyboardInterrupt: Ctrl-C has ended it.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s")
    with _listening(settings) as listening:
        settings = replace(settings, port=listening.getsockname()[1])
        address = f"http://{f'[{settings.host}]' if ':' in settings.host else settings.host}:{settings.port}"
        if settings.workers > 1:
            _serve_in_processes(settings, listening, lambda: announce(address))
            return
        config = _config(make_app(settings), settings)
        announce(address)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises it again at the end
        uvicorn.Server(config).run(sockets=[listening])


def _serve_in_processes(settings: ServeSettings, listening: socket.socket, announce: Callable[[], None]) -> None:
    folder = tempfile.mkdtemp(prefix="tagger-metrics-")
    os.environ[FOLDER] = folder
    settings.put_into_environment()
    try:
        config = _config(_FACTORY, settings)
        make_app(replace(settings, workers=1))  # report a wrong model once, and compile loops once
        announce()
        with safe_spawning():
            Multiprocess(config, sockets=[listening]).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _config(app: object, settings: ServeSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        factory=isinstance(app, str),
        workers=settings.workers,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_worker_healthcheck=60,  # a worker that loads its models on a busy machine answers late
        timeout_graceful_shutdown=int(settings.seconds + _CLOSING_SECONDS),
    )


def _listening(settings: ServeSettings) -> socket.socket:
    """Return the socket that the server listens on.

    Raises:
        UserError: the address is unknown, not this machine's, or in use.
    """
    try:
        family, *_ = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            if os.name == "posix":  # elsewhere it would let two servers share a port
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((settings.host, settings.port))
            listening.listen(1024)
            listening.set_inheritable(True)
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        advice = "use another --host or --port"
        raise UserError(
            f"{settings.host}:{settings.port}: cannot listen: {error.strerror or error}; {advice}"
        ) from error
    return listening
