"""What fuzzing found outside rewriting, each finding once; `make fuzz` looks for more."""

from __future__ import annotations

import json
from typing import cast

import pytest

from tests.clicks import make_click, make_link_id
from waypost.clicks.fallback_queue import deserialize_click, serialize_click
from waypost.clicks.request import truncate_address
from waypost.errors import CorruptItem, InvalidRequest, UnsafeDestination
from waypost.models.workspace import IpPolicy
from waypost.repositories.dynamodb.client import DynamoClient
from waypost.repositories.dynamodb.recipients import DynamoRecipientRepository
from waypost.repositories.pagination import encode_cursor
from waypost.urls import check_destination


@pytest.mark.parametrize("port", ["9" * 5_000, "0" * 5_000 + "65536"])
def test_a_port_of_thousands_of_digits_is_refused_like_any_that_does_not_exist(port: str) -> None:
    with pytest.raises(UnsafeDestination, match="port"):
        check_destination(f"https://example.com:{port}/")


def test_a_port_with_zeros_before_it_is_the_same_port() -> None:
    check_destination(f"https://example.com:{'0' * 5_000}443/")


@pytest.mark.parametrize(
    "spoilt",
    [
        {"sent": 1.5},
        {"more": [None]},
        {"time": "0001-01-01T00:00:00+14:00"},
        {"time": "9999-12-31T23:59:59-14:00"},
    ],
)
def test_a_parked_message_that_is_no_click_is_told_from_one_that_failed(
    spoilt: dict[str, object],
) -> None:
    """Else it takes the rest of its batch with it, each time it is given again."""
    values = json.loads(serialize_click(make_click("request-1"))) | spoilt
    with pytest.raises(CorruptItem):
        deserialize_click(json.dumps(values))


def test_a_parked_message_nested_without_end_is_no_click() -> None:
    with pytest.raises(CorruptItem):
        deserialize_click("[" * 100_000)


def test_an_ipv4_address_within_one_of_6to4_is_cut_as_what_it_is() -> None:
    """The first 48 bits of 2002::/16 hold the whole of it (RFC 3056)."""
    assert truncate_address("2002:cb00:714d::1", "truncated") == "203.0.113.0"
    assert truncate_address("2002:cb00:714d::1", "full") == "2002:cb00:714d::1"


@pytest.mark.parametrize(
    "position",
    ["²#p:a", "٣#p:a", "9" * 1_000 + "#p:a", "-1#p:a", "#p:a", "32#p:a", "1#~p:a", "1#!7", "1"],
)
def test_a_cursor_that_somebody_made_up_is_told_from_a_fault_of_ours(position: str) -> None:
    """DynamoDB refuses to begin outside the range that is read; moto does not."""
    recipients = DynamoRecipientRepository(cast("DynamoClient", None), "table")
    with pytest.raises(InvalidRequest):
        recipients.list_link_visitors(make_link_id("home"), cursor=encode_cursor(position), limit=1)


@pytest.mark.parametrize(
    ("policy", "kept"), [("truncated", "2001:db8:1::"), ("full", "2001:db8:1:2::3")]
)
def test_what_stands_behind_an_address_is_no_part_of_it(policy: IpPolicy, kept: str) -> None:
    """A zone (RFC 4007) is of the machine that the address was seen on."""
    assert truncate_address("2001:db8:1:2::3%a-name-of-any-length", policy) == kept
