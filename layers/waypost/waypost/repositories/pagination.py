"""Reading a long list a page at a time."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from re import Pattern
from typing import Final, Generic, TypeVar

from waypost.errors import InvalidRequest

T = TypeVar("T", covariant=True)

KEY_BYTES: Final = 1_024
"""Of a sort key. DynamoDB refuses to go on after a longer one as it refuses a call of ours."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list. ``cursor`` asks for what follows, None where nothing does; a page may hold
    fewer than were asked for, even none, and still have a cursor. ``unread``: how many rows are
    left out since they cannot be read.
    """

    items: Sequence[T]
    cursor: str | None
    unread: int = 0


def write_cursor(position: str) -> str:
    """A position as a text that fits a query and invites nobody to make one up."""
    return urlsafe_b64encode(position.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> str:
    """Read what ``write_cursor`` wrote. Raises InvalidRequest."""
    try:
        position = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError as e:
        raise made_up() from e
    if not position or write_cursor(position) != cursor:  # the decoder skips what it does not know
        raise made_up()
    return position


def read_place(cursor: str, places: Pattern[str]) -> str:
    """The sort key that a cursor names. Raises InvalidRequest where no key looks like it."""
    place = read_cursor(cursor)
    if not places.fullmatch(place) or not is_key(place):
        raise made_up()
    return place


def is_key(sort: str) -> bool:
    """Whether DynamoDB takes a sort key of this length."""
    return 0 < len(sort.encode()) <= KEY_BYTES


def made_up() -> InvalidRequest:
    """What to raise of a cursor that nobody was given."""
    return InvalidRequest.of("cursor", "is not one that an earlier answer gave")
