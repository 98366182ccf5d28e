"""Transaction limits of DynamoDB limit no counter; the in-memory repository enforces them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.click_factory import CAMPAIGN, NOON, make_click, make_link_id
from tests.fakes import create_in_memory_repositories
from tests.tally_factory import create_tally
from waypost.composition import Repositories
from waypost.errors import StoreUnavailable
from waypost.ids import extract_workspace_id
from waypost.maintenance.recount import RecountService
from waypost.models.click import Click
from waypost.models.counters import TOTAL_COUNTER, CounterCell
from waypost.models.recipient import (
    MAX_DISTINCT_KEYS,
    MAX_INLINE_CLICKS,
    MAX_OVERFLOW_CLICKS,
    CountedClick,
    OverflowItem,
    RecipientKey,
    RecipientRow,
    Visits,
    click_hash,
    next_overflow_number,
)
from waypost.models.workspace import WorkspaceSettings
from waypost.privacy.erasure import Erasure
from waypost.repositories.pagination import MAX_SORT_KEY_BYTES
from waypost.repositories.recipients import MAX_COMMIT_BYTES, MAX_ITEM_BYTES, Commit
from waypost.rewrite.schemas import MAX_RECIPIENT_NAME_BYTES as RECIPIENT_BYTES
from waypost.tally.transactions import CountingPolicy, RecipientState, plan_transactions

ACME = extract_workspace_id(CAMPAIGN)
MANY = 150
"""Links: each has a counter, and a transaction takes 100 actions."""


@pytest.fixture
def stores() -> Repositories:
    return create_in_memory_repositories()


@pytest.fixture
def recount_service(stores: Repositories) -> RecountService:
    return RecountService(stores.clicks, stores.campaigns, stores.recipients, stores.workspaces)


def count(stores: Repositories, *clicks: Click) -> None:
    for click in clicks:
        stores.clicks.record(click)
    tally = create_tally(stores)
    for start in range(0, len(clicks), 500):
        assert not tally.count_clicks(clicks[start : start + 500]).failed_ids


def set_threshold(stores: Repositories, points: int) -> None:
    stores.workspaces.save_settings("acme", WorkspaceSettings(machine_threshold=points))


def make_clicks_on_every_link(minute: int = 0) -> list[Click]:
    return [
        make_click(f"{minute}-{n}", name=f"link {n}", after=minute * 60 + n / 100)
        for n in range(MANY)
    ]


def count_bots(stores: Repositories) -> tuple[int, int]:
    total = stores.campaigns.get_counts(CAMPAIGN).total
    return total.human, total.machine


@pytest.mark.parametrize(
    ("late", "points"), [({"name": "\x00honeypot"}, 150), ({"name": "link 0"}, 70)]
)
def test_reclassification_of_more_links_than_a_transaction_holds(
    stores: Repositories, recount_service: RecountService, late: dict[str, str], points: int
) -> None:
    """The threshold was lowered, or a honeypot click alone reaches a high one."""
    set_threshold(stores, 1_000 if points == 70 else points)
    count(stores, *make_clicks_on_every_link())
    assert count_bots(stores) == (MANY, 0)
    set_threshold(stores, points)
    count(stores, make_click("late", after=2, agent="", asn=16509, **late))  # type: ignore[arg-type]
    assert count_bots(stores) == (0, MANY + 1)
    assert recount_service.compare(CAMPAIGN).is_consistent


def test_lowered_threshold_reclassifies_rows_and_counters_together(
    stores: Repositories, recount_service: RecountService
) -> None:
    set_threshold(stores, 1_000)
    count(stores, *make_clicks_on_every_link(), make_click("other", person="p2"))
    set_threshold(stores, 70)
    assert not recount_service.compare(CAMPAIGN).is_consistent
    assert recount_service.repair(CAMPAIGN, create_tally(stores)).is_consistent
    assert count_bots(stores) == (1, MANY)
    count(stores, make_click("again", agent="curl/8", after=3_600))
    assert count_bots(stores) == (1, MANY + 1)
    assert recount_service.compare(CAMPAIGN).is_consistent


def test_reclassification_is_retried_after_a_write_conflict(
    stores: Repositories, recount_service: RecountService, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_threshold(stores, 1_000)
    count(stores, *make_clicks_on_every_link())
    set_threshold(stores, 70)
    commit, calls = stores.recipients.commit, Counter[str]()

    def commit_after_conflict(commit_: Commit) -> None:
        calls["all"] += 1
        if calls["all"] == 1:
            count(stores, make_click("faster", after=7_200))
        commit(commit_)

    monkeypatch.setattr(stores.recipients, "commit", commit_after_conflict)
    assert recount_service.repair(CAMPAIGN, create_tally(stores)).is_consistent
    assert count_bots(stores) == (1, MANY)


@pytest.mark.parametrize("room", [MAX_COMMIT_BYTES, 40_000])
def test_scanner_of_many_links_is_erased_in_several_transactions(
    stores: Repositories,
    recount_service: RecountService,
    monkeypatch: pytest.MonkeyPatch,
    room: int,
) -> None:
    count(stores, *(click for minute in range(22) for click in make_clicks_on_every_link(minute)))
    before = stores.campaigns.get_counts(CAMPAIGN)
    monkeypatch.setattr("waypost.repositories.recipients.MAX_COMMIT_BYTES", room)
    erasing = Erasure(stores, scans_tables=True)
    assert erasing.erase(ACME, "p1", NOON).is_complete
    assert stores.campaigns.get_counts(CAMPAIGN) == before
    assert {record.key.recipient[0] for record in stores.recipients.iter_by_campaign(CAMPAIGN)} == {
        "a"
    }
    assert recount_service.compare(CAMPAIGN).is_consistent


def test_erasure_reclassifies_the_clicks_of_the_alias_first(
    stores: Repositories, recount_service: RecountService
) -> None:
    set_threshold(stores, 1_000)
    count(stores, make_click("known", after=2))
    stores.workspaces.opt_out(ACME, "p1", NOON)
    count(stores, *make_clicks_on_every_link())
    set_threshold(stores, 70)
    erasing = Erasure(stores, scans_tables=True)
    assert erasing.erase(ACME, "p1", NOON).is_complete
    assert count_bots(stores) == (0, MANY + 1)
    assert stores.campaigns.get_counts(CAMPAIGN).total.people == 1
    assert recount_service.compare(CAMPAIGN).is_consistent


def test_queued_clicks_of_a_flood_fill_further_overflow_items_and_count_once(
    stores: Repositories, recount_service: RecountService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table accepts 1,000 clicks of a recipient a second; the others are queued."""
    monkeypatch.setattr("waypost.models.recipient.MAX_OVERFLOW_CLICKS", 40)
    flood = [make_click(f"f-{n}", name=f"link {n % 5}", after=n / 100) for n in range(400)]
    count(stores, *flood[::2])
    count(stores, *flood[1::2], *flood)
    sheets = [
        r for r in stores.recipients.iter_by_campaign(CAMPAIGN) if isinstance(r, OverflowItem)
    ]
    assert max(len(sheet.counted_clicks) for sheet in sheets) == 40
    assert len(sheets) == -(-(400 - MAX_INLINE_CLICKS) // 40)
    assert stores.campaigns.get_counts(CAMPAIGN).total.total == 400
    assert recount_service.compare(CAMPAIGN).is_consistent
    erasing = Erasure(stores, scans_tables=True)
    assert erasing.erase(ACME, "p1", NOON).is_complete
    count(stores, *stores.clicks.scan_by_campaign(CAMPAIGN))
    assert stores.campaigns.get_counts(CAMPAIGN).total.total == 400


def test_full_overflow_item_fits_an_item() -> None:
    mark = CountedClick(b"12345678", make_link_id("home"), 1, b"dlvr", 0, False)
    sheet = OverflowItem(
        RecipientKey(CAMPAIGN, "p:p1", 7), counted_clicks=(mark,) * MAX_OVERFLOW_CLICKS
    )
    assert (sheet.remaining_capacity, sheet.item_bytes <= MAX_ITEM_BYTES) == (0, True)


def test_longest_recipient_name_fits_every_key() -> None:
    sheet = next_overflow_number(next_overflow_number(3_250_368_000))
    key = RecipientKey(CAMPAIGN, "p:" + "a" * RECIPIENT_BYTES, sheet)
    assert len(key.sort_key) <= MAX_SORT_KEY_BYTES


def test_rows_with_thousands_of_deliveries_stay_within_the_transaction_limit() -> None:
    sums = {n.to_bytes(4): Visits(1, 0, 1, 1) for n in range(MAX_DISTINCT_KEYS)}
    states, marks = {}, {}
    for n in range(80):
        row = RecipientRow(RecipientKey(CAMPAIGN, f"p:{n}"), version=1, deliveries=sums, opens=sums)
        states[f"p:{n}"] = RecipientState(row)
        marks[f"p:{n}"] = [
            CountedClick(click_hash(str(n)), make_link_id("home"), n, b"dlvr", 0, False)
        ]
    policy = CountingPolicy(
        bot_threshold=70, event_policy="all", create_batch_id=iter(range(1, 1_000)).__next__
    )
    transactions, remaining = plan_transactions(CAMPAIGN, states, marks, policy)
    commits = [transaction.to_commit() for transaction in transactions]
    assert remaining == {}
    assert sum(len(commit.rows) for commit in commits) == 80
    assert all(commit.is_within_limits for commit in commits)


def test_item_bytes_match_the_stored_item() -> None:
    sums = {n.to_bytes(4): Visits(1, 0, 1, 1) for n in range(MAX_DISTINCT_KEYS)}
    row = RecipientRow(
        RecipientKey(CAMPAIGN, "p:" + "\U0001f600" * 255),
        deliveries=sums,
        shared_deliveries=frozenset(sums),
    )
    values = [next(iter(tagged.values())) for tagged in row.to_item().values()]
    stored = sum(len(v if isinstance(v, bytes) else str(v).encode()) for v in values)
    assert stored <= row.item_bytes <= stored + MAX_DISTINCT_KEYS * 28


def test_in_memory_repository_rejects_oversized_transactions(stores: Repositories) -> None:
    cells = {CounterCell(f"link#{n}", "human"): 1 for n in range(101)}
    with pytest.raises(StoreUnavailable):
        stores.recipients.commit(Commit(CAMPAIGN, [], [], Counter(cells)))
    too_large = replace(
        RecipientRow(RecipientKey(CAMPAIGN, "p:p1"), version=1),
        counted_clicks=(CountedClick(b"12345678", make_link_id("home"), 1, b"dlvr", 0, False),)
        * 12_000,
    )
    with pytest.raises(StoreUnavailable):
        stores.recipients.commit(Commit(CAMPAIGN, [too_large], [], Counter()))
    assert (
        stores.campaigns.get_counts(CAMPAIGN).to_increments()[CounterCell(TOTAL_COUNTER, "human")]
        == 0
    )
