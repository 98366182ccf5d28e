"""Says so where a stored row cannot be read: whoever passes it over would keep quiet about it."""

from __future__ import annotations

from typing import Final, Literal

from waypost.errors import MalformedItem
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

_LOG: Final = logger("store")


def tell_damaged(row: Row, why: MalformedItem, **where: str) -> None:
    """A line of the log and a metric of a row that cannot be read. ``where`` leads to it without
    naming a person: keys of recipients and clicks do, so of those it is the campaign or workspace.
    """
    count(Metric.ROW_DAMAGED, reason=row)
    _LOG.error("a stored row cannot be read", extra={"row": row, "why": str(why), **where})
