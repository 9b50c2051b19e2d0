"""Make the pictures of the documentation: docs/tagged.png and docs/pictures/*.png.

    python scripts/pictures.py --model runs/latest/model --report runs/wnut/report/report.html

From the model it makes pictures of two lines in tag.py's HTML, and of the page of `tagger explain`. From the report it
makes pictures on a desktop, in dark mode, and on a phone. Either option may be left out. The script needs the
development environment (Playwright's core) and Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, sync_playwright

from tagger.printable import in_a_line
from tagger.python_process import run_python

ROOT = Path(__file__).resolve().parent.parent
SENTENCE = "Ada Lovelace met Charles Babbage in London, and Nadia Okafor of the University of Lagos spoke in Geneva."
LINES = (
    SENTENCE,
    "is jordan still flying to jordan on friday? the Swiss couple from flat 3 asked, they want his Toyota",
)


class Picture(NamedTuple):
    """A picture: its file in docs/, the window, how the page is shown, and which section is on top."""

    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"] = "light"
    section: str = ""


OF_REPORT = (
    Picture("pictures/report.png", 1200, 1600),
    Picture("pictures/report-dark.png", 1200, 980, "dark", "calibration"),
    Picture("pictures/report-sentences.png", 1200, 860, "light", "sentences"),
    Picture("pictures/report-phone.png", 390, 1600),
)
TAGGED = Picture("tagged.png", 860, 300)
GATES = Picture("pictures/gates.png", 920, 1400)


def pages_of_model(model: Path, folder: Path) -> tuple[Path, Path]:
    """Make pages of `tagger tag` and `tagger explain` in a folder, with paths as seen from there."""
    (folder / "model").symlink_to(model.resolve())
    (folder / "notes.txt").write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    tagged, gates = folder / "tagged.html", folder / "gates.html"
    commands = (
        [str(ROOT / "tag.py"), "--model", "model", "--format", "html", "--quiet", "notes.txt"],
        ["-m", "tagger", "explain", "--model", "model", "--output", gates.name, SENTENCE],
    )
    for command, page in zip(commands, (tagged, folder / "table.txt"), strict=True):
        with page.open("w", encoding="utf-8") as stream:
            run_python(command, cwd=folder, stdout=stream, check=True)
    return tagged, gates


def take(browser: Browser, page: Path, picture: Picture) -> None:
    """Make a picture of a page."""
    window = browser.new_page(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme=picture.scheme,
        reduced_motion="reduce",
    )
    window.goto(page.resolve().as_uri())
    if picture.section:
        window.locator(f"#{picture.section}").scroll_into_view_if_needed()
        window.evaluate(f"document.getElementById('{picture.section}').scrollIntoView()")
    window.screenshot(path=ROOT / "docs" / picture.name)
    window.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, metavar="DIR", help="a model folder")
    parser.add_argument("--report", type=Path, metavar="FILE", help="a report.html")
    asked = parser.parse_args(arguments)
    chromium = shutil.which("chromium")
    missing = [str(path) for path in (asked.model, asked.report) if path and not path.exists()]
    if chromium is None or missing:
        told = "chromium is not installed; install it" if chromium is None else f"{missing[0]}: no such file or folder"
        print(in_a_line(f"pictures.py: {told}"), file=sys.stderr)
        return 2
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as temporary:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        if asked.model:
            for page, picture in zip(pages_of_model(asked.model, Path(temporary)), (TAGGED, GATES), strict=True):
                take(browser, page, picture)
        if asked.report:
            for picture in OF_REPORT:
                take(browser, asked.report, picture)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
