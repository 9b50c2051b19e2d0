"""Make docs/pictures/report*.png: a report's page on a desk, in the dark, and on a phone.

    python scripts/picture_report.py runs/wnut/report/report.html

Needs the development environment (Playwright's core) and Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"


class Picture(NamedTuple):
    """A picture: its file, the window, how the page is shown, and which section is on top."""

    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"] = "light"
    section: str = ""


PICTURES = (
    Picture("report.png", 1200, 1600),
    Picture("report-dark.png", 1200, 980, "dark", "calibration"),
    Picture("report-sentences.png", 1200, 860, "light", "sentences"),
    Picture("report-phone.png", 390, 1600),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, help="a report.html")
    parsed = parser.parse_args(arguments)
    chromium = shutil.which("chromium")
    if chromium is None or not parsed.page.is_file():
        told = "chromium is not installed" if chromium is None else f"{parsed.page}: no such file"
        print(f"picture_report.py: {told}", file=sys.stderr)
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for one in PICTURES:
            window = {"width": one.width, "height": one.height}
            page = browser.new_page(viewport=window, color_scheme=one.scheme, reduced_motion="reduce")
            page.goto(parsed.page.resolve().as_uri())
            if one.section:
                page.locator(f"#{one.section}").scroll_into_view_if_needed()
                page.evaluate(f"document.getElementById('{one.section}').scrollIntoView()")
            page.screenshot(path=FOLDER / one.name)
            page.close()
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
