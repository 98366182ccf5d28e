"""`make demo`: rewrites an e-mail for 25 recipients, clicks as they would, and shows the report."""

from __future__ import annotations

import html
import os
import random
import re
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from local.demo.tracker import Tracker
from local.stack import EmbeddedStack

WORKSPACE: Final = "treeline"
CAMPAIGN: Final = "spring-sale"
NAMES: Final = (
    *("Ada", "Ben", "Cleo", "Dara", "Emil", "Fay", "Gus", "Hana", "Ines", "Jon", "Kaya", "Leo"),
    *("Mia", "Nils", "Orla", "Paul", "Quin", "Rosa", "Sami", "Tess", "Uma", "Vito", "Wren"),
    *("Xan", "Yara"),
)

_HREF: Final = re.compile(r'href="([^"]*/e/c/[^"]*)"')


def main() -> int:
    """Run the demo; in a terminal, go on serving until interrupted."""
    with EmbeddedStack() as stack:
        tracker = Tracker(stack.url)
        sent = tracker.rewrite(message())
        show_rewriting(sent)
        expected = click_as_recipients_would(stack, tracker, sent)
        report = tracker.report_after(WORKSPACE, CAMPAIGN, expected)
        show_report(report)
        if report["clicks"]["total"] != expected:
            print(f"\nThe report has not caught up: {expected} clicks were made.")
            return 1
        if sys.stdout.isatty():
            serve_on(stack, tracker, sent)
    return 0


def message() -> dict[str, object]:
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
            for number, name in enumerate(NAMES, 1)
        ],
    }


def show_rewriting(sent: dict[str, Any]) -> None:
    """What was tracked, and what was not and why."""
    links = sent["links"]
    tracked = [link for link in links if link["tracked"]]
    print(f"\nRewrote {len(links)} links of one e-mail for {len(sent['deliveries'])} recipients.")
    print(f"\n  Tracked: {len(tracked)}, for example")
    for link in [*tracked[:2], *(link for link in tracked if link["tag"])]:
        print(f"    {link['position']:>3}  {named(link)}")
    print(f"\n  Left as they were: {len(links) - len(tracked)}")
    for link in links:
        if not link["tracked"]:
            print(f"    {link['position']:>3}  {link['url']}\n         {link['reason']}")
    for warning in sent["warnings"]:
        print(f"  Warning: {warning}")


def click_as_recipients_would(stack: EmbeddedStack, tracker: Tracker, sent: dict[str, Any]) -> int:
    """Click some links of some messages, some twice, over a day; returns the clicks to count."""
    chance = random.Random(2026)  # noqa: S311 - a demo that shows the same figures every time
    print("\nWhere clicks end:")
    clicks = show_voucher(tracker, sent)
    for number, delivery in enumerate(sent["deliveries"]):
        links = tracked_links(delivery["content"]["html"])
        for _ in range(chance.choice((0, 0, 1, 1, 2, 4))):
            link = chance.choice(links)
            stack.clock.advance(chance.uniform(60, 3600))
            for _ in range(chance.choice((1, 1, 1, 2))):
                answer = tracker.click(link)
                clicks += 1
                if clicks <= 3:
                    print(f"    {answer.status}  {NAMES[number]:<5} → {answer.location}")
    stack.clock.advance(3600)
    clicks += scan(tracker, sent["deliveries"][-1])
    link = tracked_links(sent["deliveries"][0]["content"]["html"])[0]
    head, forged = tracker.click(link, "HEAD"), tracker.click(link[:-4] + "AAAA")
    print(f"    {head.status}  a HEAD, as link checkers ask: redirected, not counted")
    print(f"    {forged.status}  a forged link: a plain page, no redirect, not counted")
    return clicks


def show_voucher(tracker: Tracker, sent: dict[str, Any]) -> int:
    """Click the link that leads each recipient elsewhere, as the first one; returns the clicks."""
    position = next(link["position"] for link in sent["links"] if link["tag"] == "voucher")
    before = sum(link["tracked"] for link in sent["links"][: position - 1])
    answer = tracker.click(tracked_links(sent["deliveries"][0]["content"]["html"])[before])
    print(f"    {answer.status}  {NAMES[0]:<5} → {answer.location}")
    return 1


def scan(tracker: Tracker, delivery: dict[str, Any]) -> int:
    """Open every link of one message at once, as a mail scanner does; returns the clicks."""
    links = tracked_links(delivery["content"]["html"])
    for link in links:
        tracker.click(link)
    print(f"    302  a mail scanner opens all {len(links)} links of one message: counted apart")
    return len(links)


def tracked_links(content: str) -> list[str]:
    """The tracking links of a message, in order."""
    return [html.unescape(value) for value in _HREF.findall(content)]


def show_report(report: dict[str, Any]) -> None:
    """The figures of the campaign, most clicked link first."""
    clicks = report["clicks"]
    print(
        f"\nReport of {report['campaign']}: {report['deliveries']} deliveries, "
        f"{report['clicked']} clicked ({report['clicked_share']:.0%}); "
        f"{clicks['total']} clicks by {clicks['unique']} people, "
        f"{clicks['human']} human, {clicks['machine']} by machines"
    )
    print("\n  total  human  unique  link")
    for line in lines_of(report["links"]):
        print(line)


def lines_of(links: list[dict[str, Any]], most: int = 12) -> Iterator[str]:
    """A line for each of the most clicked links, and one for the rest."""
    clicked = [link for link in links if link["total"]]
    for link in clicked[:most]:
        yield f"  {link['total']:>5}  {link['human']:>5}  {link['unique']:>6}  {named(link)}"
    if rest := clicked[most:]:
        totals = (sum(link[figure] for link in rest) for figure in ("total", "human"))
        yield "  {:>5}  {:>5}          {} more links".format(*totals, len(rest))


def named(link: dict[str, Any]) -> str:
    """A link as a report calls it."""
    return f"{link['tag']}: {link['url']}" if link["tag"] else str(link["url"])


def serve_on(stack: EmbeddedStack, tracker: Tracker, sent: dict[str, Any]) -> None:
    """Open the report, and keep the stack up for the curious, until Ctrl-C."""
    report = tracker.share(WORKSPACE, CAMPAIGN, people=True)
    print(f"\nThe report, for whoever holds this link:\n  {report}")
    if sys.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        webbrowser.open(report)
    print("\nStill serving; Ctrl-C ends it. Open, or curl -i:")
    print(f"  {tracked_links(sent['deliveries'][0]['content']['html'])[0]}")
    print(f"  {stack.url}/v1/workspaces/{WORKSPACE}/campaigns/{CAMPAIGN}")
    stack.wait_for_interrupt()


if __name__ == "__main__":
    sys.exit(main())
