"""What a target is: a promise that is tried with arbitrary bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FuzzTarget:
    """``run`` raises where a promise is broken; an error of our own tree is an answer. ``seeds``
    are what the fuzzer begins with, so that it need not find out what a link looks like.
    """

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def decode_text(data: bytes) -> str:
    """Any bytes as the text that a request could hold."""
    return data.decode("utf-8", "replace")


def expect(condition: object, promise: str) -> None:
    """Raises AssertionError where the promise is broken, also under ``python -O``."""
    if not condition:
        raise AssertionError(promise)
