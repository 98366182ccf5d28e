"""`make demo`: rewrites an e-mail for 25 recipients, clicks as they would, and shows the report."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import Any

from local.demo.client import DemoClient
from local.demo.mailing import CAMPAIGN, WORKSPACE, build_message, extract_tracked_links
from local.demo.scenario import simulate_clicks
from local.demo.showing import print_links, print_report
from local.errors import StackError
from local.stack import EmbeddedStack


def main() -> int:
    """Run the demo, and end without a traceback where it is interrupted or no stack can start."""
    try:
        return run_demo()
    except StackError as error:
        print(f"the demo cannot run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def run_demo() -> int:
    """Run the demo; in a terminal, go on serving until interrupted."""
    with EmbeddedStack() as stack:
        tracker = DemoClient(stack.url)
        sent = tracker.rewrite(build_message())
        print_links(sent)
        expected = simulate_clicks(stack, tracker, sent)
        report = tracker.wait_for_report(WORKSPACE, CAMPAIGN, expected)
        print_report(report)
        if report["clicks"]["total"] != expected:
            print(f"\nThe report has not caught up: {expected} clicks were made.")
            return 1
        if sys.stdout.isatty():
            serve_until_interrupted(stack, tracker, sent)
    return 0


def serve_until_interrupted(
    stack: EmbeddedStack, tracker: DemoClient, sent: dict[str, Any]
) -> None:
    """Open the report, and keep the stack up for the curious, until Ctrl-C."""
    report = tracker.create_share_link(WORKSPACE, CAMPAIGN, people=True)
    print(f"\nThe report, for whoever holds this link:\n  {report}")
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
