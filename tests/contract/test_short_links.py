"""Contract of the short link repository, for DynamoDB (moto) and for memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.dynamodb_tables import temporary_table
from tests.fakes import InMemoryShortLinkRepository
from waypost.composition import Repositories, TableNames
from waypost.ids import derive_workspace_id
from waypost.models.short_link import LongDestination, ShortLink, generate_code
from waypost.repositories.dynamodb.client import DynamoClient
from waypost.repositories.short_links import ShortLinkRepository

ACME = derive_workspace_id("acme")
LINK = ShortLink(code=generate_code(), token="payload/signature", expires=1_800_000_000)


@pytest.fixture(params=["memory", "dynamodb"])
def short_links(request: pytest.FixtureRequest) -> Iterator[ShortLinkRepository]:
    if request.param == "memory":
        yield InMemoryShortLinkRepository()
        return
    client: DynamoClient = request.getfixturevalue("dynamodb")
    with temporary_table(client, "ShortLinksTable") as name:
        yield Repositories(client, TableNames(short_links=name)).short_links


def build_short_links(number: int) -> list[ShortLink]:
    return [ShortLink(generate_code(), f"token-{n}/signature", None) for n in range(number)]


def test_short_link_is_read_as_it_was_stored(short_links: ShortLinkRepository) -> None:
    forever = replace(LINK, code=generate_code(), expires=None)
    assert short_links.add([LINK, forever]) == frozenset()
    assert short_links.get(LINK.code) == LINK
    assert short_links.get(forever.code) == forever


def test_unknown_code_has_no_short_link(short_links: ShortLinkRepository) -> None:
    assert short_links.get(generate_code()) is None


def test_short_link_does_not_replace_another(short_links: ShortLinkRepository) -> None:
    short_links.add([LINK])
    assert short_links.add([replace(LINK, token="another/token")]) == {LINK.code}
    assert short_links.get(LINK.code) == LINK


def test_links_beside_a_taken_code_are_stored(short_links: ShortLinkRepository) -> None:
    short_links.add([LINK])
    others = build_short_links(3)
    mixed = [others[0], replace(LINK, token="another/token"), *others[1:]]
    assert short_links.add(mixed) == {LINK.code}
    assert [short_links.get(other.code) for other in others] == others


def test_more_links_than_a_transaction_holds_are_stored(short_links: ShortLinkRepository) -> None:
    links = build_short_links(230)
    assert short_links.add(links) == frozenset()
    assert all(short_links.get(link.code) == link for link in links)


def test_destination_is_stored_by_digest_and_workspace(
    short_links: ShortLinkRepository,
) -> None:
    kept = LongDestination(ACME, "https://example.com/?q=" + "x" * 3000)
    for _ in range(2):  # safe to repeat
        short_links.add_destinations([kept])
    assert short_links.get_destination(ACME, kept.digest) == kept.href
    assert short_links.get_destination(derive_workspace_id("other"), kept.digest) is None
    assert short_links.get_destination(ACME, "00" * 16) is None


DESTINATION = LongDestination(ACME, "https://example.com/?email=ada", recipient="a" * 32)


def test_destination_of_one_recipient_is_deleted_with_them(
    short_links: ShortLinkRepository,
) -> None:
    short_links.add_destinations([DESTINATION, DESTINATION])
    assert not short_links.delete_destination(ACME, DESTINATION.digest, "b" * 32)
    assert short_links.get_destination(ACME, DESTINATION.digest) == DESTINATION.href
    assert short_links.delete_destination(ACME, DESTINATION.digest, "a" * 32)
    assert short_links.get_destination(ACME, DESTINATION.digest) is None
    assert not short_links.delete_destination(ACME, DESTINATION.digest, "a" * 32)
    short_links.add_destinations([DESTINATION])
    assert short_links.get_destination(ACME, DESTINATION.digest) == DESTINATION.href


@pytest.mark.parametrize("other", ["b" * 32, None])
def test_destination_of_two_recipients_is_not_deleted(
    short_links: ShortLinkRepository, other: str | None
) -> None:
    shared = replace(DESTINATION, recipient=other)
    for destination in (DESTINATION, shared, DESTINATION):
        short_links.add_destinations([destination])
    assert not short_links.delete_destination(ACME, DESTINATION.digest, "a" * 32)
    assert short_links.get_destination(ACME, DESTINATION.digest) == DESTINATION.href


def test_destination_without_a_mark_is_not_deleted(short_links: ShortLinkRepository) -> None:
    short_links.add_destinations([replace(DESTINATION, recipient=None)])
    short_links.add_destinations([DESTINATION])
    assert not short_links.delete_destination(ACME, DESTINATION.digest, "a" * 32)


def test_expiry_of_a_destination_is_extended_and_ends_when_it_is_shared(dynamodb: Any) -> None:
    with temporary_table(dynamodb, "ShortLinksTable") as name:
        short_links = Repositories(dynamodb, TableNames(short_links=name)).short_links
        for expires in (1_900_000_000, 1_950_000_000):
            short_links.add_destinations([replace(DESTINATION, expires=expires)])
            (item,) = dynamodb.scan(TableName=name)["Items"]
            assert item["expires"] == {"N": str(expires)}
        short_links.add_destinations([replace(DESTINATION, recipient="b" * 32)])
        (item,) = dynamodb.scan(TableName=name)["Items"]
        assert item.keys() == {"pk", "href"}


def test_deleted_short_link_is_unknown(short_links: ShortLinkRepository) -> None:
    short_links.add([LINK])
    assert [short_links.delete(LINK.code) for _ in range(2)] == [True, False]
    assert short_links.get(LINK.code) is None
