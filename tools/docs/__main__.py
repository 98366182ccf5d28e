"""Names every command, link and file of a page that does not exist; fails if there is one.

python -m tools.docs
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tools.docs.commands import find_command_errors
from tools.docs.links import find_link_errors
from tools.docs.pages import ROOT, list_pages


def find_page_errors(page: Path) -> Iterator[str]:
    """What is wrong with a page, a line each."""
    text = page.read_text(encoding="utf-8")
    yield from find_command_errors(text)
    yield from find_link_errors(page, text)


def main() -> None:
    found = [
        f"{page.relative_to(ROOT)}: {wrong}"
        for page in list_pages()
        for wrong in find_page_errors(page)
    ]
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
