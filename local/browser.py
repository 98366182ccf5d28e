"""A headless Chromium of this machine, for screenshots and for tests that look at pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, sync_playwright

CHROMIUM_MISSING: Final = (
    "there is no Chromium here; Debian has one without windows: apt-get install "
    "chromium-headless-shell"
)
# That one takes a third of the time, and is the same Chromium otherwise.
_EXECUTABLES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

# Nothing but what is asked for goes over the network, and it runs as root in a container.
_FLAGS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def find_chromium() -> str | None:
    """Where Chromium is: what CHROMIUM names, else the first found on the path."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, _EXECUTABLES)), None)


@contextmanager
def launch_browser() -> Iterator[Browser]:
    """The browser, closed in the end. Raises FileNotFoundError where there is none."""
    path = find_chromium()
    if path is None:
        raise FileNotFoundError(CHROMIUM_MISSING)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        try:
            yield launched
        finally:
            launched.close()
