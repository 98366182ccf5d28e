"""A fuzz target: a property that holds for any bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FuzzTarget:
    """One property. ``run`` raises if it does not hold; a WaypostError is a valid answer. ``seeds``
    start the corpus, so that the fuzzer need not find the format of a link.
    """

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def decode_text(data: bytes) -> str:
    """Decode any bytes to text that a request can contain."""
    return data.decode("utf-8", "replace")


def expect(condition: object, promise: str) -> None:
    """Check a property.

    :raises AssertionError: when it does not hold, also under ``python -O``.
    """
    if not condition:
        raise AssertionError(promise)
