"""A fuzz target: a property that holds for any bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

_CALLS_PER_BYTE: Final = 500
"""Three times as many as the most that was counted for mutations of the seeds."""


@dataclass(frozen=True, slots=True)
class FuzzTarget:
    """One property. ``run`` raises if it does not hold; a WaypostError is a valid answer. ``seeds``
    start the corpus, so that the fuzzer need not find the format of a link.
    """

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    base_calls: int = 100_000
    """Calls of functions that are allowed for an empty input."""

    def count_allowed_calls(self, data: bytes) -> int:
        """Count the calls that are allowed for an input: their number grows with its size."""
        return self.base_calls + _CALLS_PER_BYTE * len(data)


def decode_text(data: bytes) -> str:
    """Decode any bytes to text that a request can contain."""
    return data.decode("utf-8", "replace")


def join_pieces(data: bytes, pieces: Sequence[str]) -> str:
    """Join pieces of a syntax, one for each byte: bytes alone rarely spell them."""
    return "".join(pieces[number % len(pieces)] for number in data)


def expect(condition: object, promise: str) -> None:
    """Check a property.

    :raises AssertionError: when it does not hold, also under ``python -O``.
    """
    if not condition:
        raise AssertionError(promise)
