from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.click_factory import CAMPAIGN, make_click, make_link_id
from waypost.bot_detection.scoring import classify_click
from waypost.composition import Repositories
from waypost.errors import InvalidRequest, WriteConflict
from waypost.ids import derive_campaign_id, derive_workspace_id
from waypost.models.click import Click
from waypost.models.counters import TOTAL_COUNTER, ClickCounts, CounterCell, link_counter_name
from waypost.models.recipient import (
    MAX_INLINE_CLICKS,
    LinkVisitor,
    OverflowItem,
    RecipientKey,
    RecipientRow,
)
from waypost.repositories.pagination import MAX_SORT_KEY_BYTES, encode_cursor
from waypost.repositories.recipients import Commit, OutboxEntry
from waypost.tally.aggregation import RecipientChange, apply_clicks

KEY = RecipientKey(CAMPAIGN, "p:p1")


def apply_to_row(row: RecipientRow, *clicks: Click) -> RecipientChange:
    change = apply_clicks(row, {}, [classify_click(made) for made in clicks])
    assert change is not None
    return change


def build_commit(*changes: RecipientChange, outbox_entry: OutboxEntry | None = None) -> Commit:
    increments: Counter[CounterCell] = Counter()
    for change in changes:
        increments.update(change.increments)
    return Commit(
        campaign=CAMPAIGN,
        rows=[change.row for change in changes],
        overflow_items=[sheet for change in changes for sheet in change.overflow_items],
        increments=increments,
        outbox_entry=outbox_entry,
    )


def count_clicks(stores: Repositories, *clicks: Click) -> None:
    recipients = {made.recipient for made in clicks}
    rows = stores.recipients.get_rows(
        [RecipientKey(CAMPAIGN, recipient) for recipient in recipients]
    )
    changes = [
        apply_to_row(row, *(made for made in clicks if made.recipient == key.recipient))
        for key, row in rows.items()
    ]
    stores.recipients.commit(build_commit(*changes))


def test_missing_row_has_version_0(stores: Repositories) -> None:
    assert stores.recipients.get_rows([KEY]) == {KEY: RecipientRow(KEY)}
    assert stores.recipients.get_overflow_items([RecipientKey(CAMPAIGN, "p:p1", 7)]) == {}


def test_row_is_read_as_it_was_written(stores: Repositories) -> None:
    change = apply_to_row(
        RecipientRow(KEY), make_click("a"), make_click("b", name="shop", after=60, agent="curl/8")
    )
    row = replace(change.row, shared_deliveries=frozenset({b"abcd", b"efgh"}))
    written = replace(change, row=row)
    stores.recipients.commit(build_commit(written))
    assert stores.recipients.get_rows([KEY])[KEY] == written.row


def test_overflow_items_store_clicks_beyond_a_full_row(stores: Repositories) -> None:
    clicks = [make_click(str(n), after=n * 3600.0) for n in range(MAX_INLINE_CLICKS + 2)]
    change = apply_to_row(RecipientRow(KEY), *clicks)
    assert len(change.overflow_items) == 2
    stores.recipients.commit(build_commit(change))
    keys = [sheet.key for sheet in change.overflow_items]
    assert stores.recipients.get_overflow_items([*keys, KEY._replace(overflow=1)]) == {
        sheet.key: sheet for sheet in change.overflow_items
    }
    stored = sorted(stores.recipients.iter_by_campaign(CAMPAIGN), key=lambda r: r.key.sort_key)
    assert [type(record) for record in stored] == [RecipientRow, OverflowItem, OverflowItem]


def test_overflow_items_of_one_recipient_only_are_listed(stores: Repositories) -> None:
    for person in ("p1", "p1#7"):
        clicks = [
            make_click(f"{person}-{n}", person=person, after=n * 3600.0)
            for n in range(MAX_INLINE_CLICKS + 2)
        ]
        stores.recipients.commit(
            build_commit(apply_to_row(RecipientRow(RecipientKey(CAMPAIGN, f"p:{person}")), *clicks))
        )
    found = stores.recipients.list_overflow_items(KEY)
    assert len(found) == 2
    assert {sheet.key.recipient for sheet in found} == {"p:p1"}


def test_campaigns_of_a_recipient_are_those_of_the_workspace(stores: Repositories) -> None:
    autumn, foreign = (
        derive_campaign_id("acme", "autumn"),
        derive_campaign_id("globex", "spring-sale"),
    )
    for campaign in (CAMPAIGN, autumn, foreign):
        change = apply_to_row(
            RecipientRow(RecipientKey(campaign, "p:p1")), make_click(campaign, campaign=campaign)
        )
        stores.recipients.commit(Commit(campaign, [change.row], [], change.increments))
    count_clicks(stores, make_click("b", person="p1x"))
    assert stores.recipients.scan_campaigns(derive_workspace_id("acme"), "p:p1") == {
        CAMPAIGN,
        autumn,
    }


def test_counters_move_with_the_row(stores: Repositories) -> None:
    count_clicks(
        stores,
        make_click("a"),
        make_click("b", name="shop", after=60),
        make_click("c", person="p2"),
    )
    counts = stores.campaigns.get_counts(CAMPAIGN)
    assert counts.total == ClickCounts(
        human=3,
        people=2,
        people_human=2,
        deliveries=2,
        deliveries_human=2,
        opened=2,
        opened_human=2,
    )
    assert counts.links[make_link_id("home")] == ClickCounts(human=2, people=2, people_human=2)
    assert counts.links[make_link_id("shop")] == ClickCounts(human=1, people=1, people_human=1)
    assert counts.hours == {"2026-11-21T12": ClickCounts(human=3)}


def test_commit_over_a_changed_row_writes_nothing(stores: Repositories) -> None:
    mine = apply_to_row(RecipientRow(KEY), make_click("a"))
    other = apply_to_row(RecipientRow(RecipientKey(CAMPAIGN, "p:p2")), make_click("b", person="p2"))
    count_clicks(stores, make_click("theirs"))
    before = stores.campaigns.get_counts(CAMPAIGN)
    with pytest.raises(WriteConflict):
        stores.recipients.commit(
            build_commit(
                other,
                mine,
                outbox_entry=OutboxEntry(CAMPAIGN, 5, frozenset({mine.new_clicks[0].id})),
            )
        )
    assert stores.campaigns.get_counts(CAMPAIGN) == before
    assert stores.recipients.get_rows([other.row.key])[other.row.key].version == 0
    assert stores.recipients.get_outbox_entries(CAMPAIGN, [5]) == {}


def test_a_row_is_written_over_the_version_that_was_read(stores: Repositories) -> None:
    count_clicks(stores, make_click("a"))
    count_clicks(stores, make_click("b", after=60))
    row = stores.recipients.get_rows([KEY])[KEY]
    assert (row.version, row.total.human) == (2, 2)


def test_figures_can_go_down(stores: Repositories) -> None:
    count_clicks(stores, make_click("a"))
    moved = Counter(
        {CounterCell(TOTAL_COUNTER, "human"): -1, CounterCell(TOTAL_COUNTER, "machine"): 1}
    )
    stores.recipients.commit(Commit(CAMPAIGN, [], [], moved))
    total = stores.campaigns.get_counts(CAMPAIGN).total
    assert (total.human, total.machine) == (0, 1)


def test_row_is_removed_only_at_its_version(stores: Repositories) -> None:
    count_clicks(stores, make_click("a"))
    row = stores.recipients.get_rows([KEY])[KEY]
    stale = replace(row, version=row.version + 1)
    with pytest.raises(WriteConflict):
        stores.recipients.commit(Commit(CAMPAIGN, [], [], Counter(), removed_items=[stale]))
    stores.recipients.commit(Commit(CAMPAIGN, [], [], Counter(), removed_items=[row]))
    assert stores.recipients.get_rows([KEY])[KEY].version == 0


def test_outbox_entry_is_deleted_when_all_its_events_are_published(stores: Repositories) -> None:
    one, two = b"12345678", b"abcdefgh"
    change = apply_to_row(RecipientRow(KEY), make_click("a"))
    notice = OutboxEntry(CAMPAIGN, 7, frozenset({one, two}))
    stores.recipients.commit(build_commit(change, outbox_entry=notice))
    assert stores.recipients.get_outbox_entries(CAMPAIGN, [7, 8]) == {7: {one, two}}
    stores.recipients.update_outbox(CAMPAIGN, 7, frozenset({two}))
    assert stores.recipients.get_outbox_entries(CAMPAIGN, [7]) == {7: {two}}
    stores.recipients.update_outbox(CAMPAIGN, 7, frozenset())
    assert stores.recipients.get_outbox_entries(CAMPAIGN, [7]) == {}


def test_link_visitors_are_listed_in_pages(stores: Repositories) -> None:
    people = [f"p{number}" for number in range(7)]
    count_clicks(
        stores,
        *(make_click(p, person=p) for p in people),
        make_click("x", person="no", name="shop"),
    )
    count_clicks(stores, make_click("again", person="p3", after=90))
    found: dict[str | None, LinkVisitor] = {}
    cursor = None
    while True:
        page = stores.recipients.list_link_visitors(make_link_id("home"), cursor=cursor, limit=3)
        found |= {visitor.person: visitor for visitor in page.items}
        cursor = page.cursor
        if cursor is None:
            break
    assert sorted(name for name in found if name) == people
    assert found["p3"].clicks == 2
    assert found["p3"].last - found["p3"].first == 90_000


def test_recipients_without_a_person_are_counted_but_not_named(stores: Repositories) -> None:
    count_clicks(stores, make_click("a", person=None))
    page = stores.recipients.list_link_visitors(make_link_id("home"), cursor=None, limit=3)
    assert [visitor.person for visitor in page.items] == [None]
    assert stores.campaigns.get_counts(CAMPAIGN).links[make_link_id("home")].people == 1


@pytest.mark.parametrize(
    "cursor",
    [
        *("nonsense", "é", "OTkjYQ", ""),
        encode_cursor("0#p:" + "a" * MAX_SORT_KEY_BYTES),
        encode_cursor("#p:" + "a" * MAX_SORT_KEY_BYTES),
    ],
)
def test_invalid_cursor_is_rejected(stores: Repositories, cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        stores.recipients.list_link_visitors(make_link_id("home"), cursor=cursor, limit=3)


def test_deliveries_and_clicks_are_counted_independently(stores: Repositories) -> None:
    stores.campaigns.add_deliveries(CAMPAIGN, 10, None)
    count_clicks(stores, make_click("a"))
    counts = stores.campaigns.get_counts(CAMPAIGN)
    assert (counts.sent, counts.total.human) == (10, 1)
    assert set(counts.links) == {make_link_id("home")}
    assert CounterCell(link_counter_name(make_link_id("home")), "human") in counts.to_increments()
