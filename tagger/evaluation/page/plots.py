"""Draw plots as inline SVG with the page's colours and fonts. The only module that imports matplotlib."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from tagger.errors import UserError, install_command

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 4.1  # inches; the width of a phone, on which a point is a pixel or more
INK, FAINT, LINE = "ink", "faint", "line"
SERIES = tuple(f"series-{number}" for number in range(1, 7))
_COLOURS = (INK, FAINT, LINE, *SERIES)  # by name of the page's CSS variable
SIZE, SMALL = 9, 8  # points
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.size": SIZE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.parse_math": False,
}
_SVG = "{http://www.w3.org/2000/svg}"
_REFERENCE = re.compile(r"(?:^|url\()#([^)]+)")
_COLOUR = re.compile(r"#0a0b([0-9a-f]{2})")
_FAMILY = re.compile(r" ?font-family:[^;]*;")
_LONG_NUMBER = re.compile(r"(\d+\.\d{2})\d+")

ElementTree.register_namespace("", _SVG.strip("{}"))
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")


def colour(name: str) -> str:
    """Return a placeholder colour for matplotlib. `_page_svg` replaces it by the page's CSS variable."""
    return f"#0a0b{_COLOURS.index(name):02x}"


LEGEND: Any = {"frameon": False, "labelcolor": colour(INK), "fontsize": SMALL}


class Canvas:
    """An empty picture of the page's width, with `columns` axes side by side.

    Raises:
        UserError: matplotlib is not installed.
    """

    def __init__(self, height: float, *, columns: int = 1) -> None:
        try:
            import matplotlib
            from matplotlib.backends.backend_svg import FigureCanvasSVG
            from matplotlib.figure import Figure
        except ImportError:
            raise UserError(f"plots need matplotlib; install the extra: {install_command('report')}") from None
        with matplotlib.rc_context(_STYLE):
            self.figure = Figure(figsize=(WIDTH, height), layout="constrained")
            self._canvas = FigureCanvasSVG(self.figure)
            self.figure.patch.set_alpha(0)
            self.axes: list[Any] = list(self.figure.subplots(1, columns, squeeze=False).flat)
        for axes in self.axes:
            _dress(axes)

    def legend_below(self, handles: Mapping[str, Any]) -> None:
        """Draw one legend below all axes."""
        columns = 3 if len(handles) > 4 else max(1, len(handles))
        labels = list(handles)
        where: Any = {"loc": "outside lower center", "ncols": columns, "handlelength": 1}
        self.figure.legend(list(handles.values()), labels, **where, **LEGEND)

    def svg(self, name: str, title: str) -> str:
        """Return the picture as an element of the page. Its ids begin with `name`."""
        import matplotlib

        stream = io.StringIO()
        with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing")  # the page's fonts show it, not matplotlib's
            # not savefig, which draws everything twice
            self._canvas.print_svg(stream, metadata={"Date": None, "Creator": None})
        return _page_svg(stream.getvalue(), name, title)


@dataclass(frozen=True)
class Plot:
    """A plot with a caption on how to read it, and the table of its figures. `name` is used in ids."""

    name: str
    title: str
    canvas: Canvas
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def svg(self) -> str:
        """The picture as an element of the page."""
        return self.canvas.svg(self.name, self.title)


def _dress(axes: Axes) -> None:
    axes.patch.set_alpha(0)
    for spine in axes.spines.values():
        spine.set_color(colour(LINE))
    axes.tick_params(colors=colour(FAINT), labelcolor=colour(INK), length=0)
    axes.xaxis.label.set_color(colour(FAINT))
    axes.yaxis.label.set_color(colour(FAINT))


def grid(axes: Axes, axis: Any) -> None:
    """Draw thin grid lines along `x`, `y` or `both`."""
    axes.grid(axis=axis, color=colour(LINE), linewidth=0.6)


def _page_svg(text: str, name: str, title: str) -> str:
    """Adapt an SVG file to the page: unique ids, CSS variables for colours, the page's fonts, and no fixed size.

    Only attributes are changed, never text, which may contain anything.
    """
    root = ElementTree.fromstring(text)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
    pointed_at = {
        found for element in root.iter() for value in element.attrib.values() for found in _REFERENCE.findall(value)
    }
    for element in root.iter():
        if element.get("id") not in pointed_at:
            element.attrib.pop("id", None)
        if element.get("transform", "").startswith("rotate(-0"):
            del element.attrib["transform"]
        for key, value in element.attrib.items():
            element.set(key, f"{name}-{value}" if key == "id" else _attribute(value, name))
    box = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib.update({"viewBox": box, "role": "img", "aria-label": title})
    return ElementTree.tostring(root, encoding="unicode")


def _attribute(value: str, name: str) -> str:
    value = _REFERENCE.sub(lambda match: match[0].replace("#", f"#{name}-"), value)
    value = _COLOUR.sub(lambda match: f"var(--{_COLOURS[int(match[1], 16)]})", value)
    return _LONG_NUMBER.sub(r"\1", _FAMILY.sub("", value))
