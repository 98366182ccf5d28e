"""Recount, replay, erase: what an operator does when something went wrong or somebody asks."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tests.clicks import CAMPAIGN, NOON, SENT, click
from tests.contract.conftest import Stores, memory_stores
from tests.fakes import MemoryMessages
from tests.tallies import tally_over
from waypost.clicks.fallback_queue import LOG_KEY, parked
from waypost.errors import StoreUnavailable
from waypost.ids import campaign_code, workspace_of
from waypost.maintenance.recount import Recounting
from waypost.maintenance.replay import replay
from waypost.models.campaign import SentMessage
from waypost.models.click import Click
from waypost.models.counters import TOTAL, Cell
from waypost.models.recipient import INLINE_MARKS
from waypost.privacy.erasure import SHEETS_A_STEP, Erasing
from waypost.repositories.recipients import Commit
from waypost.tally.service import Tally

ACME = workspace_of(CAMPAIGN)


@pytest.fixture
def stores() -> Stores:
    return memory_stores()


@pytest.fixture
def tally(stores: Stores) -> Tally:
    return tally_over(stores)


@pytest.fixture
def recounting(stores: Stores) -> Recounting:
    return Recounting(stores.clicks, stores.campaigns, stores.recipients, stores.workspaces)


def make(stores: Stores, tally: Tally, *clicks: Click) -> None:
    for made in clicks:
        stores.clicks.record(made)
    tally.count(clicks)


def drift(stores: Stores, **figures: int) -> None:
    increments = Counter({Cell(TOTAL, name): value for name, value in figures.items()})  # type: ignore[arg-type]
    stores.recipients.commit(Commit(CAMPAIGN, [], [], increments))


def test_a_campaign_that_is_right_has_no_differences(
    stores: Stores, tally: Tally, recounting: Recounting
) -> None:
    make(stores, tally, click("a"), click("b", name="shop", after=9), click("c", person=None))
    found = recounting.compare(CAMPAIGN)
    assert found.right
    assert (found.clicks, found.expired, found.moving) == (3, 0, False)


def test_drifted_counters_are_shown_and_set_right(
    stores: Stores, tally: Tally, recounting: Recounting
) -> None:
    make(stores, tally, click("a"))
    drift(stores, human=5, machine=-2)
    assert recounting.compare(CAMPAIGN).differences == {
        Cell(TOTAL, "human"): (6, 1),
        Cell(TOTAL, "machine"): (-2, 0),
    }
    assert recounting.repair(CAMPAIGN, tally).right
    assert stores.campaigns.counts(CAMPAIGN).total.human == 1


def test_clicks_that_were_never_counted_are_found_and_counted(
    stores: Stores, tally: Tally, recounting: Recounting
) -> None:
    make(stores, tally, click("a"))
    stores.clicks.record(click("lost", after=60))
    found = recounting.compare(CAMPAIGN)
    assert [made.id for made in found.uncounted] == ["lost"]
    assert found.differences[Cell(TOTAL, "human")] == (1, 2)
    assert recounting.repair(CAMPAIGN, tally).right


def test_counters_outlast_clicks_that_expired(
    stores: Stores, tally: Tally, recounting: Recounting
) -> None:
    make(stores, tally, click("a"), click("b", person="p2"))
    expired = Recounting(
        memory_stores().clicks, stores.campaigns, stores.recipients, stores.workspaces
    )
    found = expired.compare(CAMPAIGN)
    assert found.right
    assert (found.clicks, found.expired) == (0, 2)
    assert expired.repair(CAMPAIGN, tally).right
    assert stores.campaigns.counts(CAMPAIGN).total.human == 2


def test_a_campaign_whose_counters_move_is_left_alone(
    stores: Stores, tally: Tally, recounting: Recounting, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(stores, tally, click("a"))
    drift(stores, human=1)
    counts = stores.campaigns.counts

    def moving(campaign: Any) -> Any:
        drift(stores, human=1)
        return counts(campaign)

    monkeypatch.setattr(stores.campaigns, "counts", moving)
    before = counts(CAMPAIGN).total.human
    found = recounting.repair(CAMPAIGN, tally)
    assert found.moving
    assert counts(CAMPAIGN).total.human > before  # nothing was taken away


def lines() -> dict[str, str]:
    image = {"eventName": "INSERT", "dynamodb": {"NewImage": click("s3").to_item()}}
    batch = {"Records": [image]}
    return {
        "log": json.dumps({"level": "ERROR", LOG_KEY: click("log").stored()}),
        "timed": f"2026-11-21T12:00:00Z {json.dumps({LOG_KEY: click('timed').stored()})}",
        "exported": json.dumps(
            {"events": [{"message": json.dumps({LOG_KEY: click("exported").stored()})}]}
        ),
        "queue": parked(click("queue")),
        "received": json.dumps({"Messages": [{"Body": parked(click("received"))}]}),
        "s3": json.dumps(batch),
        "payload": json.dumps({"requestContext": {}, "payload": json.dumps(batch)}),
    }


@pytest.mark.parametrize("kind", lines())
def test_a_click_is_brought_home_from_wherever_it_was_left(
    stores: Stores, tally: Tally, kind: str
) -> None:
    done = replay(lines()[kind], stores.clicks, tally)
    assert (done.found, done.recorded, done.counted, done.failed) == (1, 1, 1, 0)
    again = replay(lines()[kind], stores.clicks, tally)
    assert (again.found, again.recorded, again.counted) == (1, 0, 0)
    assert stores.campaigns.counts(CAMPAIGN).total.total == 1


def test_lines_of_all_kinds_stand_in_one_file(stores: Stores, tally: Tally) -> None:
    other = ["", "START RequestId: 1", '{"level":"INFO"}', '{"cut":', '{"link":1,"delivery":2}']
    done = replay("\n".join([*lines().values(), *other]), stores.clicks, tally)
    assert (done.found, done.recorded, done.unreadable) == (7, 6, 1)  # s3 and payload are one


def test_a_click_recorded_and_never_counted_is_counted_by_a_replay(
    stores: Stores, tally: Tally
) -> None:
    stores.clicks.record(click("s3"))
    done = replay(lines()["s3"], stores.clicks, tally)
    assert (done.recorded, done.counted) == (0, 1)


def test_a_replay_tells_what_it_could_not_do(
    stores: Stores, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = stores.clicks.record

    def fail(made: Click) -> bool:
        if made.id == "log":
            raise StoreUnavailable("away")
        return record(made)

    monkeypatch.setattr(stores.clicks, "record", fail)
    done = replay("\n".join(lines().values()), stores.clicks, tally)
    assert (done.failed, done.recorded) == (1, 5)


@pytest.fixture
def erasing(stores: Stores) -> Erasing:
    return Erasing(stores.clicks, stores.recipients, stores.workspaces, MemoryMessages())


def traces(stores: Stores, person: str) -> list[object]:
    records: list[Any] = [*stores.clicks.of_campaign(CAMPAIGN)]
    records += stores.recipients.of_campaign(CAMPAIGN)
    return [record for record in records if person in str(record)]


@pytest.mark.parametrize("number", [1, 3, INLINE_MARKS, INLINE_MARKS * 3])
def test_an_erased_person_is_nowhere_and_every_figure_stays(
    stores: Stores, tally: Tally, recounting: Recounting, erasing: Erasing, number: int
) -> None:
    theirs = [
        click(f"c{n}", person="erika", name="abcdef"[n % 6], after=n * 40.0) for n in range(number)
    ]
    make(stores, tally, *theirs, click("other", person="p2"))
    before = stores.campaigns.counts(CAMPAIGN)
    erased = erasing.erase(ACME, "erika", NOON)
    assert (erased.clicks, erased.campaigns, erased.clean) == (number, 1, True)
    assert traces(stores, "erika") == []
    assert stores.campaigns.counts(CAMPAIGN) == before
    assert recounting.compare(CAMPAIGN).right
    assert number < INLINE_MARKS * 3 or number - INLINE_MARKS > SHEETS_A_STEP  # in several steps


def test_what_comes_in_after_the_erasure_is_nobodys_and_the_same_recipients(
    stores: Stores, tally: Tally, recounting: Recounting, erasing: Erasing
) -> None:
    make(stores, tally, click("a", person="erika"))
    erasing.erase(ACME, "erika", NOON)
    tally.count([click("a", person="erika")])  # the stream, once more
    make(stores, tally, click("late", person="erika", after=60))
    tally.count(list(stores.clicks.of_campaign(CAMPAIGN)))
    total = stores.campaigns.counts(CAMPAIGN).total
    assert (total.total, total.people, total.deliveries) == (2, 1, 1)
    assert traces(stores, "erika") == []
    assert recounting.compare(CAMPAIGN).right


def test_an_erasure_finds_every_campaign_of_the_workspace_and_no_other(
    stores: Stores, tally: Tally, erasing: Erasing
) -> None:
    autumn, foreign = campaign_code("acme", "autumn"), campaign_code("globex", "spring-sale")
    for campaign in (CAMPAIGN, autumn, foreign):
        made = click(f"c-{campaign}", person="erika", campaign=campaign)
        make(stores, tally, made)
    assert erasing.erase(ACME, "erika", NOON).campaigns == 2
    assert next(iter(stores.clicks.of_campaign(foreign))).person == "erika"


def test_an_erasure_that_broke_off_is_finished_by_the_next(
    stores: Stores,
    tally: Tally,
    recounting: Recounting,
    erasing: Erasing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make(stores, tally, *(click(f"c{n}", person="erika", after=n * 60.0) for n in range(30)))
    anonymise, calls = stores.clicks.anonymise, Counter[str]()

    def breaking(made: Click, anonymous: Click) -> None:
        calls["all"] += 1
        if calls["all"] == 12:
            raise StoreUnavailable("away")
        anonymise(made, anonymous)

    monkeypatch.setattr(stores.clicks, "anonymise", breaking)
    with pytest.raises(StoreUnavailable):
        erasing.erase(ACME, "erika", NOON)
    assert erasing.erase(ACME, "erika", NOON).clean
    assert traces(stores, "erika") == []
    assert recounting.compare(CAMPAIGN).right


def test_an_event_that_was_not_told_before_the_erasure_is_still_due(
    stores: Stores, erasing: Erasing
) -> None:
    """A mark that moves keeps the batch that its notice is found by."""

    class Down:
        def tell(self, clicks: Any) -> set[str]:
            raise StoreUnavailable("down")

    class Up:
        def __init__(self) -> None:
            self.told: list[Click] = []

        def tell(self, clicks: Any) -> set[str]:
            self.told += [made for made, _ in clicks]
            return {made.id for made, _ in clicks}

    make(stores, tally_over(stores, Down()), click("a", person="erika"))
    erasing.erase(ACME, "erika", NOON)
    bus = Up()
    tally_over(stores, bus).count([click("a", person="erika")])
    assert [(made.id, made.person) for made in bus.told] == [("a", None)]


def test_opting_out_twice_and_erasing_keep_one_alias(stores: Stores, erasing: Erasing) -> None:
    wish = stores.workspaces.opt_out(ACME, "erika", SENT)
    erasing.erase(ACME, "erika", NOON)
    assert stores.workspaces.opt_out(ACME, "erika", NOON) == wish


def test_messages_rendered_for_one_recipient_go_with_an_erased_person(stores: Stores) -> None:
    messages = MemoryMessages(NOON.timestamp)
    messages.keep(SentMessage(campaign=CAMPAIGN, html="Dear Erika", rendered=True, expires=2**31))
    erasing = Erasing(stores.clicks, stores.recipients, stores.workspaces, messages)
    assert erasing.erase(workspace_of(CAMPAIGN), "erika", NOON).clean
    assert messages.message(CAMPAIGN) is None
