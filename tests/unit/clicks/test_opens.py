"""Opens beside clicks: counted the same way, apart, and each click an open."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.clicks import CAMPAIGN, CHROME, SAFARI, click
from waypost.bot_detection.scoring import Signal, mark_of, signals_of, verdict
from waypost.ids import opens_code
from waypost.models.click import Click
from waypost.models.counters import Cell, Counts
from waypost.models.recipient import Mark, Row, RowKey
from waypost.tally.aggregation import absorb
from waypost.tally.event_publisher import event
from waypost.tally.transactions import Standing, _to_tell

GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
YAHOO = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
APPLE = "Mozilla/5.0"
GMAIL_PREFETCH = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
)
OUTLOOK = (
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C; .NET4.0E; "
    "ms-office; MSOffice 16)"
)
KEY = RowKey(CAMPAIGN, "p:p1")


def opened(id_: str = "open-1", *, after: float = 0.0, agent: str = SAFARI) -> Click:
    made = click(id_, after=after, agent=agent, position=0, href="")
    return _at(made)


def _at(made: Click) -> Click:
    return replace(made, link=opens_code(CAMPAIGN))


def counted(*made: Click) -> tuple[Row, Counts]:
    change = absorb(Row(KEY), {}, map(mark_of, made))
    assert change is not None
    return change.row, _total(change.increments)


def _total(increments: Counter[Cell]) -> Counts:
    return Counts().plus({c.figure: v for c, v in increments.items() if c.counter == "total"})


@pytest.mark.parametrize(
    ("agent", "kind", "reason"),
    [
        (GMAIL, "machine", "image_proxy"),
        (YAHOO, "machine", "image_proxy"),
        (APPLE, "machine", "image_prefetch"),
        (GMAIL_PREFETCH, "machine", "image_prefetch"),
        ("", "machine", "no_agent"),
        ("Googlebot/2.1 (+http://www.google.com/bot.html)", "machine", "known_agent"),
        ("SomeMail/3", "human", "odd_agent"),
        (SAFARI, "human", None),
        (OUTLOOK, "human", None),
        ("Outlook-iOS/711.2620504.prod.iphone (4.28.0)", "human", None),
    ],
)
def test_an_open_is_labelled_with_its_reason(agent: str, kind: str, reason: str | None) -> None:
    found = verdict(signals_of(opened(agent=agent)))
    assert (found.kind, found.reasons[:1]) == (kind, (reason,) if reason else ())


def test_a_click_with_the_agent_of_an_office_program_stays_a_machines() -> None:
    assert signals_of(click(agent=OUTLOOK)) & Signal.KNOWN_AGENT


def test_opens_are_counted_beside_clicks_not_among_them() -> None:
    row, total = counted(opened("a"), opened("b", after=60, agent=APPLE), click("c", after=90))
    assert total == Counts(
        human=1,
        people=1,
        people_human=1,
        deliveries=1,
        deliveries_human=1,
        opens_human=1,
        opens_machine=1,
        opened=1,
        opened_human=1,
    )
    assert (total.total, total.opens) == (1, 2)
    assert (row.total.total, row.links[opens_code(CAMPAIGN)].total) == (1, 2)


def test_opens_alone_are_nobodys_click() -> None:
    _, total = counted(opened("a"), opened("b", after=5))
    assert total == Counts(opens_human=2, opened=1, opened_human=1)


def test_a_click_implies_an_open() -> None:
    _, total = counted(click("c"))
    assert (total.opens, total.opened, total.opened_human) == (0, 1, 1)


def test_a_persons_click_makes_an_open_that_a_machine_did_a_persons() -> None:
    change = absorb(Row(KEY), {}, [mark_of(opened("a", agent=APPLE))])
    assert change is not None
    assert _total(change.increments) == Counts(opens_machine=1, opened=1)
    then = absorb(change.row, {}, [mark_of(click("b", after=60))])
    assert then is not None
    assert _total(then.increments).opened == 0
    assert _total(then.increments).opened_human == 1


def test_no_counter_of_a_link_is_moved_by_an_open() -> None:
    change = absorb(Row(KEY), {}, [mark_of(opened())])
    assert change is not None
    assert {cell.counter for cell in change.increments} == {"total", "hour#2026-11-21T12"}


def test_images_that_load_beside_quick_clicks_make_nobody_a_machine() -> None:
    quick = [click("a", name="home"), click("b", name="shop", after=2), opened("o", after=1)]
    _, total = counted(*quick)
    assert (total.machine, total.opens_machine) == (0, 0)


def test_an_open_counts_once_however_often_it_comes() -> None:
    row, _ = counted(opened())
    assert absorb(row, {}, [mark_of(opened())]) is None


@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_however_cut_and_ordered_opens_and_clicks_add_up_the_same(
    dice: random.Random, cuts: int
) -> None:
    made = [opened(f"o{n}", after=n * 40, agent=a) for n, a in enumerate((SAFARI, APPLE, GMAIL))]
    made += [click(f"c{n}", name=f"l{n}", after=n, agent=CHROME) for n in range(5)]
    _, whole = counted(*made)
    dice.shuffle(made)
    row, increments = Row(KEY), Counter[Cell]()
    for batch in range(cuts):
        change = absorb(row, {}, map(mark_of, made[batch::cuts]))
        assert change is not None
        row = change.row
        increments.update(change.increments)
    assert _total(increments) == whole


def test_a_row_with_opens_comes_back_from_its_item() -> None:
    row, _ = counted(opened("a"), click("b", after=50))
    assert Row.from_item(KEY, row.to_item()) == row


def test_the_row_of_an_ordinary_reader_is_well_under_a_kilobyte() -> None:
    made = [opened(f"o{n}", after=n * 3600) for n in range(4)]
    made += [click(f"c{n}", name=f"link-{n}", after=n * 3600 + 60) for n in range(3)]
    row, _ = counted(*made)
    assert _bytes(row) < 700


def _bytes(row: Row) -> int:
    size = 0
    for name, value in row.to_item().items():
        (held,) = value.values()
        size += len(name) + (len(held) if isinstance(held, bytes) else len(str(held)))
    return size


def test_of_a_delivery_the_first_open_and_the_first_click_are_told() -> None:
    change = absorb(
        Row(KEY), {}, map(mark_of, [opened("a"), opened("b", after=9), click("c", after=10)])
    )
    assert change is not None
    told = _to_tell(Standing(Row(KEY)), change, "first")
    assert told == {mark_of(opened("a")).id, mark_of(click("c", after=10)).id}
    again = absorb(change.row, {}, [mark_of(opened("d", after=99))])
    assert again is not None
    assert _to_tell(Standing(change.row), again, "first") == set()


def test_the_bus_is_told_of_an_open_as_such() -> None:
    told = event(opened(), verdict(signals_of(opened())))
    assert told["metric"] == "opened"
    data = told["data"]
    assert isinstance(data, dict)
    assert (data["link_id"], data["href"]) == (None, None)
    assert data["campaign_id"] == CAMPAIGN


def test_an_open_is_kept_and_read_back_as_a_click_of_no_link() -> None:
    made = opened()
    assert Click.from_item(made.to_item()) == made
    assert (made.metric, click().metric) == ("opened", "clicked")
    assert isinstance(mark_of(made), Mark)


def test_an_open_without_identity_is_still_an_open_with_what_it_told() -> None:
    anonymous = opened(agent=GMAIL).anonymous("alias", int(signals_of(opened(agent=GMAIL))))
    assert anonymous.metric == "opened"
    assert verdict(signals_of(anonymous)).reasons[0] == "image_proxy"
    change = absorb(Row(RowKey(CAMPAIGN, anonymous.recipient)), {}, [mark_of(anonymous)])
    assert change is not None
    assert _total(change.increments) == Counts(opens_machine=1, opened=1)


def test_who_opened_is_read_as_who_clicked_a_link_is() -> None:
    row, _ = counted(opened("a"), opened("b", after=30))
    visitor = row.visitor(opens_code(CAMPAIGN))
    assert (visitor.person, visitor.clicks, visitor.last - visitor.first) == ("p1", 2, 30_000)


def test_a_row_stored_before_there_were_opens_is_read() -> None:
    row, _ = counted(click("a"))
    stored = row.to_item()
    assert "opened" not in stored
    assert Row.from_item(KEY, stored) == row
