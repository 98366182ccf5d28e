"""What DynamoDB takes in one transaction bounds no figure: the twin refuses what it would."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.clicks import CAMPAIGN, NOON, click, link
from tests.contract.conftest import Stores, memory_stores
from tests.fakes import MemoryMessages
from tests.tallies import tally_over
from waypost.errors import StoreUnavailable
from waypost.ids import workspace_of
from waypost.maintenance.recount import Recounting
from waypost.models.click import Click
from waypost.models.counters import TOTAL, Cell
from waypost.models.recipient import (
    INLINE_MARKS,
    MARKS_A_SHEET,
    TOLD_APART,
    Mark,
    Row,
    RowKey,
    Sheet,
    Visits,
    click_hash,
    further_sheet,
)
from waypost.models.workspace import WorkspaceSettings
from waypost.privacy.erasure import Erasing
from waypost.repositories.pagination import KEY_BYTES
from waypost.repositories.recipients import BYTES, ITEM_BYTES, Commit
from waypost.rewrite.schemas import KEY_BYTES as RECIPIENT_BYTES
from waypost.tally.transactions import Policy, Standing, plan

ACME = workspace_of(CAMPAIGN)
MANY = 150
"""Links: each has a counter, and a transaction takes 100 actions."""


@pytest.fixture
def stores() -> Stores:
    return memory_stores()


@pytest.fixture
def recounting(stores: Stores) -> Recounting:
    return Recounting(stores.clicks, stores.campaigns, stores.recipients, stores.workspaces)


def make(stores: Stores, *clicks: Click) -> None:
    for made in clicks:
        stores.clicks.record(made)
    tally = tally_over(stores)
    for start in range(0, len(clicks), 500):
        assert not tally.count(clicks[start : start + 500]).failed


def threshold(stores: Stores, points: int) -> None:
    stores.workspaces.save("acme", WorkspaceSettings(machine_threshold=points))


def every_link(minute: int = 0) -> list[Click]:
    return [
        click(f"{minute}-{n}", name=f"link {n}", after=minute * 60 + n / 100) for n in range(MANY)
    ]


def machines(stores: Stores) -> tuple[int, int]:
    total = stores.campaigns.counts(CAMPAIGN).total
    return total.human, total.machine


@pytest.mark.parametrize(
    ("late", "points"), [({"name": "\x00honeypot"}, 150), ({"name": "link 0"}, 70)]
)
def test_late_evidence_about_more_links_than_a_transaction_holds(
    stores: Stores, recounting: Recounting, late: dict[str, str], points: int
) -> None:
    """A threshold that was lowered, or a honeypot that alone reaches a high one."""
    threshold(stores, 1_000 if points == 70 else points)
    make(stores, *every_link())
    assert machines(stores) == (MANY, 0)
    threshold(stores, points)
    make(stores, click("late", after=2, agent="", asn=16509, **late))  # type: ignore[arg-type]
    assert machines(stores) == (0, MANY + 1)
    assert recounting.compare(CAMPAIGN).right


def test_a_lowered_threshold_labels_rows_and_counters_together(
    stores: Stores, recounting: Recounting
) -> None:
    threshold(stores, 1_000)
    make(stores, *every_link(), click("other", person="p2"))
    threshold(stores, 70)
    assert not recounting.compare(CAMPAIGN).right
    assert recounting.repair(CAMPAIGN, tally_over(stores)).right
    assert machines(stores) == (1, MANY)
    make(stores, click("again", agent="curl/8", after=3_600))
    assert machines(stores) == (1, MANY + 1)
    assert recounting.compare(CAMPAIGN).right


def test_labels_that_others_write_to_meanwhile_are_read_again(
    stores: Stores, recounting: Recounting, monkeypatch: pytest.MonkeyPatch
) -> None:
    threshold(stores, 1_000)
    make(stores, *every_link())
    threshold(stores, 70)
    commit, calls = stores.recipients.commit, Counter[str]()

    def overtaken(commit_: Commit) -> None:
        calls["all"] += 1
        if calls["all"] == 1:
            make(stores, click("faster", after=7_200))
        commit(commit_)

    monkeypatch.setattr(stores.recipients, "commit", overtaken)
    assert recounting.repair(CAMPAIGN, tally_over(stores)).right
    assert machines(stores) == (1, MANY)


@pytest.mark.parametrize("room", [BYTES, 40_000])
def test_a_scanner_of_many_links_is_erased_in_steps_that_fit(
    stores: Stores, recounting: Recounting, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    make(stores, *(made for minute in range(22) for made in every_link(minute)))
    before = stores.campaigns.counts(CAMPAIGN)
    monkeypatch.setattr("waypost.repositories.recipients.BYTES", room)
    erasing = Erasing(stores.clicks, stores.recipients, stores.workspaces, MemoryMessages())
    assert erasing.erase(ACME, "p1", NOON).clean
    assert stores.campaigns.counts(CAMPAIGN) == before
    assert {record.key.recipient[0] for record in stores.recipients.of_campaign(CAMPAIGN)} == {"a"}
    assert recounting.compare(CAMPAIGN).right


def test_an_erasure_labels_anew_what_its_alias_did_before_it_moves_more_there(
    stores: Stores, recounting: Recounting
) -> None:
    threshold(stores, 1_000)
    make(stores, click("known", after=2))
    stores.workspaces.opt_out(ACME, "p1", NOON)
    make(stores, *every_link())
    threshold(stores, 70)
    erasing = Erasing(stores.clicks, stores.recipients, stores.workspaces, MemoryMessages())
    assert erasing.erase(ACME, "p1", NOON).clean
    assert machines(stores) == (0, MANY + 1)
    assert stores.campaigns.counts(CAMPAIGN).total.people == 1
    assert recounting.compare(CAMPAIGN).right


def test_what_was_parked_of_a_flood_goes_to_further_sheets_and_counts_once(
    stores: Stores, recounting: Recounting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger takes 1,000 of a recipient's clicks a second; the others come home later."""
    monkeypatch.setattr("waypost.models.recipient.MARKS_A_SHEET", 40)
    flood = [click(f"f-{n}", name=f"link {n % 5}", after=n / 100) for n in range(400)]
    make(stores, *flood[::2])
    make(stores, *flood[1::2], *flood)
    sheets = [r for r in stores.recipients.of_campaign(CAMPAIGN) if isinstance(r, Sheet)]
    assert max(len(sheet.marks) for sheet in sheets) == 40
    assert len(sheets) == -(-(400 - INLINE_MARKS) // 40)
    assert stores.campaigns.counts(CAMPAIGN).total.total == 400
    assert recounting.compare(CAMPAIGN).right
    erasing = Erasing(stores.clicks, stores.recipients, stores.workspaces, MemoryMessages())
    assert erasing.erase(ACME, "p1", NOON).clean
    make(stores, *stores.clicks.of_campaign(CAMPAIGN))
    assert stores.campaigns.counts(CAMPAIGN).total.total == 400


def test_a_full_sheet_is_an_item() -> None:
    mark = Mark(b"12345678", link("home"), 1, b"dlvr", 0, False)
    sheet = Sheet(RowKey(CAMPAIGN, "p:p1", 7), marks=(mark,) * MARKS_A_SHEET)
    assert (sheet.room, sheet.size <= ITEM_BYTES) == (0, True)


def test_the_longest_name_of_a_recipient_leaves_room_in_every_key() -> None:
    sheet = further_sheet(further_sheet(3_250_368_000))
    key = RowKey(CAMPAIGN, "p:" + "a" * RECIPIENT_BYTES, sheet)
    assert len(key.sort) <= KEY_BYTES


def test_rows_with_thousands_of_deliveries_share_no_more_than_a_transaction_takes() -> None:
    sums = {n.to_bytes(4): Visits(1, 0, 1, 1) for n in range(TOLD_APART)}
    standings, marks = {}, {}
    for n in range(80):
        row = Row(RowKey(CAMPAIGN, f"p:{n}"), version=1, deliveries=sums, opened=sums)
        standings[f"p:{n}"] = Standing(row)
        marks[f"p:{n}"] = [Mark(click_hash(str(n)), link("home"), n, b"dlvr", 0, False)]
    policy = Policy(threshold=70, events="all", new_batch=iter(range(1, 1_000)).__next__)
    transactions, left = plan(CAMPAIGN, standings, marks, policy)
    commits = [transaction.commit() for transaction in transactions]
    assert left == {}
    assert sum(len(commit.rows) for commit in commits) == 80
    assert all(commit.fits for commit in commits)


def test_the_size_of_a_record_is_that_of_its_item() -> None:
    sums = {n.to_bytes(4): Visits(1, 0, 1, 1) for n in range(TOLD_APART)}
    row = Row(RowKey(CAMPAIGN, "p:" + "\U0001f600" * 255), deliveries=sums, shared=frozenset(sums))
    values = [next(iter(tagged.values())) for tagged in row.to_item().values()]
    stored = sum(len(v if isinstance(v, bytes) else str(v).encode()) for v in values)
    assert stored <= row.size <= stored + TOLD_APART * 28


def test_the_twin_refuses_what_dynamodb_would(stores: Stores) -> None:
    cells = {Cell(f"link#{n}", "human"): 1 for n in range(101)}
    with pytest.raises(StoreUnavailable):
        stores.recipients.commit(Commit(CAMPAIGN, [], [], Counter(cells)))
    too_large = replace(
        Row(RowKey(CAMPAIGN, "p:p1"), version=1),
        marks=(Mark(b"12345678", link("home"), 1, b"dlvr", 0, False),) * 12_000,
    )
    with pytest.raises(StoreUnavailable):
        stores.recipients.commit(Commit(CAMPAIGN, [too_large], [], Counter()))
    assert stores.campaigns.counts(CAMPAIGN).cells()[Cell(TOTAL, "human")] == 0
