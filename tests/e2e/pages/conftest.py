"""A browser for the embedded stack, and a campaign to send and click."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from local.browser import CHROMIUM_MISSING, find_chromium, launch_browser
from local.stack import EmbeddedStack
from tests.e2e.conftest import Http
from waypost.path_names import encode_path_name
from waypost.reports.share_links import ShareScope, ShareSigner
from waypost.tokens.keyring import KeyringSource

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for one module, because its event loop blocks other loops in this thread."""
    if find_chromium() is None:
        pytest.skip(CHROMIUM_MISSING)
    with launch_browser() as launched:
        yield launched


@pytest.fixture
def context(browser: Browser, stack: EmbeddedStack) -> Iterator[BrowserContext]:
    """A new browser profile that can reach only the stack."""
    context = browser.new_context()

    def block_other_hosts(route: Any) -> None:
        if route.request.url.startswith(stack.url):
            route.continue_()
        else:
            route.fulfill(body="blocked", content_type="text/plain")

    context.route("**/*", block_other_hosts)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@dataclass(frozen=True, slots=True)
class PagesCampaign:
    """A campaign of a workspace, used over HTTP."""

    stack: EmbeddedStack
    http: Http
    workspace: str
    campaign: str

    def send_message(self, message: str, *people: str, **changes: Any) -> list[list[str]]:
        """Send a message; return the tracking links of each person's copy."""
        body = {
            "workspace": self.workspace,
            "campaign": self.campaign,
            "kind": "newsletter",
            "channel": "email",
            "from": "news@mail.example.com",
            "content": {"html": message},
            "recipients": [
                {"delivery": f"d-{person}", "person": person, "data": {}} for person in people
            ],
        }
        answer = self.http("POST", f"{self.stack.url}/v1/rewrite", body=body | changes)
        assert answer.status == 200, answer
        return [
            [html.unescape(link) for link in re.findall(r'href="([^"]+/e/c/[^"]+)"', sent)]
            for sent in (each["content"]["html"] for each in answer.json()["deliveries"])
        ]

    def click(self, link: str, agent: str = PHONE) -> None:
        assert self.http("GET", link, {"user-agent": agent}).status == 302

    def wait_until_counted(self) -> None:
        assert self.stack.wait_until_counted()

    def fetch(self, path: str) -> Any:
        """Return the JSON of an API route of the workspace."""
        answer = self.http("GET", self.api_url(path))
        assert answer.status == 200, answer
        return answer.json()

    def create_share(self, **share: Any) -> str:
        """Create a share link and return its URL."""
        answer = self.http("POST", self.api_url("shares"), body=share)
        assert answer.status == 201, answer
        return str(answer.json()["url"])

    def make_token(self, scope: ShareScope, *, age: timedelta = timedelta()) -> str:
        """Return a share token that is valid for one hour and was created ``age`` ago."""
        secrets = self.stack.cloud.client("secretsmanager")
        keyring = KeyringSource(secrets, self.stack.ref("Keyring")).get_keyring()
        return ShareSigner(keyring, lambda: datetime.now(UTC) - age).create_token(scope, 1)

    def api_url(self, path: str) -> str:
        """Return the URL of an API route of the workspace."""
        return f"{self.stack.url}/v1/workspaces/{encode_path_name(self.workspace)}/{path}"

    def page_url(self, page: str) -> str:
        return f"{self.stack.url}/reports/{page}"


@pytest.fixture
def campaign(stack: EmbeddedStack, http: Http, request: pytest.FixtureRequest) -> PagesCampaign:
    """A campaign with the name of the test."""
    name = request.node.name.replace("_", "-")[:60]
    return PagesCampaign(stack, http, "pages", name)
