from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.clicks import CAMPAIGN, click, link
from tests.contract.conftest import Stores
from waypost.bot_detection.scoring import mark_of
from waypost.errors import Conflict, InvalidRequest
from waypost.ids import campaign_code, workspace_code
from waypost.models.click import Click
from waypost.models.counters import TOTAL, Cell, Counts, link_counter
from waypost.models.recipient import INLINE_MARKS, LinkVisitor, Row, RowKey, Sheet
from waypost.repositories.pagination import KEY_BYTES, write_cursor
from waypost.repositories.recipients import Commit, Notice
from waypost.tally.aggregation import Change, absorb

KEY = RowKey(CAMPAIGN, "p:p1")


def change_by(row: Row, *clicks: Click) -> Change:
    change = absorb(row, {}, [mark_of(made) for made in clicks])
    assert change is not None
    return change


def commit_of(*changes: Change, notice: Notice | None = None) -> Commit:
    increments: Counter[Cell] = Counter()
    for change in changes:
        increments.update(change.increments)
    return Commit(
        campaign=CAMPAIGN,
        rows=[change.row for change in changes],
        sheets=[sheet for change in changes for sheet in change.sheets],
        increments=increments,
        notice=notice,
    )


def count(stores: Stores, *clicks: Click) -> None:
    recipients = {made.recipient for made in clicks}
    rows = stores.recipients.rows([RowKey(CAMPAIGN, recipient) for recipient in recipients])
    changes = [
        change_by(row, *(made for made in clicks if made.recipient == key.recipient))
        for key, row in rows.items()
    ]
    stores.recipients.commit(commit_of(*changes))


def test_rows_that_are_not_there_have_version_0(stores: Stores) -> None:
    assert stores.recipients.rows([KEY]) == {KEY: Row(KEY)}
    assert stores.recipients.sheets([RowKey(CAMPAIGN, "p:p1", 7)]) == {}


def test_a_row_comes_back_as_it_was_written(stores: Stores) -> None:
    change = change_by(Row(KEY), click("a"), click("b", name="shop", after=60, agent="curl/8"))
    written = replace(change, row=replace(change.row, shared=frozenset({b"abcd", b"efgh"})))
    stores.recipients.commit(commit_of(written))
    assert stores.recipients.rows([KEY])[KEY] == written.row


def test_sheets_hold_what_finds_no_room(stores: Stores) -> None:
    clicks = [click(str(n), after=n * 3600.0) for n in range(INLINE_MARKS + 2)]
    change = change_by(Row(KEY), *clicks)
    assert len(change.sheets) == 2
    stores.recipients.commit(commit_of(change))
    keys = [sheet.key for sheet in change.sheets]
    assert stores.recipients.sheets([*keys, KEY._replace(sheet=1)]) == {
        sheet.key: sheet for sheet in change.sheets
    }
    stored = sorted(stores.recipients.of_campaign(CAMPAIGN), key=lambda r: r.key.sort)
    assert [type(record) for record in stored] == [Row, Sheet, Sheet]


def test_all_sheets_of_a_recipient_are_found_and_nobody_elses(stores: Stores) -> None:
    for person in ("p1", "p1#7"):
        clicks = [
            click(f"{person}-{n}", person=person, after=n * 3600.0) for n in range(INLINE_MARKS + 2)
        ]
        stores.recipients.commit(
            commit_of(change_by(Row(RowKey(CAMPAIGN, f"p:{person}")), *clicks))
        )
    found = stores.recipients.sheets_of(KEY)
    assert len(found) == 2
    assert {sheet.key.recipient for sheet in found} == {"p:p1"}


def test_campaigns_of_a_recipient_are_those_of_the_workspace(stores: Stores) -> None:
    autumn, foreign = campaign_code("acme", "autumn"), campaign_code("globex", "spring-sale")
    for campaign in (CAMPAIGN, autumn, foreign):
        change = change_by(Row(RowKey(campaign, "p:p1")), click(campaign, campaign=campaign))
        stores.recipients.commit(Commit(campaign, [change.row], [], change.increments))
    count(stores, click("b", person="p1x"))
    assert stores.recipients.campaigns_of(workspace_code("acme"), "p:p1") == {CAMPAIGN, autumn}


def test_counters_move_with_the_row(stores: Stores) -> None:
    count(stores, click("a"), click("b", name="shop", after=60), click("c", person="p2"))
    counts = stores.campaigns.counts(CAMPAIGN)
    assert counts.total == Counts(
        human=3,
        people=2,
        people_human=2,
        deliveries=2,
        deliveries_human=2,
        opened=2,
        opened_human=2,
    )
    assert counts.links[link("home")] == Counts(human=2, people=2, people_human=2)
    assert counts.links[link("shop")] == Counts(human=1, people=1, people_human=1)
    assert counts.hours == {"2026-11-21T12": Counts(human=3)}


def test_a_commit_over_a_row_written_meanwhile_writes_nothing(stores: Stores) -> None:
    mine = change_by(Row(KEY), click("a"))
    other = change_by(Row(RowKey(CAMPAIGN, "p:p2")), click("b", person="p2"))
    count(stores, click("theirs"))
    before = stores.campaigns.counts(CAMPAIGN)
    with pytest.raises(Conflict):
        stores.recipients.commit(
            commit_of(other, mine, notice=Notice(CAMPAIGN, 5, frozenset({mine.fresh[0].id})))
        )
    assert stores.campaigns.counts(CAMPAIGN) == before
    assert stores.recipients.rows([other.row.key])[other.row.key].version == 0
    assert stores.recipients.notices(CAMPAIGN, [5]) == {}


def test_a_row_is_written_over_the_version_that_was_read(stores: Stores) -> None:
    count(stores, click("a"))
    count(stores, click("b", after=60))
    row = stores.recipients.rows([KEY])[KEY]
    assert (row.version, row.total.human) == (2, 2)


def test_figures_can_go_down(stores: Stores) -> None:
    count(stores, click("a"))
    moved = Counter({Cell(TOTAL, "human"): -1, Cell(TOTAL, "machine"): 1})
    stores.recipients.commit(Commit(CAMPAIGN, [], [], moved))
    total = stores.campaigns.counts(CAMPAIGN).total
    assert (total.human, total.machine) == (0, 1)


def test_a_removed_row_is_gone_if_nobody_wrote_it(stores: Stores) -> None:
    count(stores, click("a"))
    row = stores.recipients.rows([KEY])[KEY]
    stale = replace(row, version=row.version + 1)
    with pytest.raises(Conflict):
        stores.recipients.commit(Commit(CAMPAIGN, [], [], Counter(), removed=[stale]))
    stores.recipients.commit(Commit(CAMPAIGN, [], [], Counter(), removed=[row]))
    assert stores.recipients.rows([KEY])[KEY].version == 0


def test_a_notice_lasts_until_all_of_it_is_told(stores: Stores) -> None:
    one, two = b"12345678", b"abcdefgh"
    change = change_by(Row(KEY), click("a"))
    notice = Notice(CAMPAIGN, 7, frozenset({one, two}))
    stores.recipients.commit(commit_of(change, notice=notice))
    assert stores.recipients.notices(CAMPAIGN, [7, 8]) == {7: {one, two}}
    stores.recipients.told(CAMPAIGN, 7, frozenset({two}))
    assert stores.recipients.notices(CAMPAIGN, [7]) == {7: {two}}
    stores.recipients.told(CAMPAIGN, 7, frozenset())
    assert stores.recipients.notices(CAMPAIGN, [7]) == {}


def test_a_links_people_come_in_pages(stores: Stores) -> None:
    people = [f"p{number}" for number in range(7)]
    count(stores, *(click(p, person=p) for p in people), click("x", person="no", name="shop"))
    count(stores, click("again", person="p3", after=90))
    found: dict[str | None, LinkVisitor] = {}
    cursor = None
    while True:
        page = stores.recipients.of_link(link("home"), cursor=cursor, limit=3)
        found |= {visitor.person: visitor for visitor in page.items}
        cursor = page.cursor
        if cursor is None:
            break
    assert sorted(name for name in found if name) == people
    assert found["p3"].clicks == 2
    assert found["p3"].last - found["p3"].first == 90_000


def test_recipients_without_a_person_are_counted_but_not_named(stores: Stores) -> None:
    count(stores, click("a", person=None))
    page = stores.recipients.of_link(link("home"), cursor=None, limit=3)
    assert [visitor.person for visitor in page.items] == [None]
    assert stores.campaigns.counts(CAMPAIGN).links[link("home")].people == 1


@pytest.mark.parametrize(
    "cursor",
    [
        *("nonsense", "é", "OTkjYQ", ""),
        write_cursor("0#p:" + "a" * KEY_BYTES),
        write_cursor("#p:" + "a" * KEY_BYTES),
    ],
)
def test_a_made_up_cursor_is_refused(stores: Stores, cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        stores.recipients.of_link(link("home"), cursor=cursor, limit=3)


def test_figures_are_counted_beside_each_other(stores: Stores) -> None:
    stores.campaigns.add_sent(CAMPAIGN, 10, None)
    count(stores, click("a"))
    counts = stores.campaigns.counts(CAMPAIGN)
    assert (counts.sent, counts.total.human) == (10, 1)
    assert set(counts.links) == {link("home")}
    assert Cell(link_counter(link("home")), "human") in counts.cells()
