"""What a page of HTML must be: well-formed, and of nothing but the elements that this program writes itself."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = frozenset({"meta", "br", "hr", "input", "link", "img"})
_HTML_KNOWS_NO_ENDS = "svg"  # elements in pictures may close themselves


class Page(HTMLParser):
    """A page taken apart.

    Attributes:
        elements: those that stand on it, each with the names of its attributes.
        scripts: what stands in its scripts, by their ids.
        text: what is read outside scripts and styles.
        counts: how often each element stands there.
    """

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[tuple[str, tuple[str, ...]]] = set()
        self.scripts: dict[str | None, str] = {}
        self.counts: dict[str, int] = {}
        self._open: list[tuple[str, str | None]] = []
        self._text: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, f"left open: {self._open}"
        self.text = "".join(self._text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag not in _VOID:
            self._open.append((tag, dict(attrs).get("id")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _VOID or any(one == _HTML_KNOWS_NO_ENDS for one, _ in self._open), tag
        self._note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1][0] == tag, f"</{tag}> closes {self._open[-1]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ("", None)
        if inside[0] == "script":
            self.scripts[inside[1]] = self.scripts.get(inside[1], "") + data
        elif inside[0] != "style":
            self._text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data!r}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data!r}")

    def updatepos(self, i: int, j: int) -> int:
        """Lines are not counted, which takes longer than all else."""
        return j

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.elements.add((tag, tuple(name for name, _ in attrs)))
        for name, value in attrs:
            assert not name.startswith("on"), f"{tag} {name}={value!r}"
            assert name not in ("href", "src", "xlink:href") or (value or "").startswith("#"), f"{name}={value!r}"
