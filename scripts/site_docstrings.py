"""Prepare docstrings for the documentation's site: an extension of griffe, which mkdocs.yml names."""

from __future__ import annotations

import re
from typing import Any

import griffe

_DOCTEST = re.compile(r"^([ ]*)>>> .*(?:\n[ ]*\S.*)*", re.MULTILINE)


class FenceDoctests(griffe.Extension):
    """Put doctests into fences, as Markdown would read their output as links and lists."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of an object. Griffe calls this."""
        if obj.docstring:
            obj.docstring.value = _DOCTEST.sub(r"\1```pycon\n\g<0>\n\1```", obj.docstring.value)
