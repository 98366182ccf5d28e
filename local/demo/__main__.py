"""`make demo`: rewrite an e-mail for 25 recipients, simulate their clicks, print the report."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Iterator
from typing import Any

from local.demo.client import DemoClient
from local.demo.scenario import (
    CAMPAIGN,
    WORKSPACE,
    build_message,
    extract_tracked_links,
    simulate_clicks,
)
from local.errors import StackError
from local.stack import EmbeddedStack


def print_links(sent: dict[str, Any]) -> None:
    """Print the tracked links, and the others with the reason."""
    links = sent["links"]
    tracked = [link for link in links if link["tracked"]]
    print(f"\nRewrote {len(links)} links of one e-mail for {len(sent['deliveries'])} recipients.")
    print(f"\n  Tracked: {len(tracked)}, for example")
    for link in [*tracked[:2], *(link for link in tracked if link["tag"])]:
        print(f"    {link['position']:>3}  {format_link(link)}")
    print(f"\n  Not tracked: {len(links) - len(tracked)}")
    for link in links:
        if not link["tracked"]:
            print(f"    {link['position']:>3}  {link['url']}\n         {link['reason']}")
    for warning in sent["warnings"]:
        print(f"  Warning: {warning}")


def print_report(report: dict[str, Any]) -> None:
    """Print the campaign's report, most clicked link first."""
    clicks = report["clicks"]
    print(
        f"\nReport of {report['campaign']}: {report['deliveries']} deliveries, "
        f"{report['clicked']} clicked ({report['clicked_share']:.0%}); "
        f"{clicks['total']} clicks by {clicks['unique']} people, "
        f"{clicks['human']} human, {clicks['machine']} by bots"
    )
    print("\n  total  human  unique  link")
    for line in format_link_rows(report["links"]):
        print(line)


def format_link_rows(links: list[dict[str, Any]], limit: int = 12) -> Iterator[str]:
    """Format a line for each of the most clicked links, and one for the rest."""
    clicked = [link for link in links if link["total"]]
    for link in clicked[:limit]:
        yield f"  {link['total']:>5}  {link['human']:>5}  {link['unique']:>6}  {format_link(link)}"
    if rest := clicked[limit:]:
        totals = (sum(link[figure] for link in rest) for figure in ("total", "human"))
        yield "  {:>5}  {:>5}          {} more links".format(*totals, len(rest))


def format_link(link: dict[str, Any]) -> str:
    """Format a link with its tag."""
    return f"{link['tag']}: {link['url']}" if link["tag"] else str(link["url"])


def main() -> int:
    """Run the demo; return its exit status, without a traceback on Ctrl-C or StackError."""
    try:
        return run_demo()
    except StackError as error:
        print(f"the demo cannot run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def run_demo() -> int:
    """Run the demo; in a terminal, serve until interrupted."""
    with EmbeddedStack() as stack:
        tracker = DemoClient(stack.url)
        sent = tracker.rewrite(build_message())
        print_links(sent)
        expected = simulate_clicks(stack, tracker, sent)
        report = tracker.wait_for_report(WORKSPACE, CAMPAIGN, expected)
        print_report(report)
        if report["clicks"]["total"] != expected:
            print(f"\nReport incomplete: {expected} clicks were made; run the demo again")
            return 1
        if sys.stdout.isatty():
            serve_until_interrupted(stack, tracker, sent)
    return 0


def serve_until_interrupted(
    stack: EmbeddedStack, tracker: DemoClient, sent: dict[str, Any]
) -> None:
    """Open the report in a browser, and serve until Ctrl-C."""
    report = tracker.create_share_link(WORKSPACE, CAMPAIGN, people=True)
    print(f"\nThe report, readable by anyone with this link:\n  {report}")
    if sys.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        webbrowser.open(report)
    print("\nA recipient's link (click it, and reload the report a few seconds later):")
    print(f"  {extract_tracked_links(sent['deliveries'][0]['content']['html'])[0]}")
    print("\nThe same report as JSON:")
    print(f"  {stack.url}/v1/workspaces/{WORKSPACE}/campaigns/{CAMPAIGN}")
    print("\nServing until Ctrl-C. Next: `Track a message of your own` in README.md.")
    stack.wait_for_interrupt()


if __name__ == "__main__":
    sys.exit(main())
