"""Test that two stacks share nothing: one refuses the links of the other and stores nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Http

BROWSER = {"user-agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari"}
MESSAGE: dict[str, Any] = {
    "workspace": "both",
    "campaign": "c",
    "from": "news@mail.example.com",
    "recipients": [{"delivery": "d", "person": "p", "data": {}}],
}
TABLES = ("ClicksTable", "CampaignsTable", "WorkspacesTable", "ShortLinksTable")


@pytest.fixture(scope="module")
def us(no_aws_settings: None) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(parameters={"RegionLabel": "us"}) as running:
        yield running


@pytest.fixture(scope="module")
def eu(no_aws_settings: None) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(parameters={"RegionLabel": "eu"}) as running:
        yield running


def rewrite_message(stack: EmbeddedStack, http: Http, **content: str) -> list[str]:
    """Rewrite a message and return its links and pixel."""
    settings = {"shorten": {"sms": True}, "track_opens": True}
    http("PUT", f"{stack.url}/v1/workspaces/both/settings", body=settings)
    channel = "sms" if "text" in content else "email"
    body = MESSAGE | {"content": content, "channel": channel, "campaign": channel}
    answer = http("POST", f"{stack.url}/v1/rewrite", body=body)
    assert answer.status == 200, answer
    return re.findall(r"https?://[\w.:]+(/(?:e|s)/[\w/-]+)", answer.body.decode())


def count_items(stack: EmbeddedStack) -> dict[str, int]:
    """Count the items of each table."""
    client = stack.cloud.client("dynamodb")
    return {name: client.scan(TableName=stack.ref(name))["Count"] for name in TABLES}


def test_link_of_one_stack_is_refused_by_another_without_a_trace(
    us: EmbeddedStack, eu: EmbeddedStack, http: Http
) -> None:
    click, open_ = rewrite_message(us, http, html='<a href="https://example.com/a">a</a>')
    (short,) = rewrite_message(us, http, text="https://example.com/b")
    assert [link[:3] for link in (click, open_, short)] == ["/e/", "/e/", "/s/"]
    for link in (click, short):
        for method in ("GET", "HEAD"):
            there = http(method, eu.url + link, BROWSER)
            assert there.status == 404
            assert "location" not in there.headers
            assert "no-store" in there.headers["cache-control"]
    assert http("GET", eu.url + open_, BROWSER).status == 200  # the response is always an image
    assert eu.wait_until_counted()
    assert count_items(eu) == dict.fromkeys(TABLES, 0)
    metrics = eu.log_text()
    assert metrics.count('"TokenRefused":1,"reason":"signature"') == 3  # including the pixel's
    assert metrics.count('"ShortLinkUnknown":1') == 2
    assert click not in metrics


def test_link_redirects_on_its_own_stack(us: EmbeddedStack, eu: EmbeddedStack, http: Http) -> None:
    (click, _) = rewrite_message(us, http, html='<a href="https://example.com/a">a</a>')
    assert http("GET", us.url + click, BROWSER).status == 302
    assert us.wait_until_counted()
    path = "/v1/workspaces/both/campaigns/email"
    assert http("GET", us.url + path).json()["clicks"]["total"] == 1
    assert http("GET", eu.url + path).status == 404


def test_share_link_of_one_stack_is_refused_by_another(
    us: EmbeddedStack, eu: EmbeddedStack, http: Http
) -> None:
    share = http("POST", f"{us.url}/v1/workspaces/both/shares", body={"people": True}).json()["url"]
    assert http("GET", share).status in (200, 302, 303)
    assert http("GET", share.replace(us.url, eu.url)).status in (401, 403, 404)


def test_stacks_have_different_keyrings(us: EmbeddedStack, eu: EmbeddedStack) -> None:
    secrets = [
        stack.cloud.client("secretsmanager").get_secret_value(SecretId=stack.ref("Keyring"))
        for stack in (us, eu)
    ]
    assert secrets[0]["SecretString"] != secrets[1]["SecretString"]
