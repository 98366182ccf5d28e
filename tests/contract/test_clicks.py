from __future__ import annotations

from dataclasses import replace

import pytest

from tests.click_factory import CAMPAIGN, make_click, make_link_id
from waypost.composition import Repositories
from waypost.errors import InvalidRequest
from waypost.ids import derive_campaign_id, derive_workspace_id
from waypost.repositories.pagination import MAX_SORT_KEY_BYTES, encode_cursor

ACME = derive_workspace_id("acme")


def test_click_is_read_as_it_was_recorded(stores: Repositories) -> None:
    plain = make_click(ip=None, country=None, asn=None, agent="")
    for recorded in (make_click("a"), plain):
        assert stores.clicks.record(recorded)
    found = stores.clicks.list_by_person(ACME, "p1", cursor=None, limit=10).items
    assert sorted(found, key=lambda c: c.id) == [make_click("a"), plain]


def test_click_recorded_twice_is_stored_once(stores: Repositories) -> None:
    assert stores.clicks.record(make_click())
    assert not stores.clicks.record(make_click())
    assert list(stores.clicks.scan_by_campaign(CAMPAIGN)) == [make_click()]


def test_two_clicks_at_the_same_time_are_both_stored(stores: Repositories) -> None:
    assert stores.clicks.record(make_click("a"))
    assert stores.clicks.record(make_click("b"))
    assert len(list(stores.clicks.scan_by_campaign(CAMPAIGN))) == 2


def test_a_persons_clicks_come_newest_first_in_pages(stores: Repositories) -> None:
    for number in range(5):
        stores.clicks.record(make_click(str(number), after=number))
    stores.clicks.record(make_click("other", person="p2"))
    ids, cursor = [], None
    while True:
        page = stores.clicks.list_by_person(ACME, "p1", cursor=cursor, limit=2)
        assert len(page.items) <= 2
        ids += [found.id for found in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert ids == ["4", "3", "2", "1", "0"]


def test_unknown_person_has_no_clicks(stores: Repositories) -> None:
    page = stores.clicks.list_by_person(ACME, "nobody", cursor=None, limit=2)
    assert (list(page.items), page.cursor) == ([], None)


@pytest.mark.parametrize(
    "cursor",
    [
        "é",
        encode_cursor("nowhere"),
        encode_cursor("2026-11-21T12:00:00.000Z"),
        encode_cursor("2026-11-21T12:00:00.000Z#" + "a" * MAX_SORT_KEY_BYTES),
    ],
)
def test_invalid_cursor_is_rejected(stores: Repositories, cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        stores.clicks.list_by_person(ACME, "p1", cursor=cursor, limit=2)


def test_cursor_shows_no_clicks_of_another_person(stores: Repositories) -> None:
    for number in range(3):
        stores.clicks.record(make_click(str(number), after=number))
    cursor = stores.clicks.list_by_person(ACME, "p1", cursor=None, limit=1).cursor
    for workspace, person in ((derive_workspace_id("globex"), "p1"), (ACME, "p2")):
        assert not stores.clicks.list_by_person(workspace, person, cursor=cursor, limit=9).items


def test_campaign_scan_returns_clicks_of_its_links_only(stores: Repositories) -> None:
    other = derive_campaign_id("acme", "autumn")
    stores.clicks.record(make_click("ours"))
    stores.clicks.record(make_click("theirs", campaign=other))
    assert [c.id for c in stores.clicks.scan_by_campaign(CAMPAIGN)] == ["ours"]
    assert [c.link for c in stores.clicks.scan_by_campaign(other)] == [make_link_id("home", other)]


def test_anonymized_click_stays_one_click(stores: Repositories) -> None:
    stores.clicks.record(make_click())
    for _ in range(2):  # safe to repeat
        stores.clicks.anonymize(make_click(), make_click().anonymize("alias", 3))
    assert not stores.clicks.list_by_person(ACME, "p1", cursor=None, limit=1).items
    [found] = stores.clicks.scan_by_campaign(CAMPAIGN)
    assert found == make_click().anonymize("alias", 3)


def test_anonymized_click_has_no_attribute_of_the_person() -> None:
    known = make_click(
        person="p-secret", delivery="d-secret", href="https://e.com/?_cio_id=p-secret"
    )
    stored = str(known.anonymize("alias", 0).to_item())
    for trace in ("secret", "203.0.113", "Safari", "DE", "3320"):
        assert trace not in stored


def test_anonymized_clicks_of_one_delivery_share_its_hash() -> None:
    first, second = (make_click(id_).anonymize("alias", 0) for id_ in "ab")
    elsewhere = replace(make_click("c"), delivery="another").anonymize("alias", 0)
    assert first.delivery == second.delivery != elsewhere.delivery
