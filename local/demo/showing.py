"""What the demo prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def print_links(sent: dict[str, Any]) -> None:
    """What was tracked, and what was not and why."""
    links = sent["links"]
    tracked = [link for link in links if link["tracked"]]
    print(f"\nRewrote {len(links)} links of one e-mail for {len(sent['deliveries'])} recipients.")
    print(f"\n  Tracked: {len(tracked)}, for example")
    for link in [*tracked[:2], *(link for link in tracked if link["tag"])]:
        print(f"    {link['position']:>3}  {format_link(link)}")
    print(f"\n  Left as they were: {len(links) - len(tracked)}")
    for link in links:
        if not link["tracked"]:
            print(f"    {link['position']:>3}  {link['url']}\n         {link['reason']}")
    for warning in sent["warnings"]:
        print(f"  Warning: {warning}")


def print_report(report: dict[str, Any]) -> None:
    """The figures of the campaign, most clicked link first."""
    clicks = report["clicks"]
    print(
        f"\nReport of {report['campaign']}: {report['deliveries']} deliveries, "
        f"{report['clicked']} clicked ({report['clicked_share']:.0%}); "
        f"{clicks['total']} clicks by {clicks['unique']} people, "
        f"{clicks['human']} human, {clicks['machine']} by machines"
    )
    print("\n  total  human  unique  link")
    for line in format_link_rows(report["links"]):
        print(line)


def format_link_rows(links: list[dict[str, Any]], limit: int = 12) -> Iterator[str]:
    """A line for each of the most clicked links, and one for the rest."""
    clicked = [link for link in links if link["total"]]
    for link in clicked[:limit]:
        yield f"  {link['total']:>5}  {link['human']:>5}  {link['unique']:>6}  {format_link(link)}"
    if rest := clicked[limit:]:
        totals = (sum(link[figure] for link in rest) for figure in ("total", "human"))
        yield "  {:>5}  {:>5}          {} more links".format(*totals, len(rest))


def format_link(link: dict[str, Any]) -> str:
    """A link as a report calls it."""
    return f"{link['tag']}: {link['url']}" if link["tag"] else str(link["url"])
