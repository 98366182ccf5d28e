"""Check that the links, headings and files in a page exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.docs.pages import ROOT

_LINK: Final = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_FILE: Final = re.compile(
    r"(?<![\w/.…@-])(?:bench|docs|events|functions|layers|local|tests|tools)/[\w./-]+"
    r"\.(?:csv|html|json|lock|md|mk|py|toml|yaml)\b"
)
_MODULE: Final = re.compile(r"`([a-z_]+(?:/[a-z_]+)*\.py)`")
_FOLDERS: Final = (ROOT, ROOT / "layers/waypost", ROOT / "layers/waypost/waypost")
_HEADING: Final = re.compile(r"^#+ (.*)$", re.MULTILINE)


def find_link_errors(page: Path, text: str) -> Iterator[str]:
    """Find the links and files of a page that do not exist, one line each."""
    for link in filter(None, (one for found in _LINK.findall(text) for one in found)):
        if problem := _check_link(page, link):
            yield f"link to {link}: {problem}"
    for name in sorted(set(_FILE.findall(text))):
        if not (ROOT / name).exists():
            yield f"{name} does not exist"
    for name in sorted(set(_MODULE.findall(text))):
        if not any((folder / name).exists() for folder in _FOLDERS) and not _exists_in_tests(name):
            yield f"{name} does not exist"


def _exists_in_tests(name: str) -> bool:
    return "/" not in name and any((ROOT / "tests").rglob(name))


def _check_link(page: Path, link: str) -> str | None:
    if re.match(r"[a-z]+:", link):
        return None
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists():
        return "does not exist"
    if anchor and anchor not in _list_anchors(target.read_text(encoding="utf-8")):
        return "no such heading"
    return None


def _list_anchors(text: str) -> set[str]:
    headings = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text))
    return {heading.strip().replace(" ", "-") for heading in headings}
