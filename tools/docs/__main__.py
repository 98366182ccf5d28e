"""Print each invalid command, link and file name of the docs, and each gap of the threat model.

Fails if there is one.

python -m tools.docs
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tools.docs.commands import find_command_errors
from tools.docs.links import find_link_errors
from tools.docs.pages import ROOT, list_pages
from tools.docs.threats import find_model_errors


def find_page_errors(page: Path) -> Iterator[str]:
    """Find the errors of a page, one line each."""
    text = page.read_text(encoding="utf-8")
    yield from find_command_errors(text)
    yield from find_link_errors(page, text)


def main() -> None:
    errors = [
        f"{page.relative_to(ROOT)}: {error}"
        for page in list_pages()
        for error in find_page_errors(page)
    ]
    errors += find_model_errors()
    if errors:
        sys.exit("\n".join(errors))


if __name__ == "__main__":
    main()
