"""Recount, replay and erasure: the operator's tools after a failure or a request."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, cast

import pytest

from tests.click_factory import CAMPAIGN, NOON, SENT, make_click
from tests.fakes import InMemoryMessageRepository, create_in_memory_repositories
from tests.tally_factory import create_tally
from waypost.clicks.fallback_queue import UNRECORDED_CLICK_LOG_KEY, serialize_click
from waypost.composition import Repositories, build_late_click_recorder
from waypost.errors import StoreUnavailable
from waypost.ids import derive_campaign_id, extract_workspace_id
from waypost.maintenance.recount import RecountService
from waypost.maintenance.replay import extract_clicks, replay_clicks
from waypost.models.campaign import MessageAbsence, SentMessage, recipient_hash
from waypost.models.click import Click
from waypost.models.counters import TOTAL_COUNTER, CounterCell, Figure
from waypost.models.recipient import MAX_INLINE_CLICKS
from waypost.privacy.erasure import OVERFLOW_ITEMS_PER_STEP, Erasure
from waypost.repositories.recipients import Commit
from waypost.tally.service import LateClickRecorder, TallyService

ACME = extract_workspace_id(CAMPAIGN)


@pytest.fixture
def stores() -> Repositories:
    return create_in_memory_repositories()


@pytest.fixture
def tally(stores: Repositories) -> TallyService:
    return create_tally(stores)


@pytest.fixture
def recorder(stores: Repositories) -> LateClickRecorder:
    return build_late_click_recorder(stores)


@pytest.fixture
def recount_service(stores: Repositories) -> RecountService:
    return RecountService(stores.clicks, stores.campaigns, stores.recipients, stores.workspaces)


def count(stores: Repositories, tally: TallyService, *clicks: Click) -> None:
    for click in clicks:
        stores.clicks.record(click)
    tally.count_clicks(clicks)


def drift(stores: Repositories, **figures: int) -> None:
    cells = {CounterCell(TOTAL_COUNTER, cast(Figure, name)): n for name, n in figures.items()}
    increments = Counter(cells)
    stores.recipients.commit(Commit(CAMPAIGN, [], [], increments))


def test_correct_campaign_has_no_differences(
    stores: Repositories, tally: TallyService, recount_service: RecountService
) -> None:
    count(
        stores,
        tally,
        make_click("a"),
        make_click("b", name="shop", after=9),
        make_click("c", person=None),
    )
    found = recount_service.compare(CAMPAIGN)
    assert found.is_consistent
    assert (found.clicks, found.expired, found.is_changing) == (3, 0, False)


def test_drifted_counters_are_reported_and_repaired(
    stores: Repositories, tally: TallyService, recount_service: RecountService
) -> None:
    count(stores, tally, make_click("a"))
    drift(stores, human=5, machine=-2)
    assert recount_service.compare(CAMPAIGN).differences == {
        CounterCell(TOTAL_COUNTER, "human"): (6, 1),
        CounterCell(TOTAL_COUNTER, "machine"): (-2, 0),
    }
    assert recount_service.repair(CAMPAIGN, tally).is_consistent
    assert stores.campaigns.get_counts(CAMPAIGN).total.human == 1


def test_uncounted_clicks_are_found_and_counted(
    stores: Repositories, tally: TallyService, recount_service: RecountService
) -> None:
    count(stores, tally, make_click("a"))
    stores.clicks.record(make_click("lost", after=60))
    found = recount_service.compare(CAMPAIGN)
    assert [click.id for click in found.uncounted] == ["lost"]
    assert found.differences[CounterCell(TOTAL_COUNTER, "human")] == (1, 2)
    assert recount_service.repair(CAMPAIGN, tally).is_consistent


def test_recount_keeps_counters_of_expired_clicks(
    stores: Repositories, tally: TallyService, recount_service: RecountService
) -> None:
    count(stores, tally, make_click("a"), make_click("b", person="p2"))
    expired = RecountService(
        create_in_memory_repositories().clicks,
        stores.campaigns,
        stores.recipients,
        stores.workspaces,
    )
    found = expired.compare(CAMPAIGN)
    assert found.is_consistent
    assert (found.clicks, found.expired) == (0, 2)
    assert expired.repair(CAMPAIGN, tally).is_consistent
    assert stores.campaigns.get_counts(CAMPAIGN).total.human == 2


def test_campaign_with_changing_counters_is_not_repaired(
    stores: Repositories,
    tally: TallyService,
    recount_service: RecountService,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count(stores, tally, make_click("a"))
    drift(stores, human=1)
    counts = stores.campaigns.get_counts

    def change_counters(campaign: Any) -> Any:
        drift(stores, human=1)
        return counts(campaign)

    monkeypatch.setattr(stores.campaigns, "get_counts", change_counters)
    before = counts(CAMPAIGN).total.human
    found = recount_service.repair(CAMPAIGN, tally)
    assert found.is_changing
    assert counts(CAMPAIGN).total.human > before  # no counter was reduced


def lines() -> dict[str, str]:
    image = {"eventName": "INSERT", "dynamodb": {"NewImage": make_click("s3").to_item()}}
    batch = {"Records": [image]}
    return {
        "log": json.dumps(
            {"level": "ERROR", UNRECORDED_CLICK_LOG_KEY: make_click("log").to_dict()}
        ),
        "timed": "2026-11-21T12:00:00Z "
        + json.dumps({UNRECORDED_CLICK_LOG_KEY: make_click("timed").to_dict()}),
        "exported": json.dumps(
            {
                "events": [
                    {
                        "message": json.dumps(
                            {UNRECORDED_CLICK_LOG_KEY: make_click("exported").to_dict()}
                        )
                    }
                ]
            }
        ),
        "queue": serialize_click(make_click("queue")),
        "received": json.dumps({"Messages": [{"Body": serialize_click(make_click("received"))}]}),
        "s3": json.dumps(batch),
        "payload": json.dumps({"requestContext": {}, "payload": json.dumps(batch)}),
    }


@pytest.mark.parametrize("kind", lines())
def test_click_is_replayed_from_every_source(
    stores: Repositories, recorder: LateClickRecorder, tally: TallyService, kind: str
) -> None:
    done = replay_clicks(lines()[kind], recorder, tally)
    assert (done.total, done.recorded, done.counted, done.failed) == (1, 1, 1, 0)
    again = replay_clicks(lines()[kind], recorder, tally)
    assert (again.total, again.recorded, again.counted) == (1, 0, 0)
    assert stores.campaigns.get_counts(CAMPAIGN).total.total == 1


def test_replay_file_may_mix_lines_of_all_sources(
    recorder: LateClickRecorder, tally: TallyService
) -> None:
    other = ["", "START RequestId: 1", '{"level":"INFO"}', '{"cut":', '{"link":1,"delivery":2}']
    done = replay_clicks("\n".join([*lines().values(), *other]), recorder, tally)
    assert (done.total, done.recorded, done.unreadable) == (
        7,
        6,
        1,
    )  # the s3 and payload lines contain the same click


@pytest.mark.parametrize("nested", ["[" * 100_000, '{"message": ' * 100_000, "[" * 900 + "]" * 900])
def test_replay_skips_json_that_nests_too_deeply(nested: str) -> None:
    click = make_click("c1").to_dict()
    text = "\n".join((f'{{"payload": {nested}', nested, json.dumps(click)))
    assert list(extract_clicks(text)) == [click]


def test_replay_counts_a_recorded_but_uncounted_click(
    stores: Repositories, recorder: LateClickRecorder, tally: TallyService
) -> None:
    stores.clicks.record(make_click("s3"))
    done = replay_clicks(lines()["s3"], recorder, tally)
    assert (done.recorded, done.counted) == (0, 1)


def test_replay_reports_its_failures(
    stores: Repositories,
    recorder: LateClickRecorder,
    tally: TallyService,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = stores.clicks.record

    def fail(click: Click) -> bool:
        if click.id == "log":
            raise StoreUnavailable("away")
        return record(click)

    monkeypatch.setattr(stores.clicks, "record", fail)
    done = replay_clicks("\n".join(lines().values()), recorder, tally)
    assert (done.failed, done.recorded) == (1, 5)


def test_replay_stores_no_identity_of_an_erased_person(
    stores: Repositories,
    recorder: LateClickRecorder,
    tally: TallyService,
    erasure: Erasure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count(stores, tally, make_click("log", person="erika"), make_click("other", person="p2"))
    erasure.erase(ACME, "erika", NOON)
    written: list[Click] = []
    record = stores.clicks.record

    def write(click: Click) -> bool:
        written.append(click)
        return record(click)

    monkeypatch.setattr(stores.clicks, "record", write)
    stored, missing = (make_click(name, person="erika") for name in ("log", "lost"))
    text = "\n".join(map(serialize_click, (stored, missing)))
    done = replay_clicks(text, recorder, tally)
    assert (done.total, done.recorded, done.counted, done.failed) == (2, 1, 1, 0)
    assert "erika" not in str(written)
    assert stores.campaigns.get_counts(CAMPAIGN).total.people == 2


def test_click_from_before_an_erasure_has_no_identity_after_an_opt_in(
    stores: Repositories, recorder: LateClickRecorder, tally: TallyService, erasure: Erasure
) -> None:
    erasure.erase(ACME, "erika", NOON)
    stores.workspaces.opt_in(ACME, "erika", NOON)
    queued = [make_click(n, person="erika", after=after) for n, after in (("old", 0), ("new", 1))]
    done = replay_clicks("\n".join(map(serialize_click, queued)), recorder, tally)
    assert (done.recorded, done.counted) == (2, 2)
    people = {click.id: click.person for click in stores.clicks.scan_by_campaign(CAMPAIGN)}
    assert people == {"old": None, "new": "erika"}


def test_replayed_click_that_was_counted_before_its_opt_out_is_not_stored_again(
    stores: Repositories, tally: TallyService
) -> None:
    counted = make_click("queue", person="erika")
    count(stores, tally, counted)
    stores.clicks = create_in_memory_repositories().clicks  # the ledger's items have expired
    stores.workspaces.opt_out(ACME, "erika", NOON)
    fresh = build_late_click_recorder(stores)
    done = replay_clicks(serialize_click(counted), fresh, create_tally(stores))
    assert (done.total, done.recorded, done.counted, done.failed) == (1, 0, 0, 0)
    assert list(stores.clicks.scan_by_campaign(CAMPAIGN)) == []
    assert stores.campaigns.get_counts(CAMPAIGN).total.total == 1


@pytest.fixture
def erasure(stores: Repositories) -> Erasure:
    return Erasure(stores, scans_tables=True)


def find_traces(stores: Repositories, person: str) -> list[object]:
    records: list[Any] = [*stores.clicks.scan_by_campaign(CAMPAIGN)]
    records += stores.recipients.iter_by_campaign(CAMPAIGN)
    return [record for record in records if person in str(record)]


@pytest.mark.parametrize("number", [1, 3, MAX_INLINE_CLICKS, MAX_INLINE_CLICKS * 3])
def test_erased_person_is_removed_and_figures_are_unchanged(
    stores: Repositories,
    tally: TallyService,
    recount_service: RecountService,
    erasure: Erasure,
    number: int,
) -> None:
    theirs = [
        make_click(f"c{n}", person="erika", name="abcdef"[n % 6], after=n * 40.0)
        for n in range(number)
    ]
    count(stores, tally, *theirs, make_click("other", person="p2"))
    before = stores.campaigns.get_counts(CAMPAIGN)
    erased = erasure.erase(ACME, "erika", NOON)
    assert (erased.clicks, erased.campaigns, erased.is_complete) == (number, 1, True)
    assert find_traces(stores, "erika") == []
    assert stores.campaigns.get_counts(CAMPAIGN) == before
    assert recount_service.compare(CAMPAIGN).is_consistent
    assert (
        number < MAX_INLINE_CLICKS * 3 or number - MAX_INLINE_CLICKS > OVERFLOW_ITEMS_PER_STEP
    )  # in several transactions


def test_clicks_after_an_erasure_are_anonymous_and_of_the_same_recipient(
    stores: Repositories,
    tally: TallyService,
    recount_service: RecountService,
    erasure: Erasure,
) -> None:
    count(stores, tally, make_click("a", person="erika"))
    erasure.erase(ACME, "erika", NOON)
    tally.count_clicks([make_click("a", person="erika")])  # the stream again
    count(stores, tally, make_click("late", person="erika", after=60))
    tally.count_clicks(list(stores.clicks.scan_by_campaign(CAMPAIGN)))
    total = stores.campaigns.get_counts(CAMPAIGN).total
    assert (total.total, total.people, total.deliveries) == (2, 1, 1)
    assert find_traces(stores, "erika") == []
    assert recount_service.compare(CAMPAIGN).is_consistent


def test_erasure_covers_every_campaign_of_the_workspace_only(
    stores: Repositories, tally: TallyService, erasure: Erasure
) -> None:
    autumn, foreign = (
        derive_campaign_id("acme", "autumn"),
        derive_campaign_id("globex", "spring-sale"),
    )
    for campaign in (CAMPAIGN, autumn, foreign):
        click = make_click(f"c-{campaign}", person="erika", campaign=campaign)
        count(stores, tally, click)
    assert erasure.erase(ACME, "erika", NOON).campaigns == 2
    assert next(iter(stores.clicks.scan_by_campaign(foreign))).person == "erika"


def test_interrupted_erasure_is_completed_by_the_next(
    stores: Repositories,
    tally: TallyService,
    recount_service: RecountService,
    erasure: Erasure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count(stores, tally, *(make_click(f"c{n}", person="erika", after=n * 60.0) for n in range(30)))
    anonymize, calls = stores.clicks.anonymize, Counter[str]()

    def breaking(click: Click, anonymous: Click) -> None:
        calls["all"] += 1
        if calls["all"] == 12:
            raise StoreUnavailable("away")
        anonymize(click, anonymous)

    monkeypatch.setattr(stores.clicks, "anonymize", breaking)
    with pytest.raises(StoreUnavailable):
        erasure.erase(ACME, "erika", NOON)
    assert erasure.erase(ACME, "erika", NOON).is_complete
    assert find_traces(stores, "erika") == []
    assert recount_service.compare(CAMPAIGN).is_consistent


def test_unpublished_event_is_published_after_an_erasure(
    stores: Repositories, erasure: Erasure
) -> None:
    """A moved click keeps its batch, by which its outbox entry is found."""

    class Down:
        def publish(self, clicks: Any) -> set[str]:
            raise StoreUnavailable("down")

    class Up:
        def __init__(self) -> None:
            self.published: list[Click] = []

        def publish(self, clicks: Any) -> set[str]:
            self.published += [click for click, _ in clicks]
            return {click.id for click, _ in clicks}

    count(stores, create_tally(stores, Down()), make_click("a", person="erika"))
    erasure.erase(ACME, "erika", NOON)
    bus = Up()
    create_tally(stores, bus).count_clicks([make_click("a", person="erika")])
    assert [(click.id, click.person) for click in bus.published] == [("a", None)]


def test_repeated_opt_out_and_erasure_keep_one_alias(
    stores: Repositories, erasure: Erasure
) -> None:
    wish = stores.workspaces.opt_out(ACME, "erika", SENT)
    erasure.erase(ACME, "erika", NOON)
    again = stores.workspaces.opt_out(ACME, "erika", NOON)
    assert again.derive_alias(CAMPAIGN) == wish.derive_alias(CAMPAIGN)


def test_erasure_deletes_messages_of_one_recipient(stores: Repositories) -> None:
    stores.messages = messages = InMemoryMessageRepository(NOON.timestamp)
    messages.add(
        SentMessage(
            campaign=CAMPAIGN,
            html="Dear Erika",
            rendered=True,
            expires=2**31,
            recipient=recipient_hash(ACME, "p:erika"),
        )
    )
    erasure = Erasure(stores, scans_tables=True)
    assert erasure.erase(ACME, "erika", NOON).is_complete
    assert messages.get(CAMPAIGN) is MessageAbsence.ERASED
