"""Each call of the rewrite function, gone wrong in each way: a message is whole, or there is none.

docs/faults.md lists the promises, and is what is run here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from random import Random
from types import ModuleType
from typing import Any

import pytest

from tests import handlers
from tests.faults.breaking import breaks
from tests.faults.checking import ROUNDS, SEED
from tests.faults.cloud import SECRET, Cloud, client, clouds
from tests.faults.promises import calls_of, unpromised
from tests.faults.ways import WAYS
from waypost.codes import campaign_code, workspace_code
from waypost.errors import StoreUnavailable
from waypost.keyring import KeyList
from waypost.model.workspace import Shortening, WorkspaceSettings
from waypost.store.dynamodb.campaigns import DynamoCampaigns
from waypost.store.dynamodb.short_links import DynamoShortLinks
from waypost.store.dynamodb.workspaces import DynamoWorkspaces
from waypost.tokens import Sealer

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
def aws() -> Iterator[Cloud]:
    with clouds() as made:
        yield made


@pytest.fixture(scope="module")
def app(aws: Cloud) -> ModuleType:
    return handlers.load("rewrite")


@pytest.fixture
def cloud(aws: Cloud) -> Iterator[Cloud]:
    with aws.fresh():
        with aws.aside():
            settings = WorkspaceSettings(shorten=Shortening(sms=True))
            DynamoWorkspaces(client("dynamodb"), "workspaces").save("texts", settings)
        yield aws


def asked(message: str, campaign: str, **changes: object) -> dict[str, Any]:
    return {**MESSAGES[message], "campaign": campaign, **changes}


def ask(app: ModuleType, body: dict[str, Any]) -> dict[str, Any]:
    """The answer of a function that has just started, by HTTP where it was told to."""
    answer: dict[str, Any] = app.handler(body, handlers.Context())
    return answer


def is_refusal(answer: dict[str, Any]) -> bool:
    """Nothing was handed over, and what is wrong is said."""
    return answer.get("status") == 503 and "deliveries" not in answer and bool(answer["detail"])


def check_whole(cloud: Cloud, body: dict[str, Any], answer: dict[str, Any]) -> None:
    """Every recipient has a message, and every link of it leads where it did and is known."""
    assert [one["delivery"] for one in answer["deliveries"]] == ["d1", "d2"]
    assert answer["failed"] == []
    wanted = Counter(URLS if body["channel"] == "email" else URLS[:2])
    with cloud.aside():
        for delivery in answer["deliveries"]:
            links = re.findall(r"https://[^\"\s]+", json.dumps(delivery["content"], indent=1))
            ours = [link.rstrip('"\\') for link in links if "/e/c/" in link or "/s/" in link]
            assert Counter(map(destination, ours)) == wanted


def destination(link: str) -> str:
    """Where a link leads, as the redirect finds out; its definition has to be stored."""
    short_links = DynamoShortLinks(client("dynamodb"), "short-links")
    token = link.partition("/e/c/")[2]
    if not token:
        found = short_links.find(link.rpartition("/")[2])
        assert found is not None
        token = found.token
    opened = SEALER.open(token)
    assert DynamoCampaigns(client("dynamodb"), "campaigns").find_links([opened.link])
    href: str | None = opened.href
    if opened.stored is not None:
        href = short_links.destination(workspace_code("acme"), opened.stored)
    assert href is not None
    return href.partition("?")[0]


def counted(cloud: Cloud, body: dict[str, Any]) -> int:
    with cloud.aside():
        stored = DynamoCampaigns(client("dynamodb"), "campaigns")
        return stored.counts(campaign_code(body["workspace"], body["campaign"])).sent


def defined(cloud: Cloud, body: dict[str, Any]) -> int:
    with cloud.aside():
        stored = DynamoCampaigns(client("dynamodb"), "campaigns")
        return len(stored.links(campaign_code(body["workspace"], body["campaign"])))


def healthy(cloud: Cloud, app: ModuleType, message: str) -> Counter[str]:
    """How often a function that has just started makes each call."""
    app.sending.cache_clear()
    cloud.calls.clear()
    body = asked(message, "healthy")
    check_whole(cloud, body, ask(app, body))
    assert counted(cloud, body) == 2
    return Counter(cloud.calls)


def test_every_call_has_its_promise(cloud: Cloud, app: ModuleType) -> None:
    made = healthy(cloud, app, "newsletter") + healthy(cloud, app, "text")
    assert unpromised("rewrite", made) == set()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("call", calls_of("rewrite", "test_a_message_is_whole_or_refused"))
def test_a_message_is_whole_or_refused(
    cloud: Cloud, app: ModuleType, call: str, way: str
) -> None:
    for message in MESSAGES:
        for after, times in breaks(healthy(cloud, app, message)[call]) if call else ():
            body = asked(message, f"{message}-{after}-{times}")
            cloud.break_(call, way, after=after, times=times)
            app.sending.cache_clear()
            first = ask(app, body)
            assert is_refusal(first) or "deliveries" in first, first
            if "deliveries" in first:
                check_whole(cloud, body, first)
            cloud.heal()
            check_whole(cloud, body, ask(app, body))
            assert defined(cloud, body) == (3 if message == "newsletter" else 2)
            if message == "newsletter":  # it has an idempotency key
                assert counted(cloud, body) == 2
