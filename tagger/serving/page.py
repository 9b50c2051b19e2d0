"""The server's pages: one to tag text on, one that describes all paths. They fetch nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tagger.html.palette import STYLE
from tagger.html.rendering import render

_TEMPLATES = Path(__file__).parent / "templates"
_COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@cache
def tagging_page() -> str:
    """Return the page on which text is tagged."""
    return render(
        "serving/templates/page.html.j2",
        palette=STYLE,
        style=(_TEMPLATES / "page.css").read_text(encoding="utf-8"),
        script=_script(),
    )


def description_page(openapi: Mapping[str, Any], public: Collection[str]) -> str:
    """Return the page that describes all paths, from their OpenAPI description."""
    return render(
        "serving/templates/description.html.j2",
        palette=STYLE,
        style=(_TEMPLATES / "page.css").read_text(encoding="utf-8"),
        title=openapi["info"]["title"],
        version=openapi["info"]["version"],
        about=openapi["info"]["description"],
        paths=list(_operations(openapi)),
        schemas={name: json.dumps(one, indent=2) for name, one in openapi["components"]["schemas"].items()},
        public=public,
    )


def page_headers() -> dict[str, str]:
    """Return the headers of a page: its own script alone may run, and only this server be asked."""
    digest = base64.b64encode(hashlib.sha256(_script().encode("utf-8")).digest()).decode()
    rules = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {**_COMMON, "Content-Security-Policy": rules}


def gates_headers() -> dict[str, str]:
    """Return the headers of the page of gates, which has no script."""
    return {**_COMMON, "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}


@cache
def _script() -> str:
    return (_TEMPLATES / "page.js").read_text(encoding="utf-8")


def _operations(openapi: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what the page says of each path and method."""
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            answer = (
                operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
            )
            yield {
                "method": method.upper(),
                "path": path,
                "summary": operation.get("summary", ""),
                "about": operation.get("description", ""),
                "request": body.get("$ref", "").rpartition("/")[2],
                "answer": answer.get("$ref", "").rpartition("/")[2],
            }
