"""What docs/runbook.md says about keys, done to a stack whose key somebody else has."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Http
from tests.e2e.runbook_operator import Operator, entry
from tests.e2e.test_click_tracking import URLS, Sender
from waypost.ids import derive_campaign_id, derive_link_id
from waypost.reports.share_links import ShareScope, ShareSigner
from waypost.tokens import ClickToken, Keyring, TokenSealer
from waypost.tokens.keyring import KeySchedule
from waypost.tokens.signer import TokenSigner

PHISHING = "https://phishing.example.net/login"


@pytest.fixture
def leaked(no_aws_settings: None) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(processes={"RedirectFunction": 1}) as running:
        yield running


class Thief:
    """Somebody with the key, and nothing else."""

    def __init__(self, stack: EmbeddedStack, http: Http) -> None:
        self.stack, self.http = stack, http
        secrets = stack.cloud.client("secretsmanager")
        told = secrets.get_secret_value(SecretId=stack.ref("Keyring"))["SecretString"]
        self.keyring: Keyring = KeySchedule.parse(told).build_keyring(time.time())

    def link(self) -> int:
        """The status of a link to a place of the thief's, on the stack's host."""
        link = derive_link_id(derive_campaign_id("e2e", "anything"), PHISHING)
        token = ClickToken(
            link=link, position=1, delivery="d", person="p", sent=int(time.time()), href=PHISHING
        )
        path = "/e/c/" + TokenSealer(self.keyring).seal(token)
        return self.http("GET", self.stack.url + path, {"user-agent": "x"}).status

    def report(self) -> int:
        """The status of a report with people, by a share that nobody made."""
        sharer = ShareSigner(self.keyring, lambda: datetime.now(UTC))
        token = sharer.create_token(ShareScope("e2e", people=True), 1)
        return self.http("GET", f"{self.stack.url}/reports/open/{token}").status


@entry("A signing key has leaked")
def test_leaked_key_is_replaced_and_retired(leaked: EmbeddedStack, http: Http) -> None:
    desk, sender, thief = Operator(leaked), Sender(leaked, http, "leaked"), Thief(leaked, http)
    ((before, *_),) = sender.send("ada")
    assert (sender.click(before).status, thief.link(), thief.report()) == (302, 302, 303)

    desk.run_tool("keys", "add", "--now")
    end_of_caches(leaked)
    assert thief.report() in (401, 403)  # shares go by the newest key alone
    assert thief.link() == 302  # and links by all of them
    ((after, *_),) = sender.send("ben")
    assert sender.click(before).headers["location"] == URLS[0]

    ((old, _), _) = (line.split() for line in desk.run_tool("keys", "show").splitlines())
    cost = desk.run_tool("keys", "retire", old, exit_codes=(2,))
    assert f"The key {old} signed {len(URLS)} links in messages of 1 campaigns" in cost
    desk.run_tool("keys", "retire", old, "--sure", old)
    end_of_caches(leaked)
    assert thief.link() == 404
    assert sender.click(before).status == 404  # the price
    assert sender.click(after).headers["location"] == URLS[0]


def end_of_caches(stack: EmbeddedStack) -> None:
    """As if five minutes had passed: functions read the keys again."""
    for function in ("RedirectFunction", "RewriteFunction", "PagesFunction"):
        stack.recycle(function)


@entry("Tokens refused")
def test_refused_tokens_are_counted_by_reason(stack: EmbeddedStack, http: Http) -> None:
    desk, sender = Operator(stack), Sender(stack, http, "refused")
    ((link, *_),) = sender.send("ada")
    payload, _, signature = urlsplit(link).path.rpartition("/")
    secrets = stack.cloud.client("secretsmanager")
    told = secrets.get_secret_value(SecretId=stack.ref("Keyring"))["SecretString"]
    newer = TokenSigner(KeySchedule.parse(told).build_keyring(time.time()), "waypost.click").seal(
        b"\x09later"
    )
    refused = [
        ("signature", f"{payload}/{'A' * len(signature)}"),  # guessed
        ("signature", payload),  # cut
        ("version", f"/e/c/{newer}"),
    ]
    for reason, path in refused:
        metric = f'"TokenRefused":1,"reason":"{reason}"'
        before = desk.count_metric(metric)
        assert http("GET", stack.url + path, {"user-agent": "x"}).status == 404
        assert desk.count_metric(metric) == before + 1, reason
    assert desk.run_tool("keys", "show").endswith("  signs\n")  # which keys there are


@entry("Keyring stale")
def test_without_the_keyring_warm_functions_redirect_and_new_ones_respond_503(
    leaked: EmbeddedStack, http: Http
) -> None:
    desk, sender = Operator(leaked), Sender(leaked, http, "stale")
    ((link, *_),) = sender.send("ada")
    assert sender.click(link).status == 302
    secrets, keyring = desk.client("secretsmanager"), leaked.ref("Keyring")
    secrets.delete_secret(SecretId=keyring, RecoveryWindowInDays=7)
    assert sender.click(link).status == 302
    leaked.recycle("RedirectFunction")
    assert sender.click(link).status == 503
    secrets.restore_secret(SecretId=keyring)
    assert sender.click(link).status == 302
