"""Reading a long list a page at a time."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from re import Pattern
from typing import Final, Generic, TypeVar

from waypost.errors import InvalidRequest

T = TypeVar("T", covariant=True)

MAX_SORT_KEY_BYTES: Final = 1_024
"""Of a sort key. DynamoDB refuses to go on after a longer one as it refuses a call of ours."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list. ``cursor`` asks for what follows, None where nothing does; a page may hold
    fewer than were asked for, even none, and still have a cursor. ``unread``: how many rows are
    left out since they cannot be read.
    """

    items: Sequence[T]
    cursor: str | None
    corrupt_count: int = 0


def encode_cursor(position: str) -> str:
    """A position as a text that fits a query and invites nobody to make one up."""
    return urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """Read what ``write_cursor`` wrote. Raises InvalidRequest."""
    try:
        position = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError as e:
        raise build_cursor_error() from e
    if not position or encode_cursor(position) != cursor:  # the decoder skips what it does not know
        raise build_cursor_error()
    return position


def parse_cursor(cursor: str, pattern: Pattern[str]) -> str:
    """The sort key that a cursor names. Raises InvalidRequest where no key looks like it."""
    place = decode_cursor(cursor)
    if not pattern.fullmatch(place) or not is_valid_sort_key(place):
        raise build_cursor_error()
    return place


def is_valid_sort_key(sort: str) -> bool:
    """Whether DynamoDB takes a sort key of this length."""
    return 0 < len(sort.encode()) <= MAX_SORT_KEY_BYTES


def build_cursor_error() -> InvalidRequest:
    """What to raise of a cursor that nobody was given."""
    return InvalidRequest.from_field("cursor", "is not one that an earlier answer gave")
