"""Values in the memory of one process: bounded, with a TTL, and served stale on errors."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Cache(Generic[_Key, _Value]):
    """Values by key, each for ``ttl_seconds``.

    A full cache is emptied: loading again is rare and cheap, while an order of last use would cost
    every hit. After an exception in ``stale_on``, ``get_or_load`` keeps the value that it has for
    ``retry_seconds`` more. ``clock`` gives seconds, of a monotonic clock unless processes have to
    agree.
    """

    def __init__(
        self,
        max_entries: int,
        *,
        ttl_seconds: float = math.inf,
        retry_seconds: float = 0,
        stale_on: type[Exception] | tuple[type[Exception], ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_entries = max_entries
        self._ttl_seconds = ttl_seconds
        self._retry_seconds = retry_seconds
        self._stale_on = stale_on
        self._clock = clock
        self._entries: dict[_Key, tuple[_Value, float]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: _Key) -> _Value | None:
        """Return the value, unless its TTL is over."""
        entry = self._entries.get(key)
        return entry[0] if entry is not None and self._clock() < entry[1] else None

    def get_stale(self, key: _Key) -> _Value | None:
        """Return the value, however old."""
        entry = self._entries.get(key)
        return entry[0] if entry is not None else None

    def set(self, key: _Key, value: _Value, ttl_seconds: float | None = None) -> None:
        """Store a value, for the cache's TTL unless another is given."""
        if len(self._entries) >= self._max_entries and key not in self._entries:
            self._entries.clear()
        ttl = self._ttl_seconds if ttl_seconds is None else ttl_seconds
        self._entries[key] = (value, self._clock() + ttl)

    def get_or_load(self, key: _Key, load: Callable[[], _Value]) -> _Value:
        """Return the value, loaded when its TTL is over. Raises as ``reload`` does."""
        entry = self._entries.get(key)
        if entry is not None and self._clock() < entry[1]:
            return entry[0]
        return self.reload(key, load)

    def reload(self, key: _Key, load: Callable[[], _Value]) -> _Value:
        """Load the value now, or return the stale one. Raises what ``load`` raises without one."""
        try:
            value, ttl = load(), self._ttl_seconds
        except self._stale_on:
            stale = self.get_stale(key)
            if stale is None:
                raise
            value, ttl = stale, self._retry_seconds
        self.set(key, value, ttl)
        return value
