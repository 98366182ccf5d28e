"""Messages to measure with: two generated shapes, and real e-mails."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

WORDS = ("spring", "garden", "light", "linen", "cedar", "morning", "coast", "harvest", "river")
HEAD = "<!doctype html><html><head><title>Spring</title></head><body><table>"
TAIL = "</table></body></html>"
_STYLE = 'style="font:16px/1.5 Arial,sans-serif;color:#333;padding:0 0 12px"'
_CELL = 'class="cell" style="padding:12px 24px"'
_TABLE = 'role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"'

Filler = Callable[[int, int], str]
"""So many characters at most, of the numbered part of a message."""


def build_mailing(links: int, size: int, filler: Filler | None = None) -> str:
    """Build a mailing with this number of links and characters; the rest is nested tables.

    Its links are short, so that 200 of them fit into 10 KB.
    """
    fill = filler or fill_with_rows
    anchors = [f'<a href="https://example.com/p/{n:04}">Go</a>' for n in range(links)]
    room = size - len(HEAD) - len(TAIL) - sum(map(len, anchors))
    if room < 0:
        raise ValueError(f"{links} links need more than {size} characters")
    parts = []
    for number, anchor in enumerate(anchors):
        share = room // (links - number)
        filled = fill(share, number)
        room -= len(filled)
        parts.append(filled + anchor)
    return HEAD + "".join(parts) + TAIL


def build_shop_mailing(first_name: str = "Ada", *, dense: bool = True) -> str:
    """Build a mailing of 100 KB with 40 long links, in nested tables or in paragraphs."""
    fill = fill_with_rows if dense else fill_with_paragraph
    offers = [
        f"<tr><td {_CELL}><table {_TABLE}><tr><td><h2>{first_name}, offer {number}</h2></td></tr>"
        f'{fill(2_060, number)}<tr><td align="center" style="padding:0 0 24px"><a class="button" '
        f'href="https://shop.example.com/products/{number * 7919}/spring?variant={number}'
        f'&amp;ref=mail#details" style="color:#0a7">See it</a></td></tr></table></td></tr>'
        for number in range(40)
    ]
    return HEAD + "".join(offers) + TAIL


def fill_with_rows(size: int, number: int) -> str:
    """Fill with table rows of one line each."""
    filled = ""
    for row in range(size):
        line = " ".join(WORDS[(number * 5 + at * row) % len(WORDS)] for at in range(9))
        written = f"<tr><td {_STYLE}>{line}</td></tr>"
        if len(filled) + len(written) > size:
            break
        filled += written
    return filled


def fill_with_paragraph(size: int, number: int) -> str:
    """Fill with one paragraph."""
    text = " ".join(WORDS[(number * 5 + at * at) % len(WORDS)] for at in range(size // 5))
    return f"<tr><td><p>{text[: max(size - 33, 0)]}</p></td></tr>"


def load_corpus() -> list[str]:
    """Load the real e-mails in the folder of ``WAYPOST_EMAIL_CORPUS``; none if it is not set."""
    folder = os.environ.get("WAYPOST_EMAIL_CORPUS")
    files = sorted(Path(folder).rglob("*.html")) if folder else []
    texts = (file.read_text("utf-8", errors="replace") for file in files)
    return [text for text in texts if "href" in text]
