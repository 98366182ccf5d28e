"""The demo's message and its clicks: by some recipients, some twice, and by a mail scanner."""

from __future__ import annotations

import html
import random
import re
from pathlib import Path
from typing import Any, Final

from local.demo.client import DemoClient
from local.stack import EmbeddedStack

WORKSPACE: Final = "treeline"
CAMPAIGN: Final = "spring-sale"
RECIPIENT_NAMES: Final = (
    *("Ada", "Ben", "Cleo", "Dara", "Emil", "Fay", "Gus", "Hana", "Ines", "Jon", "Kaya", "Leo"),
    *("Mia", "Nils", "Orla", "Paul", "Quin", "Rosa", "Sami", "Tess", "Uma", "Vito", "Wren"),
    *("Xan", "Yara"),
)

_HREF: Final = re.compile(r'href="([^"]*/e/c/[^"]*)"')


def build_message() -> dict[str, object]:
    """Build the rewrite request of a sending pipeline: one template, 25 recipients."""
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
    """Extract the tracking links of a message, in order."""
    return [html.unescape(value) for value in _HREF.findall(content)]


def simulate_clicks(stack: EmbeddedStack, tracker: DemoClient, sent: dict[str, Any]) -> int:
    """Click some links of some messages, some twice, over a day; return the number of clicks."""
    chance = random.Random(2026)  # noqa: S311 - the same figures in every run
    print("\nRedirects of clicks:")
    clicks = click_voucher(tracker, sent)
    for number, delivery in enumerate(sent["deliveries"]):
        links = extract_tracked_links(delivery["content"]["html"])
        for _ in range(chance.choice((0, 0, 1, 1, 2, 4))):
            link = chance.choice(links)
            stack.clock.advance(chance.uniform(60, 3600))
            for _ in range(chance.choice((1, 1, 1, 2))):
                response = tracker.click(link)
                clicks += 1
                if clicks <= 3:
                    print(
                        f"    {response.status}  {RECIPIENT_NAMES[number]:<5} → {response.location}"
                    )
    stack.clock.advance(3600)
    clicks += simulate_scanner(tracker, sent["deliveries"][-1])
    link = extract_tracked_links(sent["deliveries"][0]["content"]["html"])[0]
    head, forged = tracker.click(link, "HEAD"), tracker.click(link[:-4] + "AAAA")
    print(f"    {head.status}  a HEAD request of a link checker: redirected, not counted")
    print(f"    {forged.status}  a forged link: an error page, not counted")
    return clicks


def click_voucher(tracker: DemoClient, sent: dict[str, Any]) -> int:
    """Click the first recipient's personal link; return the number of clicks."""
    position = next(link["position"] for link in sent["links"] if link["tag"] == "voucher")
    index = sum(link["tracked"] for link in sent["links"][: position - 1])
    response = tracker.click(extract_tracked_links(sent["deliveries"][0]["content"]["html"])[index])
    print(f"    {response.status}  {RECIPIENT_NAMES[0]:<5} → {response.location}")
    return 1


def simulate_scanner(tracker: DemoClient, delivery: dict[str, Any]) -> int:
    """Click every link of one message at once, as a mail scanner does; return their number."""
    links = extract_tracked_links(delivery["content"]["html"])
    for link in links:
        tracker.click(link)
    print(f"    302  a mail scanner opens all {len(links)} links of one message: counted as a bot")
    return len(links)
