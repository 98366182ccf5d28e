"""Opens are counted like clicks but separately, and each click implies an open."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.click_factory import CAMPAIGN, CHROME, SAFARI, make_click
from waypost.bot_detection.scoring import BotSignal, build_verdict, classify_click, detect_signals
from waypost.ids import derive_open_id
from waypost.models.click import Click
from waypost.models.counters import ClickCounts, CounterCell
from waypost.models.recipient import CountedClick, RecipientKey, RecipientRow
from waypost.tally.aggregation import apply_clicks
from waypost.tally.event_publisher import build_click_event
from waypost.tally.transactions import RecipientState, _select_events

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
KEY = RecipientKey(CAMPAIGN, "p:p1")


def make_open(id_: str = "open-1", *, after: float = 0.0, agent: str = SAFARI) -> Click:
    clicks = make_click(id_, after=after, agent=agent, position=0, href="")
    return _to_open(clicks)


def _to_open(clicks: Click) -> Click:
    return replace(clicks, link=derive_open_id(CAMPAIGN))


def count_clicks(*clicks: Click) -> tuple[RecipientRow, ClickCounts]:
    change = apply_clicks(RecipientRow(KEY), {}, map(classify_click, clicks))
    assert change is not None
    return change.row, _total(change.increments)


def _total(increments: Counter[CounterCell]) -> ClickCounts:
    return ClickCounts().add_figures(
        {c.figure: v for c, v in increments.items() if c.counter == "total"}
    )


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
def test_open_is_classified_with_its_reason(agent: str, kind: str, reason: str | None) -> None:
    found = build_verdict(detect_signals(make_open(agent=agent)))
    assert (found.kind, found.reasons[:1]) == (kind, (reason,) if reason else ())


def test_click_with_an_office_user_agent_is_a_bot() -> None:
    assert detect_signals(make_click(agent=OUTLOOK)) & BotSignal.KNOWN_AGENT


def test_opens_are_not_counted_as_clicks() -> None:
    row, total = count_clicks(
        make_open("a"), make_open("b", after=60, agent=APPLE), make_click("c", after=90)
    )
    assert total == ClickCounts(
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
    assert (row.total.total, row.links[derive_open_id(CAMPAIGN)].total) == (1, 2)


def test_recipient_with_opens_only_has_no_click() -> None:
    _, total = count_clicks(make_open("a"), make_open("b", after=5))
    assert total == ClickCounts(opens_human=2, opened=1, opened_human=1)


def test_click_counts_its_delivery_as_opened() -> None:
    _, total = count_clicks(make_click("c"))
    assert (total.opens, total.opened, total.opened_human) == (0, 1, 1)


def test_human_click_counts_a_bot_opened_delivery_as_opened_by_a_human() -> None:
    change = apply_clicks(RecipientRow(KEY), {}, [classify_click(make_open("a", agent=APPLE))])
    assert change is not None
    assert _total(change.increments) == ClickCounts(opens_machine=1, opened=1)
    then = apply_clicks(change.row, {}, [classify_click(make_click("b", after=60))])
    assert then is not None
    assert _total(then.increments).opened == 0
    assert _total(then.increments).opened_human == 1


def test_open_changes_no_link_counter() -> None:
    change = apply_clicks(RecipientRow(KEY), {}, [classify_click(make_open())])
    assert change is not None
    assert {cell.counter for cell in change.increments} == {"total", "hour#2026-11-21T12"}


def test_opens_do_not_count_as_part_of_a_burst() -> None:
    quick = [
        make_click("a", name="home"),
        make_click("b", name="shop", after=2),
        make_open("o", after=1),
    ]
    _, total = count_clicks(*quick)
    assert (total.machine, total.opens_machine) == (0, 0)


def test_repeated_open_is_counted_once() -> None:
    row, _ = count_clicks(make_open())
    assert apply_clicks(row, {}, [classify_click(make_open())]) is None


@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_opens_and_clicks_add_up_in_any_order_and_batches(dice: random.Random, cuts: int) -> None:
    clicks = [
        make_open(f"o{n}", after=n * 40, agent=a) for n, a in enumerate((SAFARI, APPLE, GMAIL))
    ]
    clicks += [make_click(f"c{n}", name=f"l{n}", after=n, agent=CHROME) for n in range(5)]
    _, whole = count_clicks(*clicks)
    dice.shuffle(clicks)
    row, increments = RecipientRow(KEY), Counter[CounterCell]()
    for batch in range(cuts):
        change = apply_clicks(row, {}, map(classify_click, clicks[batch::cuts]))
        assert change is not None
        row = change.row
        increments.update(change.increments)
    assert _total(increments) == whole


def test_row_with_opens_survives_the_item_round_trip() -> None:
    row, _ = count_clicks(make_open("a"), make_click("b", after=50))
    assert RecipientRow.from_item(KEY, row.to_item()) == row


def test_row_of_an_ordinary_recipient_is_under_one_kilobyte() -> None:
    clicks = [make_open(f"o{n}", after=n * 3600) for n in range(4)]
    clicks += [make_click(f"c{n}", name=f"link-{n}", after=n * 3600 + 60) for n in range(3)]
    row, _ = count_clicks(*clicks)
    assert _bytes(row) < 700


def _bytes(row: RecipientRow) -> int:
    size = 0
    for name, value in row.to_item().items():
        (held,) = value.values()
        size += len(name) + (len(held) if isinstance(held, bytes) else len(str(held)))
    return size


def test_first_open_and_first_click_of_a_delivery_are_published() -> None:
    change = apply_clicks(
        RecipientRow(KEY),
        {},
        map(classify_click, [make_open("a"), make_open("b", after=9), make_click("c", after=10)]),
    )
    assert change is not None
    result = _select_events(RecipientState(RecipientRow(KEY)), change, "first")
    assert result == {
        classify_click(make_open("a")).id,
        classify_click(make_click("c", after=10)).id,
    }
    again = apply_clicks(change.row, {}, [classify_click(make_open("d", after=99))])
    assert again is not None
    assert _select_events(RecipientState(change.row), again, "first") == set()


def test_open_is_published_as_opened() -> None:
    result = build_click_event(make_open(), build_verdict(detect_signals(make_open())))
    assert result["metric"] == "opened"
    data = result["data"]
    assert isinstance(data, dict)
    assert (data["link_id"], data["href"]) == (None, None)
    assert data["campaign_id"] == CAMPAIGN


def test_open_survives_the_item_round_trip() -> None:
    clicks = make_open()
    assert Click.from_item(clicks.to_item()) == clicks
    assert (clicks.metric, make_click().metric) == ("opened", "clicked")
    assert isinstance(classify_click(clicks), CountedClick)


def test_anonymous_open_has_its_stored_signals() -> None:
    anonymous = make_open(agent=GMAIL).anonymize(
        "alias", int(detect_signals(make_open(agent=GMAIL)))
    )
    assert anonymous.metric == "opened"
    assert build_verdict(detect_signals(anonymous)).reasons[0] == "image_proxy"
    change = apply_clicks(
        RecipientRow(RecipientKey(CAMPAIGN, anonymous.recipient)), {}, [classify_click(anonymous)]
    )
    assert change is not None
    assert _total(change.increments) == ClickCounts(opens_machine=1, opened=1)


def test_people_who_opened_are_listed_like_people_who_clicked() -> None:
    row, _ = count_clicks(make_open("a"), make_open("b", after=30))
    visitor = row.to_visitor(derive_open_id(CAMPAIGN))
    assert (visitor.person, visitor.clicks, visitor.last - visitor.first) == ("p1", 2, 30_000)


def test_row_of_a_version_without_opens_is_readable() -> None:
    row, _ = count_clicks(make_click("a"))
    stored = row.to_item()
    assert "opened" not in stored
    assert RecipientRow.from_item(KEY, stored) == row
