"""Each call of the tally and of the drain, gone wrong in each way: what failed is given again, and
nothing counts twice.

docs/faults.md lists the promises, and is what is run here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from types import ModuleType

import pytest

from tests import handlers
from tests.clicks import CAMPAIGN, NOON, click
from tests.faults.breaking import breaks
from tests.faults.checking import ROUNDS, SEED
from tests.faults.cloud import Cloud, client
from tests.faults.promises import calls_of, unpromised
from tests.faults.ways import WAYS
from tests.faults.world import naive_figures
from waypost.clicks.fallback_queue import parked
from waypost.errors import StoreError
from waypost.ids import CampaignCode, campaign_code, workspace_code
from waypost.models.click import Click
from waypost.models.workspace import WorkspaceSettings
from waypost.repositories.dynamodb.campaigns import DynamoCampaigns
from waypost.repositories.dynamodb.clicks import DynamoClicks
from waypost.repositories.dynamodb.workspaces import DynamoWorkspaces
from waypost.tally.event_publisher import event_id

SILENT = campaign_code("silent", "spring-sale")
LEFT = "p-left"
"""Who opted out before the clicks came."""
TELLING = ("PutEvents", "PutItem of notice", "DeleteItem of notice")
"""Calls without whose answer nobody knows whether an event was told."""
CLICKS = [
    click("click-1", person="p1"),
    click("click-2", person="p1", name="shop", after=400),
    click("click-3", person="p2"),
    click("click-4", person=LEFT),
]


@pytest.fixture(scope="module")
def tally(aws: Cloud) -> ModuleType:
    return handlers.load("tally")


@pytest.fixture(scope="module")
def drain(aws: Cloud) -> ModuleType:
    return handlers.load("drain")


@contextmanager
def prepared(aws: Cloud, clicks: Sequence[Click] = CLICKS) -> Iterator[Cloud]:
    """A ledger with clicks, and a workspace whose clicks the bus is not to be told of."""
    with pytest.MonkeyPatch.context() as patch, aws.fresh():
        patch.setattr("waypost.clicks.settings_cache.RETRY_SECONDS", 0)
        with aws.aside():
            workspaces = DynamoWorkspaces(client("dynamodb"), "workspaces")
            workspaces.save("silent", WorkspaceSettings(events="none", machine_threshold=10))
            workspaces.opt_out(workspace_code("acme"), LEFT, NOON)
            for one in clicks:
                DynamoClicks(client("dynamodb"), "clicks").record(one)
        yield aws


@pytest.fixture
def cloud(aws: Cloud) -> Iterator[Cloud]:
    with prepared(aws) as made:
        yield made


def ledger(cloud: Cloud, campaign: CampaignCode = CAMPAIGN) -> list[Click]:
    with cloud.aside():
        return list(DynamoClicks(client("dynamodb"), "clicks").of_campaign(campaign))


def give(tally: ModuleType, clicks: Collection[Click]) -> list[Click]:
    """What Lambda does with a batch of the stream: those that have to be given again."""
    numbered = {f"{number:021}": one for number, one in enumerate(clicks)}
    records = [
        {"eventName": "INSERT", "dynamodb": {"SequenceNumber": n, "NewImage": one.to_item()}}
        for n, one in numbered.items()
    ]
    try:
        answer = tally.handler({"Records": records}, None)
    except StoreError:
        return list(clicks)
    return [numbered[failure["itemIdentifier"]] for failure in answer["batchItemFailures"]]


def give_all(cloud: Cloud, tally: ModuleType, clicks: Collection[Click]) -> None:
    """Give a batch until none of it is given back, and then what the ledger has besides."""
    left = list(clicks)
    while left:
        left = give(tally, left)
    cloud.heal()
    left = ledger(cloud)
    while left:
        left = give(tally, left)


def check_counted(cloud: Cloud, campaign: CampaignCode = CAMPAIGN) -> None:
    """Counters are what the ledger gives, and nobody is in it who opted out."""
    found = ledger(cloud, campaign)
    with cloud.aside():
        counts = DynamoCampaigns(client("dynamodb"), "campaigns").counts(campaign)
    cells = {(c.counter, c.figure): v for c, v in counts.cells().items() if c.figure != "shared"}
    assert cells == naive_figures(found)
    assert LEFT not in {one.person for one in found}


def told(cloud: Cloud) -> Counter[str]:
    return Counter(json.loads(entry["Detail"])["event_id"] for entry in cloud.told)


@pytest.fixture(scope="module")
def healthy(aws: Cloud, tally: ModuleType) -> Counter[str]:
    """How often each call is made of a batch of which the bus refuses an event at first."""
    with prepared(aws) as cloud:
        play(cloud, tally)
        check_counted(cloud)
        assert set(told(cloud).values()) == {1}
        return Counter(cloud.calls)


def play(cloud: Cloud, tally: ModuleType) -> None:
    tally._tally.cache_clear()
    cloud.refused_events = 1
    left = give(tally, CLICKS)
    give_all(cloud, tally, left)


def test_every_call_has_its_promise(healthy: Counter[str]) -> None:
    assert unpromised("tally", healthy) == set()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("call", calls_of("tally", "test_each_click_counts_once"))
def test_each_click_counts_once(
    aws: Cloud, tally: ModuleType, healthy: Counter[str], call: str, way: str
) -> None:
    for after, times in breaks(healthy[call]):
        with prepared(aws) as cloud:
            cloud.break_(call, way, after=after, times=times)
            tally._tally.cache_clear()
            cloud.refused_events = 1
            left = give(tally, CLICKS)
            left = give(tally, left) if left else []
            cloud.heal()
            give_all(cloud, tally, left)
            check_counted(cloud)
            assert set(told(cloud)) == {event_id(one.id) for one in CLICKS}
            if call not in TELLING:
                assert set(told(cloud).values()) == {1}


@pytest.mark.parametrize("way", WAYS)
def test_nobody_is_told_against_a_workspaces_will(
    cloud: Cloud, tally: ModuleType, way: str
) -> None:
    clicks = [click(f"silent-{n}", person=f"p{n}", campaign=SILENT) for n in range(2)]
    with cloud.aside():
        for one in clicks:
            DynamoClicks(client("dynamodb"), "clicks").record(one)
    tally._tally.cache_clear()
    cloud.break_("GetItem of settings", way)
    assert give(tally, clicks) == clicks
    cloud.heal()
    assert give(tally, clicks) == []
    assert cloud.told == []
    check_counted(cloud, SILENT)


def test_at_random_each_click_counts_once(aws: Cloud, tally: ModuleType) -> None:
    random = Random(SEED)
    people = [LEFT, *(f"p{number}" for number in range(8))]
    clicks = [
        click(f"click-{n}", person=random.choice(people), name=random.choice("abc"), after=400 * n)
        for n in range(60 * ROUNDS)
    ]
    with prepared(aws, clicks) as cloud:
        tally._tally.cache_clear()
        left = list(clicks)
        while left:
            cloud.at_random(random, 0.15)
            random.shuffle(left)
            given, left = left[:9], left[9:]
            left += give(tally, given)
        cloud.heal()
        give_all(cloud, tally, [])
        check_counted(cloud)
        assert set(told(cloud)) == {event_id(one.id) for one in clicks}
        assert len(cloud.seen) > len(WAYS) / 2


def bring_home(drain: ModuleType, clicks: Collection[Click]) -> list[Click]:
    """What SQS does with messages: those that come again."""
    records = [{"messageId": one.id, "body": parked(one)} for one in clicks]
    again = drain.handler({"Records": records}, None)["batchItemFailures"]
    names = {failure["itemIdentifier"] for failure in again}
    return [one for one in clicks if one.id in names]


def test_every_call_of_the_drain_has_its_promise(aws: Cloud, drain: ModuleType) -> None:
    with prepared(aws, ()) as cloud:
        assert bring_home(drain, CLICKS) == []
        assert unpromised("drain", cloud.calls) == set()


@pytest.mark.parametrize("after", range(len(CLICKS)))
@pytest.mark.parametrize("way", WAYS)
def test_a_message_comes_again_until_its_click_is_in_the_ledger(
    aws: Cloud, drain: ModuleType, way: str, after: int
) -> None:
    with prepared(aws, ()) as cloud:
        cloud.break_("PutItem of click", way, after=after)
        assert bring_home(drain, CLICKS) == CLICKS[after:]
        cloud.heal()
        assert bring_home(drain, CLICKS[after:]) == []
        assert sorted(one.id for one in ledger(cloud)) == sorted(one.id for one in CLICKS)


def test_at_random_every_parked_click_comes_home_once(aws: Cloud, drain: ModuleType) -> None:
    random = Random(SEED)
    clicks = [click(f"click-{number}", person=f"p{number % 9}") for number in range(60 * ROUNDS)]
    with prepared(aws, clicks[::5]) as cloud:  # some of them were recorded after all
        left = list(clicks)
        while left:
            cloud.at_random(random, 0.3)
            random.shuffle(left)
            left = bring_home(drain, left[:9]) + left[9:]
        assert sorted(one.id for one in ledger(cloud)) == sorted(one.id for one in clicks)
