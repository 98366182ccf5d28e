"""Says so where a stored row cannot be read: whoever passes it over would keep quiet about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Literal, TypeVar

from waypost.errors import CorruptItem
from waypost.models.attributes import Item
from waypost.observability import Metric, create_logger, emit_metric

ItemType = Literal[
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

_LOGGER: Final = create_logger("store")


def log_corrupt_item(item_type: ItemType, error: CorruptItem, **context: str) -> None:
    """A line of the log and a metric of a row that cannot be read. ``where`` leads to it without
    naming a person: keys of recipients and clicks do, so of those it is the campaign or workspace.
    """
    emit_metric(Metric.ROW_DAMAGED, reason=item_type)
    _LOGGER.error(
        "a stored row cannot be read", extra={"row": item_type, "why": str(error), **context}
    )


@contextmanager
def report_corrupt_item(item_type: ItemType, description: str, **context: str) -> Iterator[None]:
    """Tells of a row that cannot be read inside, and raises MalformedItem that names it: ``what``
    it is, for whoever asked.
    """
    try:
        yield
    except CorruptItem as e:
        why = CorruptItem(f"{description}: {e}")
        log_corrupt_item(item_type, why, **context)
        raise why from e


def skip_corrupt_items(
    item_type: ItemType, parse: Callable[[Item], _Read], items: Iterable[Item], **context: str
) -> Iterator[_Read]:
    """Rows read one by one; those that cannot be are told of and left out."""
    for stored in items:
        try:
            yield parse(stored)
        except CorruptItem as why:
            log_corrupt_item(item_type, why, **context)
