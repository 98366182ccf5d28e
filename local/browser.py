"""Headless Chromium of this machine, for screenshots and tests of the report pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, sync_playwright

CHROMIUM_MISSING: Final = (
    "Chromium: not found; install it (Debian: apt-get install chromium-headless-shell) "
    "or set CHROMIUM to its path"
)
# chromium-headless-shell takes a third of the time of the same Chromium with windows.
_EXECUTABLES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

# No network access except for the opened pages; --no-sandbox for root in a container.
_FLAGS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def find_chromium() -> str | None:
    """Return the path in CHROMIUM, otherwise the first executable on PATH."""
    path = os.environ.get("CHROMIUM")
    return path or next(filter(None, map(shutil.which, _EXECUTABLES)), None)


@contextmanager
def launch_browser() -> Iterator[Browser]:
    """Launch the browser, and close it at the end. Raises FileNotFoundError without Chromium."""
    path = find_chromium()
    if path is None:
        raise FileNotFoundError(CHROMIUM_MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()
