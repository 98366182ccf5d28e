"""The tally service over in-memory repositories: clicks counted, published and returned."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import pytest

from tests.click_factory import CAMPAIGN, NOON, make_click, make_link_id
from tests.fakes import create_in_memory_repositories
from tests.tally_factory import create_tally
from waypost.bot_detection.scoring import BotVerdict
from waypost.composition import Repositories
from waypost.errors import StoreUnavailable, WriteConflict
from waypost.ids import derive_campaign_id, extract_workspace_id
from waypost.models.click import Click
from waypost.models.counters import ClickCounts
from waypost.models.recipient import CountedClick, RecipientKey, RecipientRow, click_hash
from waypost.models.workspace import EventPolicy, WorkspaceSettings
from waypost.repositories.recipients import MAX_COMMIT_ACTIONS, Commit
from waypost.tally.service import TallyService
from waypost.tally.transactions import (
    MAX_COMMIT_ATTEMPTS,
    CountingPolicy,
    RecipientState,
    plan_transactions,
)

ACME = extract_workspace_id(CAMPAIGN)


class Bus:
    def __init__(self) -> None:
        self.published: list[tuple[Click, BotVerdict]] = []
        self.rejected: set[str] = set()
        self.down = False

    def publish(self, clicks: Sequence[tuple[Click, BotVerdict]]) -> set[str]:
        if self.down:
            raise StoreUnavailable("down")
        taken = [(click, verdict) for click, verdict in clicks if click.id not in self.rejected]
        self.published += taken
        return {click.id for click, _ in taken}

    @property
    def ids(self) -> list[str]:
        return [click.id for click, _ in self.published]


@pytest.fixture
def stores() -> Repositories:
    return create_in_memory_repositories()


@pytest.fixture
def bus() -> Bus:
    return Bus()


def create_tally_with(
    stores: Repositories, bus: Bus | None, recipients: Any = None
) -> TallyService:
    wired = copy(stores)
    wired.recipients = recipients or stores.recipients
    return create_tally(wired, bus)


@pytest.fixture
def tally(stores: Repositories, bus: Bus) -> TallyService:
    return create_tally_with(stores, bus)


def get_total(stores: Repositories) -> ClickCounts:
    return stores.campaigns.get_counts(CAMPAIGN).total


class FailingRecipientRepository:
    """A recipient repository whose methods fail a planned number of times."""

    def __init__(self, inner: Any, **failures: tuple[int, Exception]) -> None:
        self.inner, self.failures = inner, dict(failures)
        self.after = False  # True: the method does its work before it fails

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            remaining, error = self.failures.get(name, (0, ValueError()))
            if not remaining:
                return method(*args, **kwargs)
            self.failures[name] = (remaining - 1, error)
            if self.after:
                method(*args, **kwargs)
            raise error

        return call


def test_click_is_counted_once_when_its_batch_is_retried(
    stores: Repositories, tally: TallyService
) -> None:
    assert tally.count_clicks([make_click(), make_click()]).new_count == 1
    assert tally.count_clicks([make_click()]).new_count == 0
    assert get_total(stores).total == 1


def test_batch_with_several_campaigns_is_counted_per_campaign(
    stores: Repositories, tally: TallyService
) -> None:
    autumn = derive_campaign_id("acme", "autumn")
    assert tally.count_clicks([make_click("a"), make_click("b", campaign=autumn)]).new_count == 2
    assert get_total(stores).total == 1
    assert stores.campaigns.get_counts(autumn).total.total == 1


def test_late_click_of_a_burst_reclassifies_the_earlier_clicks(
    stores: Repositories, tally: TallyService
) -> None:
    tally.count_clicks([make_click(name, name=name, after=n) for n, name in enumerate("abc")])
    assert (get_total(stores).human, get_total(stores).machine) == (3, 0)
    tally.count_clicks([make_click("d", name="d", after=3)])
    counts = stores.campaigns.get_counts(CAMPAIGN)
    assert (counts.total.human, counts.total.machine) == (0, 4)
    assert (counts.total.people, counts.total.people_human) == (1, 0)
    assert counts.links[make_link_id("a")] == ClickCounts(machine=1, people=1)


def test_workspace_threshold_decides_the_label(stores: Repositories, bus: Bus) -> None:
    stores.workspaces.save_settings("acme", WorkspaceSettings(machine_threshold=40))
    create_tally_with(stores, bus).count_clicks([make_click(asn=16509)])
    assert get_total(stores).machine == 1


def test_commit_is_retried_after_a_write_conflict(stores: Repositories, bus: Bus) -> None:
    recipients = FailingRecipientRepository(stores.recipients, commit=(2, WriteConflict("faster")))
    counted = create_tally_with(stores, bus, recipients).count_clicks([make_click()])
    assert (counted.new_count, counted.conflict_count, counted.failed_ids) == (1, 2, set())
    assert get_total(stores).total == 1


def test_commit_with_a_lost_response_is_counted_and_published_once(
    stores: Repositories, bus: Bus
) -> None:
    recipients = FailingRecipientRepository(
        stores.recipients, commit=(1, StoreUnavailable("timeout"))
    )
    recipients.after = True
    assert (
        create_tally_with(stores, bus, recipients).count_clicks([make_click()]).failed_ids == set()
    )
    assert (get_total(stores).total, bus.ids) == (1, ["click-1"])


@pytest.mark.parametrize("method", ["get_rows", "commit"])
def test_clicks_are_returned_if_the_store_stays_unavailable(
    stores: Repositories, bus: Bus, method: str
) -> None:
    recipients = FailingRecipientRepository(
        stores.recipients, **{method: (MAX_COMMIT_ATTEMPTS, StoreUnavailable("away"))}
    )
    tally = create_tally_with(stores, bus, recipients)
    counted = tally.count_clicks([make_click("a"), make_click("b", person="p2")])
    assert (counted.new_count, counted.failed_ids, bus.ids) == (0, {"a", "b"}, [])
    assert tally.count_clicks([make_click("a"), make_click("b", person="p2")]).new_count == 2


def test_counted_clicks_are_published_with_their_verdicts(tally: TallyService, bus: Bus) -> None:
    tally.count_clicks([make_click("a"), make_click("b", person="p2", agent="curl/8")])
    assert {(click.id, verdict.kind) for click, verdict in bus.published} == {
        ("a", "human"),
        ("b", "machine"),
    }


def test_rejected_event_is_published_on_retry(tally: TallyService, bus: Bus) -> None:
    bus.rejected = {"b"}
    clicks = [make_click("a"), make_click("b", person="p2")]
    assert tally.count_clicks(clicks).failed_ids == {"b"}
    bus.rejected = set()
    assert tally.count_clicks(clicks).failed_ids == set()
    assert bus.ids == ["a", "b"]


def test_events_are_published_after_the_bus_recovers(
    stores: Repositories, tally: TallyService, bus: Bus
) -> None:
    bus.down = True
    assert tally.count_clicks([make_click()]).failed_ids == {"click-1"}
    assert get_total(stores).total == 1
    bus.down = False
    assert tally.count_clicks([make_click()]).failed_ids == set()
    assert tally.count_clicks([make_click()]).failed_ids == set()
    assert bus.ids == ["click-1"]


@pytest.mark.parametrize("method", ["get_outbox_entries", "update_outbox"])
def test_corrupt_outbox_entry_returns_the_click(
    stores: Repositories, bus: Bus, method: str
) -> None:
    bus.down = method == "get_outbox_entries"
    create_tally_with(stores, bus).count_clicks([make_click()] if bus.down else [])
    bus.down = False
    recipients = FailingRecipientRepository(
        stores.recipients, **{method: (1, StoreUnavailable("away"))}
    )
    assert create_tally_with(stores, bus, recipients).count_clicks([make_click()]).failed_ids == {
        "click-1"
    }


def publish_with_policy(stores: Repositories, bus: Bus, events: EventPolicy) -> list[str]:
    stores.workspaces.save_settings("acme", WorkspaceSettings(events=events))
    tally = create_tally_with(stores, bus)
    tally.count_clicks([make_click("b", after=60), make_click("a"), make_click("c", person="p2")])
    tally.count_clicks([make_click("d", after=120), make_click("e", delivery="another")])
    return sorted(bus.ids)


def test_event_policy_all_publishes_every_click(stores: Repositories, bus: Bus) -> None:
    assert publish_with_policy(stores, bus, "all") == ["a", "b", "c", "d", "e"]


def test_event_policy_first_publishes_one_click_per_delivery(
    stores: Repositories, bus: Bus
) -> None:
    assert publish_with_policy(stores, bus, "first") == ["a", "c", "e"]


def test_event_policy_none_publishes_no_click(stores: Repositories, bus: Bus) -> None:
    assert publish_with_policy(stores, bus, "none") == []


def test_clicks_are_counted_without_an_event_bus(stores: Repositories) -> None:
    assert create_tally_with(stores, None).count_clicks([make_click()]).new_count == 1
    assert stores.recipients.get_outbox_entries(CAMPAIGN, range(10)) == {}


def test_opted_out_person_is_counted_anonymously(
    stores: Repositories, tally: TallyService, bus: Bus
) -> None:
    stores.workspaces.opt_out(ACME, "p1", NOON)
    clicks = [make_click("a"), make_click("b", after=60), make_click("c", person="p2")]
    for click in clicks:
        stores.clicks.record(click)
    tally.count_clicks(clicks)
    assert (get_total(stores).human, get_total(stores).people, get_total(stores).deliveries) == (
        3,
        2,
        2,
    )
    assert not stores.clicks.list_by_person(ACME, "p1", cursor=None, limit=1).items
    people = stores.recipients.list_link_visitors(make_link_id("home"), cursor=None, limit=9).items
    assert {visitor.person for visitor in people} == {None, "p2"}
    assert {click.person for click, _ in bus.published} == {None, "p2"}
    # The stream delivers the anonymous clicks too; they are counted already.
    assert tally.count_clicks(list(stores.clicks.scan_by_campaign(CAMPAIGN))).new_count == 0


def test_click_counted_before_an_opt_out_is_not_counted_again(
    stores: Repositories, tally: TallyService
) -> None:
    stores.clicks.record(make_click())
    tally.count_clicks([make_click()])
    stores.workspaces.opt_out(ACME, "p1", NOON)
    assert tally.count_clicks([make_click()]).new_count == 0
    assert (get_total(stores).total, get_total(stores).people) == (1, 1)


def test_person_who_opts_in_again_is_counted_by_name(
    stores: Repositories, tally: TallyService
) -> None:
    stores.workspaces.opt_out(ACME, "p1", NOON)
    stores.workspaces.opt_in(ACME, "p1", NOON)
    tally.count_clicks([make_click()])
    [visitor] = stores.recipients.list_link_visitors(
        make_link_id("home"), cursor=None, limit=9
    ).items
    assert visitor.person == "p1"


def plan(people: int, links: int = 1) -> list[Commit]:
    clicks_by_recipient = {
        f"p:{n}": [
            CountedClick(click_hash(str(n)), make_link_id(str(n % links)), n, b"dlvr", 0, False)
        ]
        for n in range(people)
    }
    states = {
        name: RecipientState(RecipientRow(RecipientKey(CAMPAIGN, name)))
        for name in clicks_by_recipient
    }
    policy = CountingPolicy(
        bot_threshold=70, event_policy="all", create_batch_id=iter(range(1, 1000)).__next__
    )
    transactions, remaining = plan_transactions(CAMPAIGN, states, clicks_by_recipient, policy)
    assert remaining == {}
    return [transaction.to_commit() for transaction in transactions]


def count_actions(commit: Commit) -> int:
    counters = {cell.counter for cell in commit.increments}
    return (
        len(commit.rows)
        + len(commit.overflow_items)
        + len(counters)
        + (commit.outbox_entry is not None)
    )


def test_recipients_of_the_same_link_share_a_transaction() -> None:
    links = [{cell.counter for cell in click.increments} for click in plan(500, links=5)]
    of_links = [{name for name in counters if name.startswith("link#")} for counters in links]
    assert len(set().union(*of_links)) == 5
    assert max(map(len, of_links)) == 2


@pytest.mark.parametrize(("people", "links"), [(1, 1), (96, 1), (97, 1), (500, 1), (500, 500)])
def test_transactions_are_filled_to_the_limit_of_dynamodb(people: int, links: int) -> None:
    commits = plan(people, links)
    assert sum(len(commit.rows) for commit in commits) == people
    assert max(map(count_actions, commits)) <= MAX_COMMIT_ACTIONS
    assert all(count_actions(commit) > MAX_COMMIT_ACTIONS - 2 for commit in commits[:-1])


def test_scanner_clicks_over_a_day_are_split_into_transactions(
    stores: Repositories, tally: TallyService
) -> None:
    flood = [make_click(f"flood-{n}", name=str(n % 40), after=n * 300.0) for n in range(280)]
    assert tally.count_clicks(flood).new_count == 280
    assert get_total(stores).total == 280
    assert tally.count_clicks(flood[::-1]).new_count == 0


def test_click_that_fits_no_transaction_is_returned(
    stores: Repositories, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waypost.tally.transactions.MAX_COMMIT_ACTIONS", 2)
    assert create_tally_with(stores, bus).count_clicks([make_click()]).failed_ids == {"click-1"}


def test_equal_clicks_of_several_people_are_counted_separately(
    stores: Repositories, tally: TallyService
) -> None:
    tally.count_clicks([make_click("a"), replace(make_click("b"), person=None)])
    assert get_total(stores).people == 2
