"""Report corrupt items: each one that is left out of a result is logged and counted."""

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
    "personal",
    "click",
]
"""Values of the metric's dimension and of the log field ``row``."""

_Read = TypeVar("_Read")

_LOGGER: Final = create_logger("store")


def log_corrupt_item(item_type: ItemType, error: CorruptItem, **context: str) -> None:
    """Log and count a corrupt item. ``context`` leads to it without naming a person: keys of
    recipients and clicks name one, so those have their campaign or workspace instead.
    """
    emit_metric(Metric.ROW_DAMAGED, reason=item_type)
    _LOGGER.error("Corrupt item", extra={"row": item_type, "why": str(error), **context})


@contextmanager
def report_corrupt_item(item_type: ItemType, description: str, **context: str) -> Iterator[None]:
    """Log a corrupt item read in the block, and raise CorruptItem with its description."""
    try:
        yield
    except CorruptItem as e:
        error = CorruptItem(f"{description}: {e}")
        log_corrupt_item(item_type, error, **context)
        raise error from e


def skip_corrupt_items(
    item_type: ItemType, parse: Callable[[Item], _Read], items: Iterable[Item], **context: str
) -> Iterator[_Read]:
    """Parse items one by one. Corrupt ones are logged and left out."""
    for item in items:
        try:
            yield parse(item)
        except CorruptItem as e:
            log_corrupt_item(item_type, e, **context)
