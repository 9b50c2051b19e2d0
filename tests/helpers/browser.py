"""Pages opened in Chromium, driven by Playwright's core."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_DEMANDED = "TAGGER_BROWSER_REQUIRED"  # set where a missing browser must fail the tests


@contextmanager
def started() -> Iterator[Browser]:
    """The browser; tests are skipped where there is none, or fail where one is demanded."""
    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    if executable is None:
        missing = f"no browser ({', '.join(_NAMES)}) is installed"
        if os.environ.get(_DEMANDED):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield chromium
        finally:
            chromium.close()


@contextmanager
def opened(
    chromium: Browser, place: Path | str, *, width: int = 1200, scheme: Literal["light", "dark"] = "light"
) -> Iterator[Page]:
    """The page of a file, or of a server by its address; fails if it complains in the console, asks anything or fetches
    anything from elsewhere."""
    address = place if isinstance(place, str) else place.as_uri()
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(60_000)  # of a machine that is busy
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    own = (address,) if isinstance(place, Path) else (address, "about:srcdoc")
    page.on("request", lambda request: None if _is_own(request.url, own, place) else complaints.append(request.url))
    page.goto(address)
    yield page
    context.close()
    assert complaints == []


def _is_own(url: str, own: tuple[str, ...], place: Path | str) -> bool:
    """Return whether a page may fetch this: nothing but itself, and of a server what is below its address."""
    return url in own or (isinstance(place, str) and url.startswith(place))
