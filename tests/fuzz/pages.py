"""What a page of HTML must be: well-formed, and of nothing but the elements that this program writes itself."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from html import unescape

_VOID = frozenset({"meta", "br", "hr", "input", "link", "img"})
_RAW = frozenset({"script", "style"})  # what stands in them is no markup
_BEGIN = "<!DOCTYPE html>"
_TAG = re.compile(r"""<(/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+(?:="[^"<>]*"|='[^'<>]*')?)*)\s*(/?)>""")
_ATTRIBUTE = re.compile(r"""([\w:-]+)(?:="([^"]*)"|='([^']*)')?""")


class Page:
    """A page taken apart, strictly: a `<` that begins no tag of the usual form, or a tag that closes no other, fails.

    Attributes:
        elements: those that stand on it, each with the names of its attributes.
        scripts: what stands in its scripts, by their ids.
        text: what is read outside scripts and styles.
        counts: how often each element stands there.
    """

    def __init__(self, page: str) -> None:
        self.elements: set[tuple[str, tuple[str, ...]]] = set()
        self.scripts: dict[str | None, str] = {}
        self.counts: Counter[str] = Counter()
        self._open: list[str] = []
        read: list[str] = []
        position = len(_BEGIN) if page.startswith(_BEGIN) else 0
        while (begin := page.find("<", position)) >= 0:
            read.append(page[position:begin])
            tag = _TAG.match(page, begin)
            assert tag is not None, f"no tag: {page[begin : begin + 80]!r}"
            position = tag.end()
            if raw := self._take(tag):
                position = page.index(f"</{raw}", position)
                if raw == "script":
                    self.scripts[dict(_attributes(tag[3])).get("id")] = page[tag.end() : position]
        assert not self._open, f"left open: {self._open}"
        self.text = unescape("".join([*read, page[position:]]))

    def _take(self, tag: re.Match[str]) -> str:
        """Account for a tag; returns its name where what follows is no markup."""
        ends, name, attributes, closed = tag.groups()
        if ends:
            assert self._open, f"{tag[0]} closes nothing"
            assert self._open.pop() == name, f"{tag[0]} closes another"
            return ""
        self.counts[name] += 1
        self.elements.add(_element(name, attributes))
        assert not closed or name in _VOID or "svg" in self._open, tag[0]
        if closed or name in _VOID:
            return ""
        self._open.append(name)
        return name if name in _RAW else ""


@lru_cache(maxsize=10_000)
def _element(name: str, attributes: str) -> tuple[str, tuple[str, ...]]:
    return name, tuple(key for key, _ in _attributes(attributes))


def _attributes(text: str) -> tuple[tuple[str, str | None], ...]:
    """Names and values, none of which does anything."""
    found = []
    for name, double, single in _ATTRIBUTE.findall(text):
        value = unescape(double or single)
        assert not name.lower().startswith("on"), f"{name}={value!r}"
        assert name.lower() not in ("href", "src", "xlink:href") or value.startswith("#"), f"{name}={value!r}"
        found.append((name, value))
    return tuple(found)
