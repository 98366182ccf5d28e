"""`make screenshots`: take a screenshot of each report page of the demo, for the docs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from playwright.sync_api import Browser, FloatRect, Page

from local.browser import launch_browser
from local.demo.client import DemoClient
from local.demo.scenario import (
    CAMPAIGN,
    WORKSPACE,
    build_message,
    extract_tracked_links,
    simulate_clicks,
)
from local.stack import EmbeddedStack

FOLDER: Final = Path(__file__).parents[2] / "docs/images"
DESKTOP_SIZE: Final = (1000, 1150)
PHONE_SIZE: Final = (390, 844)

EARLIER_CAMPAIGNS: Final = {
    "winter-newsletter": "newsletter",
    "Back in stock: trail shoes": "broadcast",
    "order-confirmation": "transactional",
}
"""Kinds of earlier campaigns by name, so that the list is not empty."""

_CAMPAIGN: Final = {"workspace": WORKSPACE, "campaign": CAMPAIGN}


def main() -> int:
    """Run the demo's scenario and take a screenshot of each page."""
    FOLDER.mkdir(exist_ok=True)
    with EmbeddedStack() as stack, launch_browser() as chromium:
        tracker = DemoClient(stack.url)
        for campaign, kind in EARLIER_CAMPAIGNS.items():
            send_earlier_campaign(tracker, campaign, kind)
        sent = tracker.rewrite(build_message())
        clicks = simulate_clicks(stack, tracker, sent)
        report = tracker.wait_for_report(WORKSPACE, CAMPAIGN, clicks)
        configure_workspace(tracker)
        link = {**_CAMPAIGN, "link": report["links"][0]["link"]}
        person = {"workspace": WORKSPACE, "person": find_most_active_person(tracker, link["link"])}
        share = tracker.create_share_link(WORKSPACE, people=True)
        pages = {
            "campaign": _CAMPAIGN,
            "map": _CAMPAIGN,
            "link": link,
            "person": person,
            "domains": person,
            "settings": person,
            "workspace": person,
        }
        page = open_page(chromium, share, DESKTOP_SIZE, "light")
        for name, query in pages.items():
            save_screenshot(page, f"{stack.url}/reports/{name}?{urlencode(query)}", name)
        phone = open_page(chromium, share, PHONE_SIZE, "dark")
        save_screenshot(
            phone, f"{stack.url}/reports/campaign?{urlencode(_CAMPAIGN)}", "campaign-phone-dark"
        )
    return 0


def send_earlier_campaign(tracker: DemoClient, campaign: str, kind: str) -> None:
    """Send a campaign to all recipients; some click."""
    sent = tracker.rewrite(build_message() | {"campaign": campaign, "kind": kind})
    for delivery in sent["deliveries"][:: len(campaign) % 4 + 2]:
        tracker.click(extract_tracked_links(delivery["content"]["html"])[0])


def configure_workspace(tracker: DemoClient) -> None:
    """Create settings and a tracking domain, so that their pages are not empty."""
    parameters = {"utm_source": "waypost", "utm_campaign": "{{ campaign.name }}"}
    tracker.request("PUT", f"/v1/workspaces/{WORKSPACE}/settings", {"url_params": parameters})
    domain = {"host": "links.treeline.example", "sending_domain": "treeline.example"}
    tracker.request("POST", f"/v1/workspaces/{WORKSPACE}/domains", domain)


def find_most_active_person(tracker: DemoClient, link: str) -> str:
    """Find the person with the most clicks on a link."""
    people = tracker.request("GET", f"/v1/workspaces/{WORKSPACE}/links/{link}/people")["people"]
    return str(max(people, key=lambda one: one["clicks"])["person"])


def open_page(chromium: Browser, share: str, size: tuple[int, int], color_scheme: str) -> Page:
    """Open a share link in a page of a size in pixels, light or dark."""
    page = chromium.new_page(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if color_scheme == "dark" else "light",
    )
    page.goto(share)
    return page


def save_screenshot(page: Page, address: str, name: str) -> None:
    """Take a screenshot of a page, as far as it is visible without scrolling."""
    response = page.goto(address, wait_until="networkidle")
    if response is None or not response.ok:
        raise RuntimeError(f"{address}: {response and response.status}")
    width, height = page.evaluate("[innerWidth, Math.min(innerHeight, document.body.offsetHeight)]")
    clip: FloatRect = {"x": 0, "y": 0, "width": width, "height": height}
    page.screenshot(path=FOLDER / f"{name}.png", clip=clip)
    print(f"docs/images/{name}.png")


if __name__ == "__main__":
    sys.exit(main())
