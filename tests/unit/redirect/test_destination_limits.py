"""Destinations that are as long as a response can carry, and longer ones of earlier versions."""

from __future__ import annotations

import pytest

from tests.redirect_harness import CAMPAIGN, RedirectHarness, make_request
from waypost.errors import MalformedToken
from waypost.ids import derive_link_id, extract_workspace_id
from waypost.models.short_link import LongDestination
from waypost.tokens import ClickToken
from waypost.tokens.codec import PERSON_PLACEHOLDER
from waypost.urls import MAX_LOCATION_LENGTH

LINK = derive_link_id(CAMPAIGN, "url:https://e.com/")
PARAMETERS = "&".join(f"p{n:02}={'x' * 990}" for n in range(50))


@pytest.fixture
def harness() -> RedirectHarness:
    return RedirectHarness()


def click(harness: RedirectHarness, href: str, person: str | None = "p1") -> str:
    token = ClickToken(LINK, "d1", person, 1, 1_790_000_000, href)
    result = harness.redirect_service.handle_click(harness.sealer.seal(token), make_request())
    return result.location


def test_longest_location_is_delivered_unchanged(harness: RedirectHarness) -> None:
    href = "https://e.com/?q=".ljust(MAX_LOCATION_LENGTH, "a")
    assert click(harness, href) == href


@pytest.mark.parametrize(
    ("href", "location"),
    [
        (f"https://e.com/?_cio_id=p1&{PARAMETERS}", "https://e.com/"),
        (f"https://e.com/?a=1&_cio_id=p1&{PARAMETERS}#top", "https://e.com/?a=1#top"),
        (
            f"https://e.com/?a=1;_cio_id=p1&{PARAMETERS}#/x?_cio_id=p1",
            "https://e.com/?a=1#/x?_cio_id=p1",
        ),
    ],
)
def test_too_long_destination_of_an_earlier_version_leads_there_without_its_parameters(
    harness: RedirectHarness, href: str, location: str
) -> None:
    assert len(href) > 49_000
    assert click(harness, href) == location
    assert len(list(harness.clicks.scan_by_campaign(CAMPAIGN))) == 1


def test_too_long_stored_destination_leads_there_without_its_parameters(
    harness: RedirectHarness,
) -> None:
    stored = LongDestination(
        extract_workspace_id(LINK), f"https://e.com/?{PERSON_PLACEHOLDER}&{PARAMETERS}"
    )
    harness.short_links.add_destinations([stored])
    token = ClickToken(LINK, "d1", "p 1", 1, 1_790_000_000, "", stored.digest)
    result = harness.redirect_service.handle_click(harness.sealer.seal(token), make_request())
    assert result.location == "https://e.com/"


@pytest.mark.parametrize(
    ("href", "person"),
    [
        (f"https://e.com/?{PARAMETERS}", "p1"),
        (f"https://e.com/?_cio_id=p1&{PARAMETERS}", None),
        (f"https://e.com/?_cio_id=p12&{PARAMETERS}", "p1"),
        (f"https://e.com/?{PARAMETERS}&_cio_id=p1", "p1"),
        (f"https://e.com/#?_cio_id=p1&{PARAMETERS}", "p1"),
    ],
)
def test_destination_that_stays_too_long_gets_the_error_page_and_is_not_counted(
    harness: RedirectHarness, href: str, person: str | None
) -> None:
    with pytest.raises(MalformedToken, match=r"destination too long \(\d\d,\d\d\d characters\)"):
        click(harness, href, person)
    assert list(harness.clicks.scan_by_campaign(CAMPAIGN)) == []
