"""Send a campaign's messages to a stack over HTTP, click their links and load the report."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from local.stack import EmbeddedStack

if TYPE_CHECKING:
    from tests.e2e.conftest import Http

BROWSER = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Safari/605.1.15"
)
URLS = (
    "https://example.com/a%2Fb?q=x+y%20z&r=1#part",
    "https://example.com/?copy=2&amp=1",
    "http://example.org/p?arr[]=1&arr[]=2#/route?x=1",
)
MESSAGE = "<p>{}</p>".format(
    "".join(f'<a href="{html.escape(url)}">link {n}</a>\r\n' for n, url in enumerate(URLS))
)


class Sender:
    """One campaign of the workspace ``e2e``, whose settings leave URLs as they are."""

    def __init__(self, stack: EmbeddedStack, http: Http, campaign: str) -> None:
        self.stack, self.http, self.campaign = stack, http, campaign
        plain = {"cio_id": False, "url_params": {}, "track_opens": False}
        assert self.call_api("PUT", "settings", plain).status in (200, 204)

    def call_api(self, method: str, path: str, body: object = None) -> Any:
        return self.http(method, f"{self.stack.url}/v1/workspaces/e2e/{path}", body=body)

    def send(self, *people: str, content: str = MESSAGE) -> list[list[str]]:
        """Rewrite one message per person and return the tracking links of each."""
        answer = self.http(
            "POST",
            f"{self.stack.url}/v1/rewrite",
            body={
                "workspace": "e2e",
                "campaign": self.campaign,
                "kind": "campaign",
                "channel": "email",
                "from": "news@mail.example.com",
                "content": {"html": content},
                "recipients": [
                    {"delivery": f"{self.campaign}-{person}", "person": person, "data": {}}
                    for person in people
                ],
            },
        )
        assert answer.status == 200, answer
        return [
            [html.unescape(link) for link in re.findall(r'href="([^"]+)"', each["content"]["html"])]
            for each in answer.json()["deliveries"]
        ]

    def send_text_message(self) -> str:
        """Rewrite a text message and return the path of its short link."""
        self.call_api("PUT", "settings", {"shorten": {"sms": True}})
        body = {
            "workspace": "e2e",
            "campaign": f"{self.campaign}-sms",
            "kind": "campaign",
            "channel": "sms",
            "from": "news@mail.example.com",
            "content": {"text": "Now: https://example.com/short"},
            "recipients": [{"delivery": "d", "person": "p", "data": {}}],
        }
        answer = self.http("POST", f"{self.stack.url}/v1/rewrite", body=body)
        assert answer.status == 200, answer
        (path,) = re.findall(r"/s/\w+", answer.body.decode())
        return str(path)

    def click(self, link: str, method: str = "GET", **headers: str) -> Any:
        """Request a link as a browser. Underscores in names of headers become hyphens."""
        all_headers = {"user-agent": BROWSER}
        all_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http(method, self.stack.url + urlsplit(link).path, all_headers)

    def load_report(self) -> Any:
        """Wait until all clicks are counted, then load the campaign's report."""
        assert self.stack.wait_until_counted()
        answer = self.call_api("GET", f"campaigns/{self.campaign}")
        assert answer.status == 200, answer
        return answer.json()

    def count_clicks(self) -> int:
        return int(self.load_report()["clicks"]["total"])


def create_sender(stack: EmbeddedStack, http: Http, request: pytest.FixtureRequest) -> Sender:
    """Create the sender of a campaign that is named after the running test."""
    return Sender(stack, http, request.node.name.replace("_", "-")[:60])
