"""Settings of a server, which worker processes read from the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path

from tagger.errors import UserError
from tagger.model_folder.named import is_ready, on_hub

VARIABLE = "TAGGER_SERVE_SETTINGS"


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """Settings of a server.

    Attributes:
        models: name and path of each model; the first one answers where no model is named.
        engine, device, precision: as `tagger.load` takes them.
        host, port: where it listens. Port 0 takes a free one.
        workers: processes, each with its own models.
        batch_ms: milliseconds for which requests are gathered when several clients are at work.
        max_bytes: of a request's body.
        max_texts: in a request.
        max_waiting: texts that wait to be tagged; further requests are refused.
        seconds: that a request may take.
        token: what clients have to send; None for none.
        hosts: further names that browsers may call the server by.
    """

    models: Sequence[tuple[str, str]]
    engine: str = "auto"
    device: str = "cpu"
    precision: str = "fp32"
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    batch_ms: float = 2.0
    max_bytes: int = 1 << 20
    max_texts: int = 1000
    max_waiting: int = 10_000
    seconds: float = 30.0
    token: str | None = None
    hosts: Sequence[str] = ()

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the server."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def put_into_environment(self) -> None:
        """Leave the settings for worker processes."""
        os.environ[VARIABLE] = json.dumps(asdict(self))

    @classmethod
    def from_environment(cls) -> ServeSettings:
        """Read what `put_into_environment` left."""
        found = json.loads(os.environ[VARIABLE])
        return cls(**{**found, "models": [tuple(one) for one in found["models"]]})


def named_models(given: Sequence[str]) -> list[tuple[str, str]]:
    """Return name and path of each model on the command line, `PATH` or `NAME=PATH`.

    A folder `model` is named after the run's folder it is in.

    Raises:
        UserError: two models have the same name.
    """
    found: dict[str, str] = {}
    for one in given:
        name, parted, path = one.partition("=")
        if not parted or Path(one).exists():
            path = one
            folder = Path(one).resolve()
            name = folder.parent.name if folder.name == "model" else folder.name
            name = one if is_ready(one) or on_hub(one) else name
        if name in found:
            raise UserError(f"--model {one}: another model is called {name!r}; give a name, as NAME={path}")
        found[name] = path
    return list(found.items())
