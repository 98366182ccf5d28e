"""Brings parked clicks home: the same write that the redirect would have made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from waypost.errors import StoreError
from waypost.models.click import Click


class Ledger(Protocol):
    """The one call of the ledger that is needed."""

    def record(self, click: Click) -> bool: ...


def drain(ledger: Ledger, clicks: Iterable[Click]) -> dict[str, str]:
    """Record clicks; the ids of those that have to come again, with the reason. A click that was
    recorded after all before it was parked is the same item, so nothing counts twice.
    """
    failed: dict[str, str] = {}
    for click in clicks:
        try:
            ledger.record(click)
        except StoreError as e:
            failed[click.id] = str(e)
    return failed
