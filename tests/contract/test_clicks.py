from __future__ import annotations

from dataclasses import replace

import pytest

from tests.clicks import CAMPAIGN, click, link
from tests.contract.conftest import Stores
from waypost.errors import InvalidRequest
from waypost.ids import campaign_code, workspace_code
from waypost.repositories.pagination import KEY_BYTES, write_cursor

ACME = workspace_code("acme")


def test_a_click_comes_back_as_it_was_recorded(stores: Stores) -> None:
    plain = click(ip=None, country=None, asn=None, agent="")
    for recorded in (click("a"), plain):
        assert stores.clicks.record(recorded)
    found = stores.clicks.of_person(ACME, "p1", cursor=None, limit=10).items
    assert sorted(found, key=lambda c: c.id) == [click("a"), plain]


def test_a_click_recorded_twice_is_there_once(stores: Stores) -> None:
    assert stores.clicks.record(click())
    assert not stores.clicks.record(click())
    assert list(stores.clicks.of_campaign(CAMPAIGN)) == [click()]


def test_two_clicks_at_the_same_moment_are_two(stores: Stores) -> None:
    assert stores.clicks.record(click("a"))
    assert stores.clicks.record(click("b"))
    assert len(list(stores.clicks.of_campaign(CAMPAIGN))) == 2


def test_a_persons_clicks_come_newest_first_in_pages(stores: Stores) -> None:
    for number in range(5):
        stores.clicks.record(click(str(number), after=number))
    stores.clicks.record(click("other", person="p2"))
    ids, cursor = [], None
    while True:
        page = stores.clicks.of_person(ACME, "p1", cursor=cursor, limit=2)
        assert len(page.items) <= 2
        ids += [found.id for found in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert ids == ["4", "3", "2", "1", "0"]


def test_a_person_nobody_saw_has_no_clicks(stores: Stores) -> None:
    page = stores.clicks.of_person(ACME, "nobody", cursor=None, limit=2)
    assert (list(page.items), page.cursor) == ([], None)


@pytest.mark.parametrize(
    "cursor",
    [
        "é",
        write_cursor("nowhere"),
        write_cursor("2026-11-21T12:00:00.000Z"),
        write_cursor("2026-11-21T12:00:00.000Z#" + "a" * KEY_BYTES),
    ],
)
def test_a_made_up_cursor_is_refused(stores: Stores, cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        stores.clicks.of_person(ACME, "p1", cursor=cursor, limit=2)


def test_a_cursor_leads_through_nobody_elses_clicks(stores: Stores) -> None:
    for number in range(3):
        stores.clicks.record(click(str(number), after=number))
    cursor = stores.clicks.of_person(ACME, "p1", cursor=None, limit=1).cursor
    for workspace, person in ((workspace_code("globex"), "p1"), (ACME, "p2")):
        assert not stores.clicks.of_person(workspace, person, cursor=cursor, limit=9).items


def test_a_campaigns_clicks_are_those_of_its_links(stores: Stores) -> None:
    other = campaign_code("acme", "autumn")
    stores.clicks.record(click("ours"))
    stores.clicks.record(click("theirs", campaign=other))
    assert [c.id for c in stores.clicks.of_campaign(CAMPAIGN)] == ["ours"]
    assert [c.link for c in stores.clicks.of_campaign(other)] == [link("home", other)]


def test_a_click_loses_its_identity_and_stays_a_click(stores: Stores) -> None:
    stores.clicks.record(click())
    for _ in range(2):  # safe to repeat
        stores.clicks.anonymise(click(), click().anonymous("alias", 3))
    assert not stores.clicks.of_person(ACME, "p1", cursor=None, limit=1).items
    [found] = stores.clicks.of_campaign(CAMPAIGN)
    assert found == click().anonymous("alias", 3)


def test_nothing_of_a_person_is_left_in_a_click_without_identity() -> None:
    known = click(person="p-secret", delivery="d-secret", href="https://e.com/?_cio_id=p-secret")
    stored = str(known.anonymous("alias", 0).to_item())
    for trace in ("secret", "203.0.113", "Safari", "DE", "3320"):
        assert trace not in stored


def test_anonymous_clicks_of_one_delivery_stay_of_one_delivery() -> None:
    first, second = (click(id_).anonymous("alias", 0) for id_ in "ab")
    elsewhere = replace(click("c"), delivery="another").anonymous("alias", 0)
    assert first.delivery == second.delivery != elsewhere.delivery
