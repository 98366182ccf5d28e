"""Findings of `make fuzz` outside rewriting, each tested once."""

from __future__ import annotations

import json
from typing import cast

import pytest

from tests.click_factory import make_click, make_link_id
from waypost.clicks.fallback_queue import deserialize_click, serialize_click
from waypost.clicks.request import truncate_address
from waypost.errors import CorruptItem, InvalidRequest, UnsafeDestination
from waypost.models.workspace import IpPolicy
from waypost.repositories.dynamodb.client import DynamoClient
from waypost.repositories.dynamodb.recipients import DynamoRecipientRepository
from waypost.repositories.pagination import encode_cursor
from waypost.urls import check_destination


@pytest.mark.parametrize("port", ["9" * 5_000, "0" * 5_000 + "65536"])
def test_port_of_thousands_of_digits_is_refused(port: str) -> None:
    with pytest.raises(UnsafeDestination, match="port"):
        check_destination(f"https://example.com:{port}/")


def test_port_with_leading_zeros_is_accepted() -> None:
    check_destination(f"https://example.com:{'0' * 5_000}443/")


@pytest.mark.parametrize(
    "changes",
    [
        {"sent": 1.5},
        {"more": [None]},
        {"time": "0001-01-01T00:00:00+14:00"},
        {"time": "9999-12-31T23:59:59-14:00"},
    ],
)
def test_invalid_message_of_the_fallback_queue_is_a_corrupt_item(
    changes: dict[str, object],
) -> None:
    """Any other error would fail the rest of its batch on each retry."""
    values = json.loads(serialize_click(make_click("request-1"))) | changes
    with pytest.raises(CorruptItem):
        deserialize_click(json.dumps(values))


def test_deeply_nested_message_of_the_fallback_queue_is_a_corrupt_item() -> None:
    with pytest.raises(CorruptItem):
        deserialize_click("[" * 100_000)


def test_6to4_address_is_truncated_as_its_ipv4_address() -> None:
    """The first 48 bits of an address in 2002::/16 contain the whole IPv4 address (RFC 3056)."""
    assert truncate_address("2002:cb00:714d::1", "truncated") == "203.0.113.0"
    assert truncate_address("2002:cb00:714d::1", "full") == "2002:cb00:714d::1"


@pytest.mark.parametrize(
    "position",
    ["²#p:a", "٣#p:a", "9" * 1_000 + "#p:a", "-1#p:a", "#p:a", "32#p:a", "1#~p:a", "1#!7", "1"],
)
def test_forged_cursor_is_an_invalid_request(position: str) -> None:
    """DynamoDB refuses a start key outside the queried range; moto does not."""
    recipients = DynamoRecipientRepository(cast("DynamoClient", None), "table")
    with pytest.raises(InvalidRequest):
        recipients.list_link_visitors(make_link_id("home"), cursor=encode_cursor(position), limit=1)


@pytest.mark.parametrize(
    ("policy", "expected"), [("truncated", "2001:db8:1::"), ("full", "2001:db8:1:2::3")]
)
def test_zone_of_an_ipv6_address_is_removed(policy: IpPolicy, expected: str) -> None:
    """A zone (RFC 4007) has a meaning only on the machine that saw the address."""
    assert truncate_address("2001:db8:1:2::3%a-name-of-any-length", policy) == expected
