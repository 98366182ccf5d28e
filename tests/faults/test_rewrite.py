"""Each call of the rewrite function, gone wrong in each way: a message is whole, or there is none.

docs/faults.md lists the promises, and is what is run here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from types import ModuleType
from typing import Any

import pytest

from tests import handlers
from tests.faults.breaking import breaks
from tests.faults.checking import ROUNDS, SEED
from tests.faults.cloud import SECRET, Cloud, client
from tests.faults.promises import calls_of, unpromised
from tests.faults.ways import WAYS
from waypost.ids import campaign_code, workspace_code
from waypost.models.workspace import Shortening, WorkspaceSettings
from waypost.repositories.dynamodb.campaigns import DynamoCampaigns
from waypost.repositories.dynamodb.short_links import DynamoShortLinks
from waypost.repositories.dynamodb.workspaces import DynamoWorkspaces
from waypost.tokens import Sealer
from waypost.tokens.keyring import KeyList

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
MESSAGES = {"newsletter": NEWSLETTER, "text": TEXT}
SEALER = Sealer(KeyList.parse(SECRET).at(0))


@pytest.fixture(scope="module")
def app(aws: Cloud) -> ModuleType:
    return handlers.load("rewrite")


@contextmanager
def prepared(aws: Cloud) -> Iterator[Cloud]:
    """Two workspaces, of which one wants nobody named and no opens tracked."""
    with aws.fresh():
        aws.stock(have_workspaces)
        yield aws


def have_workspaces() -> None:
    workspaces = DynamoWorkspaces(client("dynamodb"), "workspaces")
    workspaces.save("acme", WorkspaceSettings(cio_id=False, track_opens=False))
    shorten = Shortening(sms=True)
    workspaces.save("texts", WorkspaceSettings(shorten=shorten, cio_id=False))


@pytest.fixture
def cloud(aws: Cloud) -> Iterator[Cloud]:
    with prepared(aws):
        yield aws


@pytest.fixture(scope="module")
def healthy(aws: Cloud, app: ModuleType) -> dict[str, Counter[str]]:
    """How often a function that has just started makes each call, by the message."""
    made = {}
    for message in MESSAGES:
        with prepared(aws) as cloud:
            body = asked(message, "healthy")
            check_whole(cloud, body, ask_anew(app, body))
            check_stored(cloud, body)
            made[message] = Counter(cloud.calls)
    return made


def asked(message: str, campaign: str) -> dict[str, Any]:
    return {**MESSAGES[message], "campaign": campaign}


def ask(app: ModuleType, body: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = app.handler(body, handlers.Context())
    return answer


def ask_anew(app: ModuleType, body: dict[str, Any]) -> dict[str, Any]:
    """The answer of a function that has just started."""
    app.sending.cache_clear()
    return ask(app, body)


def is_refusal(answer: dict[str, Any]) -> bool:
    """Nothing was handed over, and what is wrong is said."""
    return answer.get("status") == 503 and "deliveries" not in answer and bool(answer["detail"])


def check_whole(cloud: Cloud, body: dict[str, Any], answer: dict[str, Any]) -> None:
    """Every recipient has a message, every link of it leads where it did, and its definition is
    stored; nothing is tracked that the workspace does not want.
    """
    assert [one["delivery"] for one in answer["deliveries"]] == ["d1", "d2"]
    assert answer["failed"] == []
    wanted = Counter(URLS if body["channel"] == "email" else URLS[:2])
    with cloud.aside():
        for delivery in answer["deliveries"]:
            [text] = delivery["content"].values()
            ours = re.findall(r'https://[^"\s]+/(e|s)/([^"\s]+)', text)
            assert Counter(destination(*link) for link in ours) == wanted


def destination(kind: str, rest: str) -> str:
    """Where a link leads, as the redirect finds out; its definition has to be stored."""
    short_links = DynamoShortLinks(client("dynamodb"), "short-links")
    token = rest.removeprefix("c/")
    if kind == "s":
        found = short_links.find(rest)
        assert found is not None
        token = found.token
    opened = SEALER.open(token)
    assert DynamoCampaigns(client("dynamodb"), "campaigns").find_links([opened.link])
    href: str | None = opened.href
    if opened.stored is not None:
        href = short_links.destination(workspace_code("acme"), opened.stored)
    assert href is not None
    return href


def check_stored(cloud: Cloud, body: dict[str, Any]) -> None:
    """Each link is defined once; deliveries that have an idempotency key count once."""
    assert len(links(cloud, body)) == (3 if body["channel"] == "email" else 2)
    if "idempotency_key" in body:
        assert counted(cloud, body["workspace"], body["campaign"]) == 2


def counted(cloud: Cloud, workspace: str, campaign: str) -> int:
    with cloud.aside():
        stored = DynamoCampaigns(client("dynamodb"), "campaigns")
        return stored.counts(campaign_code(workspace, campaign)).sent


def links(cloud: Cloud, body: dict[str, Any]) -> list[Any]:
    with cloud.aside():
        stored = DynamoCampaigns(client("dynamodb"), "campaigns")
        return list(stored.links(campaign_code(body["workspace"], body["campaign"])))


def test_every_call_has_its_promise(healthy: dict[str, Counter[str]]) -> None:
    assert unpromised("rewrite", healthy["newsletter"] + healthy["text"]) == set()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("call", calls_of("rewrite", "test_a_message_is_whole_or_refused"))
def test_a_message_is_whole_or_refused(
    cloud: Cloud, app: ModuleType, healthy: dict[str, Counter[str]], call: str, way: str
) -> None:
    message = next(name for name, calls in healthy.items() if calls[call])
    for number, (after, times) in enumerate(breaks(healthy[message][call])):
        body = asked(message, f"campaign-{number}")
        cloud.break_(call, way, after=after, times=times)
        first = ask_anew(app, body)
        assert is_refusal(first) != ("deliveries" in first)
        if "deliveries" in first:
            check_whole(cloud, body, first)
        cloud.heal()
        check_whole(cloud, body, ask(app, body))
        check_stored(cloud, body)


@pytest.mark.parametrize("way", WAYS)
def test_keys_that_were_read_once_outlive_their_store(
    cloud: Cloud, app: ModuleType, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr("waypost.tokens.keyring.FRESH_SECONDS", 0)
    ask_anew(app, asked("newsletter", "first"))
    cloud.break_("GetSecretValue", way)
    body = asked("newsletter", "second")
    check_whole(cloud, body, ask(app, body))


@pytest.mark.parametrize("way", WAYS)
def test_a_message_that_cannot_be_kept_goes_out(cloud: Cloud, app: ModuleType, way: str) -> None:
    cloud.break_("PutItem of message", way)
    body = asked("newsletter", "sale")
    check_whole(cloud, body, ask_anew(app, body))


@pytest.mark.parametrize("way", WAYS)
def test_over_http_a_refusal_asks_to_come_again(cloud: Cloud, app: ModuleType, way: str) -> None:
    cloud.break_("GetItem of settings", way)
    event = handlers.request("POST /v1/rewrite", body=asked("newsletter", "sale"))
    app.sending.cache_clear()
    answer = app.handler(event, handlers.Context())
    assert answer["statusCode"] == 503
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert answer["headers"]["retry-after"] == "1"
    assert is_refusal(json.loads(answer["body"]))


def test_at_random_messages_are_whole_and_counted_once_each(cloud: Cloud, app: ModuleType) -> None:
    random, sent = Random(SEED), Counter[tuple[str, str]]()
    for number in range(30 * ROUNDS):
        body = asked(random.choice(list(MESSAGES)), f"campaign-{number % 7}")
        body["idempotency_key"] = f"batch-{number}"
        cloud.at_random(random, 0.1)
        answer = ask_anew(app, body)
        while "deliveries" not in answer:
            assert is_refusal(answer)
            answer = ask(app, body)
        cloud.heal()
        check_whole(cloud, body, answer)
        sent[body["workspace"], body["campaign"]] += 2
    assert {campaign: counted(cloud, *campaign) for campaign in sent} == sent
    assert len(cloud.seen) > len(WAYS) / 2
