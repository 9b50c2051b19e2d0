"""Write answers as JSON. Any text can be written, also half characters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response


class JsonAnswer(Response):
    """JSON in ASCII, since a text in JSON may hold characters that UTF-8 cannot write."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write the content."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def error_answer(status: int, message: str, headers: Mapping[str, str] | None = None) -> JsonAnswer:
    """Return the answer to a request that failed: `{"error": {"status": …, "message": …}}`."""
    return JsonAnswer({"error": {"status": status, "message": message}}, status, headers)
