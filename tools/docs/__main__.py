"""Names every command, link and file of a page that does not exist; fails if there is one.

python -m tools.docs
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tools.docs.commands import wrong_commands
from tools.docs.links import wrong_links
from tools.docs.pages import ROOT, pages


def problems(page: Path) -> Iterator[str]:
    """What is wrong with a page, a line each."""
    text = page.read_text(encoding="utf-8")
    yield from wrong_commands(text)
    yield from wrong_links(page, text)


def main() -> None:
    found = [f"{page.relative_to(ROOT)}: {wrong}" for page in pages() for wrong in problems(page)]
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
