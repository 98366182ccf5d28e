"""Each fault of each call of the tally and the drain: failed clicks are retried, and count once.

docs/faults.md lists the promises that these tests check.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from types import ModuleType

import pytest

from tests import lambda_handlers
from tests.click_factory import CAMPAIGN, NOON, make_click
from tests.faults.call_faults import CALL_FAULTS
from tests.faults.click_simulation import compute_counters
from tests.faults.fake_cloud import FakeCloud, get_repositories
from tests.faults.fault_injector import fault_schedules
from tests.faults.invariants import FAULT_SEED, SOAK_ROUNDS
from tests.faults.promises import find_missing_promises, list_calls
from waypost.clicks.fallback_queue import serialize_click
from waypost.errors import StoreError
from waypost.ids import CampaignId, derive_campaign_id, derive_workspace_id
from waypost.models.click import Click
from waypost.models.workspace import WorkspaceSettings
from waypost.tally.event_publisher import derive_event_id

SILENT = derive_campaign_id("silent", "spring-sale")
OPTED_OUT_PERSON = "p-left"
"""A person who opted out before the clicks."""
PUBLISH_CALLS = ("PutEvents", "PutItem of outbox entry", "DeleteItem of outbox entry")
"""Calls after whose failure an event may have been published."""
CLICKS = [
    make_click("click-1", person="p1"),
    make_click("click-2", person="p1", name="shop", after=400),
    make_click("click-3", person="p2"),
    make_click("click-4", person=OPTED_OUT_PERSON),
]


@pytest.fixture(scope="module")
def tally(aws: FakeCloud) -> ModuleType:
    return lambda_handlers.load_function("tally")


@pytest.fixture(scope="module")
def drain(aws: FakeCloud) -> ModuleType:
    return lambda_handlers.load_function("drain")


@contextmanager
def prepare_cloud(aws: FakeCloud, clicks: Sequence[Click] = CLICKS) -> Iterator[FakeCloud]:
    """Prepare recorded clicks, and a workspace that publishes no events."""
    with pytest.MonkeyPatch.context() as patch, aws.reset():
        patch.setattr("waypost.clicks.settings_cache.SETTINGS_RETRY_SECONDS", 0)
        with aws.bypass_faults():
            workspaces = get_repositories().workspaces
            workspaces.save_settings(
                "silent", WorkspaceSettings(events="none", machine_threshold=10)
            )
            workspaces.opt_out(derive_workspace_id("acme"), OPTED_OUT_PERSON, NOON)
            for one in clicks:
                get_repositories().clicks.record(one)
        yield aws


@pytest.fixture
def cloud(aws: FakeCloud) -> Iterator[FakeCloud]:
    with prepare_cloud(aws) as fake_cloud:
        yield fake_cloud


def list_recorded_clicks(cloud: FakeCloud, campaign: CampaignId = CAMPAIGN) -> list[Click]:
    with cloud.bypass_faults():
        return list(get_repositories().clicks.scan_by_campaign(campaign))


def invoke_tally(tally: ModuleType, clicks: Collection[Click]) -> list[Click]:
    """Invoke the tally with a batch of the stream; return the clicks to retry."""
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


def invoke_tally_until_done(cloud: FakeCloud, tally: ModuleType, clicks: Collection[Click]) -> None:
    """Retry a batch until no click is returned, then count all recorded clicks."""
    remaining = list(clicks)
    while remaining:
        remaining = invoke_tally(tally, remaining)
    cloud.clear_faults()
    remaining = list_recorded_clicks(cloud)
    while remaining:
        remaining = invoke_tally(tally, remaining)


def check_counted(cloud: FakeCloud, campaign: CampaignId = CAMPAIGN) -> None:
    """Check that counters match the recorded clicks, and that no click has an opted-out person."""
    recorded_clicks = list_recorded_clicks(cloud, campaign)
    with cloud.bypass_faults():
        counts = get_repositories().campaigns.get_counts(campaign)
    cells = {
        (c.counter, c.figure): v for c, v in counts.to_increments().items() if c.figure != "shared"
    }
    assert cells == compute_counters(recorded_clicks)
    assert OPTED_OUT_PERSON not in {one.person for one in recorded_clicks}


def count_bus_events(cloud: FakeCloud) -> Counter[str]:
    return Counter(json.loads(entry["Detail"])["event_id"] for entry in cloud.published_events)


@pytest.fixture(scope="module")
def healthy(aws: FakeCloud, tally: ModuleType) -> Counter[str]:
    """Count the calls of a batch of which the bus rejects an event at first."""
    with prepare_cloud(aws) as cloud:
        run_healthy_batch(cloud, tally)
        check_counted(cloud)
        assert set(count_bus_events(cloud).values()) == {1}
        return Counter(cloud.calls)


def run_healthy_batch(cloud: FakeCloud, tally: ModuleType) -> None:
    tally._tally_service.cache_clear()
    cloud.refused_events = 1
    remaining = invoke_tally(tally, CLICKS)
    invoke_tally_until_done(cloud, tally, remaining)


def test_every_call_has_its_promise(healthy: Counter[str]) -> None:
    assert find_missing_promises("tally", healthy) == set()


@pytest.mark.parametrize("fault", CALL_FAULTS)
@pytest.mark.parametrize(
    "call", list_calls("tally", "test_each_click_is_counted_once_on_any_fault")
)
def test_each_click_is_counted_once_on_any_fault(
    aws: FakeCloud, tally: ModuleType, healthy: Counter[str], call: str, fault: str
) -> None:
    for after, times in fault_schedules(healthy[call]):
        with prepare_cloud(aws) as cloud:
            cloud.plan_fault(call, fault, after=after, times=times)
            tally._tally_service.cache_clear()
            cloud.refused_events = 1
            remaining = invoke_tally(tally, CLICKS)
            remaining = invoke_tally(tally, remaining) if remaining else []
            cloud.clear_faults()
            invoke_tally_until_done(cloud, tally, remaining)
            check_counted(cloud)
            assert set(count_bus_events(cloud)) == {derive_event_id(one.id) for one in CLICKS}
            if call not in PUBLISH_CALLS:
                assert set(count_bus_events(cloud).values()) == {1}


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_event_policy_none_holds_on_any_fault(
    cloud: FakeCloud, tally: ModuleType, fault: str
) -> None:
    clicks = [make_click(f"silent-{n}", person=f"p{n}", campaign=SILENT) for n in range(2)]
    with cloud.bypass_faults():
        for one in clicks:
            get_repositories().clicks.record(one)
    tally._tally_service.cache_clear()
    cloud.plan_fault("GetItem of settings", fault)
    assert invoke_tally(tally, clicks) == clicks
    cloud.clear_faults()
    assert invoke_tally(tally, clicks) == []
    assert cloud.published_events == []
    check_counted(cloud, SILENT)


def test_each_click_is_counted_once_under_random_faults(aws: FakeCloud, tally: ModuleType) -> None:
    random = Random(FAULT_SEED)
    people = [OPTED_OUT_PERSON, *(f"p{number}" for number in range(8))]
    clicks = [
        make_click(
            f"click-{n}", person=random.choice(people), name=random.choice("abc"), after=400 * n
        )
        for n in range(60 * SOAK_ROUNDS)
    ]
    with prepare_cloud(aws, clicks) as cloud:
        tally._tally_service.cache_clear()
        remaining = list(clicks)
        while remaining:
            cloud.inject_at_random(random, 0.15)
            random.shuffle(remaining)
            batch, remaining = remaining[:9], remaining[9:]
            remaining += invoke_tally(tally, batch)
        cloud.clear_faults()
        invoke_tally_until_done(cloud, tally, [])
        check_counted(cloud)
        assert set(count_bus_events(cloud)) == {derive_event_id(one.id) for one in clicks}
        assert len(cloud.fault_counts) > len(CALL_FAULTS) / 2


def invoke_drain(drain: ModuleType, clicks: Collection[Click]) -> list[Click]:
    """Invoke the drain with messages; return the clicks to retry."""
    records = [{"messageId": one.id, "body": serialize_click(one)} for one in clicks]
    failures = drain.handler({"Records": records}, None)["batchItemFailures"]
    names = {failure["itemIdentifier"] for failure in failures}
    return [one for one in clicks if one.id in names]


def test_every_call_of_the_drain_has_its_promise(aws: FakeCloud, drain: ModuleType) -> None:
    with prepare_cloud(aws, ()) as cloud:
        assert invoke_drain(drain, CLICKS) == []
        assert find_missing_promises("drain", cloud.calls) == set()


@pytest.mark.parametrize("after", range(len(CLICKS)))
@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_message_is_returned_until_its_click_is_recorded(
    aws: FakeCloud, drain: ModuleType, fault: str, after: int
) -> None:
    with prepare_cloud(aws, ()) as cloud:
        cloud.plan_fault("PutItem of click", fault, after=after)
        assert invoke_drain(drain, CLICKS) == CLICKS[after:]
        cloud.clear_faults()
        assert invoke_drain(drain, CLICKS[after:]) == []
        check_drained(cloud, CLICKS)


@pytest.mark.parametrize("fault", CALL_FAULTS)
@pytest.mark.parametrize("call", list_calls("drain", "test_no_click_is_recorded_before_opt_outs"))
def test_no_click_is_recorded_before_opt_outs(
    aws: FakeCloud, drain: ModuleType, call: str, fault: str
) -> None:
    with prepare_cloud(aws, ()) as cloud:
        cloud.plan_fault(call, fault)
        assert invoke_drain(drain, CLICKS) == CLICKS
        assert list_recorded_clicks(cloud) == []
        cloud.clear_faults()
        assert invoke_drain(drain, CLICKS) == []
        check_drained(cloud, CLICKS)


def check_drained(cloud: FakeCloud, clicks: Collection[Click]) -> None:
    """Check that each click is recorded once, and without identity if its person opted out."""
    recorded_clicks = list_recorded_clicks(cloud)
    assert sorted(one.id for one in recorded_clicks) == sorted(one.id for one in clicks)
    assert OPTED_OUT_PERSON not in {one.person for one in recorded_clicks}


def test_each_queued_click_is_recorded_once_under_random_faults(
    aws: FakeCloud, drain: ModuleType
) -> None:
    random = Random(FAULT_SEED)
    clicks = [
        make_click(f"click-{number}", person=random.choice((OPTED_OUT_PERSON, "p1", "p2", "p3")))
        for number in range(60 * SOAK_ROUNDS)
    ]
    known_clicks = [one for one in clicks[::5] if one.person != OPTED_OUT_PERSON]
    with prepare_cloud(aws, known_clicks) as cloud:
        remaining = list(clicks)
        while remaining:
            cloud.inject_at_random(random, 0.3)
            random.shuffle(remaining)
            remaining = invoke_drain(drain, remaining[:9]) + remaining[9:]
        cloud.clear_faults()
        check_drained(cloud, clicks)
