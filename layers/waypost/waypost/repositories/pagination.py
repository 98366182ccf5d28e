"""Read a long list page by page, by opaque cursors."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from re import Pattern
from typing import Final, Generic, TypeVar

from waypost.errors import InvalidRequest

T = TypeVar("T", covariant=True)

MAX_SORT_KEY_BYTES: Final = 1_024
"""DynamoDB's limit. A longer key in a cursor would look like a failure of the table."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list. ``cursor`` leads to the next part; it equals None at the end. A page may
    have fewer items than the limit, even zero, and still a cursor. ``corrupt_count`` items are left
    out.
    """

    items: Sequence[T]
    cursor: str | None
    corrupt_count: int = 0


def encode_cursor(position: str) -> str:
    """Encode a position as text for a query string."""
    return urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """Read the result of ``encode_cursor``. Raises InvalidRequest."""
    try:
        position = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError as e:
        raise build_cursor_error() from e
    if not position or encode_cursor(position) != cursor:  # the decoder skips unknown characters
        raise build_cursor_error()
    return position


def parse_cursor(cursor: str, pattern: Pattern[str]) -> str:
    """Return a cursor's sort key. Raises InvalidRequest if the pattern does not match it."""
    sort_key = decode_cursor(cursor)
    if not pattern.fullmatch(sort_key) or not is_valid_sort_key(sort_key):
        raise build_cursor_error()
    return sort_key


def is_valid_sort_key(sort_key: str) -> bool:
    """Return whether DynamoDB accepts a sort key of this length."""
    return 0 < len(sort_key.encode()) <= MAX_SORT_KEY_BYTES


def build_cursor_error() -> InvalidRequest:
    """Build the error for a cursor that no page returned."""
    return InvalidRequest.from_field("cursor", "is not a cursor of an earlier response")
