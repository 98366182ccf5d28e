"""Test short links, long destinations and pixels over HTTP, up to the report."""

from __future__ import annotations

import hashlib
import html
import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Http
from waypost.redirect.service import PIXEL_GIF

WORKSPACE = "e2e-short"
BROWSER = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)
APPLE = "Mozilla/5.0"


class Sender:
    def __init__(self, stack: EmbeddedStack, http: Http, campaign: str) -> None:
        self.stack, self.http, self.campaign = stack, http, campaign
        settings = {"cio_id": False, "shorten": {"sms": True}, "track_opens": True}
        path = f"{stack.url}/v1/workspaces/{WORKSPACE}/settings"
        assert http("PUT", path, body=settings).status == 200

    def send(self, content: dict[str, str], people: int = 1, **more: Any) -> dict[str, Any]:
        recipients = [
            {"delivery": f"{self.campaign}-{n}", "person": f"p{n}"} for n in range(people)
        ]
        body = {"workspace": WORKSPACE, "campaign": self.campaign, "content": content}
        answer = self.http(
            "POST", f"{self.stack.url}/v1/rewrite", body=body | {"recipients": recipients} | more
        )
        assert answer.status == 200, answer
        result: dict[str, Any] = answer.json()
        return result

    def ask(self, link: str, method: str = "GET", agent: str = BROWSER) -> Any:
        return self.http(method, self.stack.url + urlsplit(link).path, {"user-agent": agent})

    def report(self) -> Any:
        assert self.stack.wait_until_counted()
        path = f"{self.stack.url}/v1/workspaces/{WORKSPACE}/campaigns/{self.campaign}"
        return self.http("GET", path).json()


@pytest.fixture
def sender(stack: EmbeddedStack, http: Http, request: pytest.FixtureRequest) -> Sender:
    return Sender(stack, http, request.node.name.replace("_", "-")[:60])


def test_links_of_a_text_message_are_short_and_redirect_to_their_urls(sender: Sender) -> None:
    href = "https://shop.example.com/a%2Fb?q=x+y&n=1#top"
    answer = sender.send({"text": f"Sale: {href} Reply STOP"}, people=3, channel="sms")
    texts = [delivery["content"]["text"] for delivery in answer["deliveries"]]
    links = [re.findall(r"https?://\S+/s/\w+", text)[0] for text in texts]
    assert len(set(links)) == 3
    assert answer["segments"] == {"encoding": "gsm-7", "before": 1, "after": 1}
    assert sender.ask(links[0], "HEAD").status == 302
    for link in (links[0], links[1] + "/"):  # some clients append a slash
        reached = sender.ask(link)
        assert (reached.status, reached.headers["location"]) == (302, href)
        assert "no-store" in reached.headers["cache-control"]
    report = sender.report()
    assert (report["clicks"]["total"], report["clicked"]) == (2, 2)


def test_unknown_short_code_gets_the_plain_page(sender: Sender) -> None:
    for code in ("2" * 19, "short", "%E2%82%AC", "../../e/c/x/y"):
        answer = sender.http("GET", f"{sender.stack.url}/s/{code}", {"user-agent": BROWSER})
        assert answer.status == 404
        assert "location" not in answer.headers
        assert "no-store" in answer.headers["cache-control"]


def test_destination_too_long_for_a_token_is_redirected_unchanged(sender: Sender) -> None:
    noise = "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(60))
    href = f"https://shop.example.com/?q={noise}"
    answer = sender.send({"html": f'<a href="{href}">x</a>'}, track_opens=False)
    [link] = re.findall(r'href="([^"]+)"', answer["deliveries"][0]["content"]["html"])
    assert len(link) < 2048
    assert sender.ask(html.unescape(link)).headers["location"] == href


def test_pixel_is_a_gif_and_counts_as_an_open(sender: Sender) -> None:
    page = '<html><body><a href="https://shop.example.com/">x</a></body></html>'
    answer = sender.send({"html": page}, people=3)
    texts = [delivery["content"]["html"] for delivery in answer["deliveries"]]
    pixels = [re.findall(r'<img src="([^"]+)"', text)[0] for text in texts]
    assert all(text.index("<img") < text.index("</body>") for text in texts)
    for pixel, agent in ((pixels[0], BROWSER), (pixels[1], APPLE)):
        shown = sender.ask(pixel, agent=agent)
        assert (shown.status, shown.headers["content-type"], shown.body) == (
            200,
            "image/gif",
            PIXEL_GIF,
        )
        assert "no-store" in shown.headers["cache-control"]
    assert sender.ask(pixels[0], "HEAD").status == 200
    assert sender.ask(pixels[0][:-3] + "AAA").body == PIXEL_GIF
    [clicked] = re.findall(r'href="([^"]+)"', texts[2])
    assert sender.ask(clicked).status == 302
    report = sender.report()
    assert report["opens"] == {"total": 2, "human": 1, "machine": 1}
    assert (report["opened"], report["opened_human"]) == (3, 2)  # a click counts as an open
    assert (report["clicks"]["total"], report["clicked"]) == (1, 1)


def test_message_without_links_and_pixel_is_unchanged(sender: Sender) -> None:
    page = "<html><body><p>no links</p></body></html>"
    answer = sender.send({"html": page}, track_opens=False)
    assert answer["deliveries"][0]["content"]["html"] == page
