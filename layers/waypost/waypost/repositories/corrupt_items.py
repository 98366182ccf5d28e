"""Says so where a stored row cannot be read: whoever passes it over would keep quiet about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Literal, TypeVar

from waypost.errors import MalformedItem
from waypost.models.attributes import Item
from waypost.observability import Metric, count, logger

Row = Literal[
    "settings",
    "opt_out",
    "domain",
    "claim",
    "campaign",
    "link",
    "counter",
    "recipient",
    "notice",
    "message",
    "click",
]

_Read = TypeVar("_Read")

_LOG: Final = logger("store")


def tell_damaged(row: Row, why: MalformedItem, **where: str) -> None:
    """A line of the log and a metric of a row that cannot be read. ``where`` leads to it without
    naming a person: keys of recipients and clicks do, so of those it is the campaign or workspace.
    """
    count(Metric.ROW_DAMAGED, reason=row)
    _LOG.error("a stored row cannot be read", extra={"row": row, "why": str(why), **where})


@contextmanager
def telling(row: Row, what: str, **where: str) -> Iterator[None]:
    """Tells of a row that cannot be read inside, and raises MalformedItem that names it: ``what``
    it is, for whoever asked.
    """
    try:
        yield
    except MalformedItem as e:
        why = MalformedItem(f"{what}: {e}")
        tell_damaged(row, why, **where)
        raise why from e


def readable(
    row: Row, read: Callable[[Item], _Read], rows: Iterable[Item], **where: str
) -> Iterator[_Read]:
    """Rows read one by one; those that cannot be are told of and left out."""
    for stored in rows:
        try:
            yield read(stored)
        except MalformedItem as why:
            tell_damaged(row, why, **where)
