"""Short links and long destinations, over the in-memory twin and DynamoDB as moto plays it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.contract.conftest import table
from tests.fakes import MemoryShortLinks
from waypost.ids import workspace_code
from waypost.models.short_link import ShortLink, StoredDestination, new_code
from waypost.repositories.dynamodb.client import DynamoClient
from waypost.repositories.dynamodb.short_links import DynamoShortLinks
from waypost.repositories.short_links import ShortLinkStore

ACME = workspace_code("acme")
LINK = ShortLink(code=new_code(), token="payload/signature", expires=1_800_000_000)


@pytest.fixture(params=["memory", "dynamodb"])
def short_links(request: pytest.FixtureRequest) -> Iterator[ShortLinkStore]:
    if request.param == "memory":
        yield MemoryShortLinks()
        return
    client: DynamoClient = request.getfixturevalue("dynamodb")
    with table(client, "ShortLinksTable") as name:
        yield DynamoShortLinks(client, name)


def some(number: int) -> list[ShortLink]:
    return [ShortLink(new_code(), f"token-{n}/signature", None) for n in range(number)]


def test_a_short_link_comes_back_as_it_was_stored(short_links: ShortLinkStore) -> None:
    forever = replace(LINK, code=new_code(), expires=None)
    assert short_links.add([LINK, forever]) == frozenset()
    assert short_links.find(LINK.code) == LINK
    assert short_links.find(forever.code) == forever


def test_a_code_nobody_was_given_leads_nowhere(short_links: ShortLinkStore) -> None:
    assert short_links.find(new_code()) is None


def test_nothing_is_stored_in_the_place_of_another_link(short_links: ShortLinkStore) -> None:
    short_links.add([LINK])
    assert short_links.add([replace(LINK, token="another/token")]) == {LINK.code}
    assert short_links.find(LINK.code) == LINK


def test_links_beside_one_whose_code_is_taken_are_stored(short_links: ShortLinkStore) -> None:
    short_links.add([LINK])
    others = some(3)
    mixed = [others[0], replace(LINK, token="another/token"), *others[1:]]
    assert short_links.add(mixed) == {LINK.code}
    assert [short_links.find(other.code) for other in others] == others


def test_more_links_than_a_transaction_holds_are_stored(short_links: ShortLinkStore) -> None:
    links = some(230)
    assert short_links.add(links) == frozenset()
    assert all(short_links.find(link.code) == link for link in links)


def test_a_destination_is_kept_by_its_digest_and_its_workspace(
    short_links: ShortLinkStore,
) -> None:
    kept = StoredDestination(ACME, "https://example.com/?q=" + "x" * 3000)
    for _ in range(2):  # safe to repeat
        short_links.keep([kept])
    assert short_links.destination(ACME, kept.digest) == kept.href
    assert short_links.destination(workspace_code("other"), kept.digest) is None
    assert short_links.destination(ACME, "00" * 16) is None
