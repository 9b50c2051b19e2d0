"""The server as a process of its own, on a free port of this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

_ADDRESS = re.compile(r" at (http://\S+) ")
_LONGEST = 60  # seconds to end


class Server(NamedTuple):
    """A running server."""

    address: str
    process: subprocess.Popen[str]

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.address + path, timeout=_LONGEST) as answer:
            content: bytes = answer.read()
        return content

    def post(self, path: str, content: object, **headers: str) -> tuple[int, Any]:
        """Send JSON; returns status and the answer's JSON."""
        own = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(self.address + path, json.dumps(content).encode(), own)
        try:
            with urllib.request.urlopen(request, timeout=_LONGEST) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


@contextmanager
def running(*arguments: str, **variables: str) -> Iterator[Server]:
    """Start `tagger serve`; it must end with 0 at SIGTERM, and print nothing but its address and warnings."""
    command = [sys.executable, "-m", "tagger", "serve", "--port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **variables})
    assert process.stderr is not None
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if found := _ADDRESS.search(line):
                break
        else:
            raise AssertionError("".join(lines))
        yield Server(found[1], process)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        assert process.wait(_LONGEST) == 0
        assert process.stderr.read() == ""
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()
