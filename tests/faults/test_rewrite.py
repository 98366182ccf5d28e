"""Faults in each call of the rewrite function: a message is complete or absent.

docs/faults.md lists the promises that these tests check.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from random import Random
from types import ModuleType
from typing import Any

import pytest

from tests import lambda_handlers
from tests.faults.call_faults import CALL_FAULTS
from tests.faults.fake_cloud import SECRET, FakeCloud, get_repositories
from tests.faults.fault_injector import fault_schedules
from tests.faults.invariants import FAULT_SEED, SOAK_ROUNDS
from tests.faults.promises import find_missing_promises, list_calls
from waypost.ids import derive_campaign_id, derive_workspace_id
from waypost.models.workspace import ShortLinkChannels, WorkspaceSettings
from waypost.tokens import TokenSealer
from waypost.tokens.keyring import KeySchedule

URLS = ("https://e.com/1", "https://e.com/2", f"https://e.com/{Random(1).randbytes(1_500).hex()}")
HTML = "<body>" + "".join(f'<a href="{url}">x</a>' for url in URLS) + "</body>"
RECIPIENTS = [{"delivery": "d1", "person": "p1"}, {"delivery": "d2", "person": "p2"}]
NEWSLETTER = {
    "workspace": "acme",
    "kind": "newsletter",
    "channel": "email",
    "from": "news@mail.acme.com",
    "idempotency_key": "batch-1",
    "content": {"html": HTML},
    "recipients": RECIPIENTS,
}
TEXT = {
    "workspace": "texts",
    "kind": "campaign",
    "channel": "sms",
    "content": {"text": f"{URLS[0]} or {URLS[1]}"},
    "recipients": RECIPIENTS,
}
FIRST_TEXT = TEXT | {
    "workspace": "new",
    "recipients": [{"delivery": "d1"}, {"delivery": "d2"}],  # settings would add a person to links
}
LETTER = NEWSLETTER | {"recipients": RECIPIENTS[:1]}
"""A message rendered for one recipient, with a link and a destination that nobody else has."""
COPY = NEWSLETTER | {"recipients": RECIPIENTS[1:], "idempotency_key": "batch-2"}
"""The same for another recipient, after the first one's."""
MESSAGES = {
    "newsletter": NEWSLETTER,
    "text": TEXT,
    "first text of a workspace": FIRST_TEXT,
    "letter": LETTER,
    "copy": COPY,
}
SEALER = TokenSealer(KeySchedule.parse(SECRET).build_keyring(0))


@pytest.fixture(scope="module")
def app(aws: FakeCloud) -> ModuleType:
    return lambda_handlers.load_function("rewrite")


@contextmanager
def prepare_workspaces(aws: FakeCloud) -> Iterator[FakeCloud]:
    """Prepare two workspaces: one without open tracking, one that shortens SMS links. The third
    has not written yet.
    """
    with aws.reset():
        aws.load_snapshot(create_workspaces)
        yield aws


def create_workspaces() -> None:
    workspaces = get_repositories().workspaces
    workspaces.save_settings("acme", WorkspaceSettings(cio_id=False, track_opens=False))
    shorten = ShortLinkChannels(sms=True)
    workspaces.save_settings("texts", WorkspaceSettings(shorten=shorten, cio_id=False))


@pytest.fixture
def cloud(aws: FakeCloud) -> Iterator[FakeCloud]:
    with prepare_workspaces(aws):
        yield aws


@pytest.fixture(scope="module")
def healthy_calls(aws: FakeCloud, app: ModuleType) -> dict[str, Counter[str]]:
    """Count the calls without faults of a new execution environment, by message."""
    calls = {}
    for message in MESSAGES:
        with prepare_workspaces(aws) as cloud:
            body = build_body(message, "healthy")
            send_original(cloud, app, body)
            cloud.calls.clear()
            check_complete(cloud, body, rewrite_in_new_container(app, body))
            check_stored(cloud, body)
            calls[message] = Counter(cloud.calls)
    return calls


def build_body(message: str, campaign: str) -> dict[str, Any]:
    return {**MESSAGES[message], "campaign": campaign}


def send_original(cloud: FakeCloud, app: ModuleType, body: dict[str, Any]) -> None:
    """Send the message to the first recipient, if the body is a copy for the second."""
    if body["recipients"] == COPY["recipients"]:
        with cloud.bypass_faults():
            rewrite_in_new_container(app, body | LETTER)


def rewrite(app: ModuleType, body: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = app.handler(body, lambda_handlers.LambdaContext())
    return answer


def rewrite_in_new_container(app: ModuleType, body: dict[str, Any]) -> dict[str, Any]:
    """Rewrite in a new execution environment."""
    app.rewrite_service.cache_clear()
    return rewrite(app, body)


def is_refusal(answer: dict[str, Any]) -> bool:
    """Check that the response is a 503 with a reason and without messages."""
    return answer.get("status") == 503 and "deliveries" not in answer and bool(answer["detail"])


def check_complete(cloud: FakeCloud, body: dict[str, Any], answer: dict[str, Any]) -> None:
    """Check that each recipient has a message that tracks exactly the expected links."""
    recipients = [one["delivery"] for one in body["recipients"]]
    assert [one["delivery"] for one in answer["deliveries"]] == recipients
    assert answer["failed"] == []
    expected = Counter(URLS if body["channel"] == "email" else URLS[:2])
    with cloud.bypass_faults():
        for delivery in answer["deliveries"]:
            [text] = delivery["content"].values()
            tracked_links = re.findall(r'https://[^"\s]+/(e|s)/([^"\s]+)', text)
            assert Counter(resolve_destination(*link) for link in tracked_links) == expected


def resolve_destination(route: str, code: str) -> str:
    """Resolve a link as the redirect does; its definition must be stored."""
    short_links = get_repositories().short_links
    token = code.removeprefix("c/")
    if route == "s":
        short_link = short_links.get(code)
        assert short_link is not None
        token = short_link.token
    click_token = SEALER.open(token)
    assert get_repositories().campaigns.find_links([click_token.link])
    href: str | None = click_token.href
    if click_token.stored_digest is not None:
        href = short_links.get_destination(derive_workspace_id("acme"), click_token.stored_digest)
    assert href is not None
    return href


def check_stored(cloud: FakeCloud, body: dict[str, Any]) -> None:
    """Check that each link is defined once, and deliveries with an idempotency key count once."""
    assert len(list_defined_links(cloud, body)) == (3 if body["channel"] == "email" else 2)
    if "idempotency_key" in body:
        sent = 1 if body["recipients"] == LETTER["recipients"] else 2
        assert count_deliveries(cloud, body["workspace"], body["campaign"]) == sent


def count_deliveries(cloud: FakeCloud, workspace: str, campaign: str) -> int:
    with cloud.bypass_faults():
        campaigns = get_repositories().campaigns
        return campaigns.get_counts(derive_campaign_id(workspace, campaign)).sent


def list_defined_links(cloud: FakeCloud, body: dict[str, Any]) -> list[Any]:
    with cloud.bypass_faults():
        campaigns = get_repositories().campaigns
        return list(campaigns.list_links(derive_campaign_id(body["workspace"], body["campaign"])))


def test_every_call_has_its_promise(healthy_calls: dict[str, Counter[str]]) -> None:
    assert find_missing_promises("rewrite", Counter(chain(*healthy_calls.values()))) == set()


@pytest.mark.parametrize("fault", CALL_FAULTS)
@pytest.mark.parametrize("call", list_calls("rewrite", "test_message_is_complete_or_returns_503"))
def test_message_is_complete_or_returns_503(
    cloud: FakeCloud, app: ModuleType, healthy_calls: dict[str, Counter[str]], call: str, fault: str
) -> None:
    message = next(name for name, calls in healthy_calls.items() if calls[call])
    for number, (after, times) in enumerate(fault_schedules(healthy_calls[message][call])):
        body = build_body(message, f"campaign-{number}")
        send_original(cloud, app, body)
        cloud.plan_fault(call, fault, after=after, times=times)
        first = rewrite_in_new_container(app, body)
        assert is_refusal(first) != ("deliveries" in first)
        if "deliveries" in first:
            check_complete(cloud, body, first)
        cloud.clear_faults()
        check_complete(cloud, body, rewrite(app, body))
        check_stored(cloud, body)


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_cached_keyring_seals_messages_if_the_secret_cannot_be_read(
    cloud: FakeCloud, app: ModuleType, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr("waypost.tokens.keyring.KEYRING_TTL_SECONDS", 0)
    rewrite_in_new_container(app, build_body("newsletter", "first"))
    cloud.plan_fault("GetSecretValue", fault)
    body = build_body("newsletter", "second")
    check_complete(cloud, body, rewrite(app, body))


@pytest.mark.parametrize("fault", CALL_FAULTS)
@pytest.mark.parametrize(
    "call", list_calls("rewrite", "test_message_is_returned_if_its_copy_cannot_be_stored")
)
def test_message_is_returned_if_its_copy_cannot_be_stored(
    cloud: FakeCloud, app: ModuleType, call: str, fault: str
) -> None:
    cloud.plan_fault(call, fault)
    body = build_body("newsletter", "sale")
    check_complete(cloud, body, rewrite_in_new_container(app, body))


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_http_503_is_problem_json_with_retry_after(
    cloud: FakeCloud, app: ModuleType, fault: str
) -> None:
    cloud.plan_fault("GetItem of settings", fault)
    event = lambda_handlers.build_api_event(
        "POST /v1/rewrite", body=build_body("newsletter", "sale")
    )
    app.rewrite_service.cache_clear()
    answer = app.handler(event, lambda_handlers.LambdaContext())
    assert answer["statusCode"] == 503
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert answer["headers"]["retry-after"] == "1"
    assert is_refusal(json.loads(answer["body"]))


def test_messages_are_complete_and_counted_once_under_random_faults(
    cloud: FakeCloud, app: ModuleType
) -> None:
    random, sent = Random(FAULT_SEED), Counter[tuple[str, str]]()
    for number in range(30 * SOAK_ROUNDS):
        body = build_body(random.choice(list(MESSAGES)), f"campaign-{number % 7}")
        body["idempotency_key"] = f"batch-{number}"
        cloud.inject_at_random(random, 0.1)
        answer = rewrite_in_new_container(app, body)
        while "deliveries" not in answer:
            assert is_refusal(answer)
            answer = rewrite(app, body)
        cloud.clear_faults()
        check_complete(cloud, body, answer)
        sent[body["workspace"], body["campaign"]] += len(body["recipients"])
    assert {campaign: count_deliveries(cloud, *campaign) for campaign in sent} == sent
    assert len(cloud.fault_counts) > len(CALL_FAULTS) / 2
