"""The mailing of the demo: one e-mail and who gets it."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Final

WORKSPACE: Final = "treeline"
CAMPAIGN: Final = "spring-sale"
RECIPIENT_NAMES: Final = (
    *("Ada", "Ben", "Cleo", "Dara", "Emil", "Fay", "Gus", "Hana", "Ines", "Jon", "Kaya", "Leo"),
    *("Mia", "Nils", "Orla", "Paul", "Quin", "Rosa", "Sami", "Tess", "Uma", "Vito", "Wren"),
    *("Xan", "Yara"),
)

_HREF: Final = re.compile(r'href="([^"]*/e/c/[^"]*)"')


def build_message() -> dict[str, object]:
    """The request that a sending pipeline makes: the template once, and who gets it."""
    return {
        "workspace": WORKSPACE,
        "campaign": CAMPAIGN,
        "kind": "campaign",
        "channel": "email",
        "from": "news@mail.example.com",
        "content": {"html": (Path(__file__).parent / "spring_sale.html").read_text("utf-8")},
        "liquid": True,
        "recipients": [
            {
                "delivery": f"d{number:02}",
                "person": name.lower(),
                "data": {
                    "customer": {
                        "id": name.lower(),
                        "first_name": name,
                        "voucher": f"TREE-{number * 7919 % 10_000:04}",
                    }
                },
            }
            for number, name in enumerate(RECIPIENT_NAMES, 1)
        ],
    }


def extract_tracked_links(content: str) -> list[str]:
    """The tracking links of a message, in order."""
    return [html.unescape(value) for value in _HREF.findall(content)]
