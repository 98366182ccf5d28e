"""Play the entries of docs/runbook.md about signing keys."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Http
from tests.e2e.runbook_operator import Operator, runbook_entry
from tests.e2e.sender import URLS, Sender
from waypost.ids import derive_campaign_id, derive_link_id
from waypost.reports.share_links import ShareScope, ShareSigner
from waypost.tokens import ClickToken, Keyring, TokenSealer
from waypost.tokens.keyring import KeySchedule
from waypost.tokens.signer import TokenSigner

REWRITE = {
    "workspace": "e2e",
    "campaign": "stale",
    "content": {"html": '<a href="https://example.com/">x</a>'},
    "recipients": [{"delivery": "d"}],
}
PHISHING = "https://phishing.example.net/login"


@pytest.fixture
def key_stack(no_aws_settings: None) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(processes={"RedirectFunction": 1}) as running:
        yield running


class Attacker:
    """An attacker who has the signing key and nothing else."""

    def __init__(self, stack: EmbeddedStack, http: Http) -> None:
        self.stack, self.http = stack, http
        secrets = stack.cloud.client("secretsmanager")
        secret = secrets.get_secret_value(SecretId=stack.ref("Keyring"))["SecretString"]
        self.keyring: Keyring = KeySchedule.parse(secret).build_keyring(time.time())

    def open_forged_link(self) -> int:
        """Request a forged link to the attacker's page; return the status."""
        link = derive_link_id(derive_campaign_id("e2e", "anything"), PHISHING)
        token = ClickToken(
            link=link, position=1, delivery="d", person="p", sent=int(time.time()), href=PHISHING
        )
        path = "/e/c/" + TokenSealer(self.keyring).seal(token)
        return self.http("GET", self.stack.url + path, {"user-agent": "x"}).status

    def open_forged_report(self) -> int:
        """Request a report about people by a forged share link; return the status."""
        signer = ShareSigner(self.keyring, lambda: datetime.now(UTC))
        token = signer.create_token(ShareScope("e2e", people=True), 1)
        return self.http("GET", f"{self.stack.url}/reports/open/{token}").status


@runbook_entry("A signing key has leaked")
def test_leaked_key_is_replaced_and_retired(key_stack: EmbeddedStack, http: Http) -> None:
    operator, sender, attacker = (
        Operator(key_stack),
        Sender(key_stack, http, "leaked"),
        Attacker(key_stack, http),
    )
    ((before, *_),) = sender.send("ada")
    assert (
        sender.click(before).status,
        attacker.open_forged_link(),
        attacker.open_forged_report(),
    ) == (302, 302, 303)

    operator.run_tool("keys", "add", "--now")
    expire_key_caches(key_stack)
    assert attacker.open_forged_report() in (
        401,
        403,
    )  # share links are valid under the newest key only
    assert attacker.open_forged_link() == 302  # tracking links under every key
    ((after, *_),) = sender.send("ben")
    assert sender.click(before).headers["location"] == URLS[0]

    ((old, _), _) = (line.split() for line in operator.run_tool("keys", "show").splitlines())
    cost = operator.run_tool("keys", "retire", old, exit_codes=(2,))
    assert f"The key {old} signed {len(URLS)} links in messages of 1 campaigns" in cost
    operator.run_tool("keys", "retire", old, "--sure", old)
    expire_key_caches(key_stack)
    assert attacker.open_forged_link() == 404
    assert sender.click(before).status == 404  # the cost of retiring the key
    assert sender.click(after).headers["location"] == URLS[0]


def expire_key_caches(stack: EmbeddedStack) -> None:
    """Make functions read the keys again, as they do after five minutes."""
    for function in ("RedirectFunction", "RewriteFunction", "PagesFunction"):
        stack.recycle(function)


@runbook_entry("Tokens refused")
def test_refused_tokens_are_counted_by_reason(stack: EmbeddedStack, http: Http) -> None:
    operator, sender = Operator(stack), Sender(stack, http, "refused")
    ((link, *_),) = sender.send("ada")
    payload, _, signature = urlsplit(link).path.rpartition("/")
    secrets = stack.cloud.client("secretsmanager")
    secret = secrets.get_secret_value(SecretId=stack.ref("Keyring"))["SecretString"]
    newer = TokenSigner(KeySchedule.parse(secret).build_keyring(time.time()), "waypost.click").seal(
        b"\x09later"
    )
    refused = [
        ("signature", f"{payload}/{'A' * len(signature)}"),  # guessed
        ("signature", payload),  # cut
        ("version", f"/e/c/{newer}"),
    ]
    for reason, path in refused:
        metric = f'"TokenRefused":1,"reason":"{reason}"'
        before = operator.count_metric(metric)
        assert http("GET", stack.url + path, {"user-agent": "x"}).status == 404
        assert operator.count_metric(metric) == before + 1, reason
    assert operator.run_tool("keys", "show").endswith("  signs\n")


@runbook_entry("Keyring stale")
def test_without_the_keyring_warm_functions_redirect_and_every_new_one_responds_503(
    key_stack: EmbeddedStack, http: Http
) -> None:
    operator, sender = Operator(key_stack), Sender(key_stack, http, "stale")
    ((link, *_),) = sender.send("ada")
    assert sender.click(link).status == 302
    secrets, keyring = operator.client("secretsmanager"), key_stack.ref("Keyring")
    secrets.delete_secret(SecretId=keyring, RecoveryWindowInDays=7)
    assert sender.click(link).status == 302
    expire_key_caches(key_stack)
    key_stack.recycle("ApiFunction")
    stale = operator.count_metric('"KeyringStale":1')
    failures = [
        sender.click(link).status,
        http("POST", f"{key_stack.url}/v1/rewrite", body=REWRITE).status,
        sender.call_api("POST", "shares", {"campaign": "stale", "hours": 1}).status,
        http("GET", f"{key_stack.url}/reports/open/a-share-token").status,
    ]
    assert failures == [503, 503, 503, 503]
    functions = set(
        re.findall(r'"function":"waypost-local-([a-z-]+)","KeyringStale":1', key_stack.log_text())
    )
    assert functions == {"redirect", "rewrite", "api", "pages"}
    assert operator.count_metric('"KeyringStale":1') >= stale + 4
    secrets.restore_secret(SecretId=keyring)
    assert sender.click(link).status == 302
