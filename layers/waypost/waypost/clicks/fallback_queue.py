"""Where a click waits while the ledger cannot be written: a queue, else a line of the log.

Brings parked clicks home: the same write that the redirect would have made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final, Protocol

from waypost.errors import CorruptItem, StoreError, StoreUnavailable
from waypost.models.click import Click

UNRECORDED_CLICK_LOG_KEY: Final = "unrecorded_click"
"""The key of a log line under which ``make replay`` finds a click."""


class SqsClient(Protocol):
    """The one call of SQS that is needed; boto3's client has it."""

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> dict[str, Any]: ...  # noqa: N803


class FallbackQueue:
    """Clicks on their way to the ledger by SQS. The client is made when the first click comes,
    which for most functions is never.
    """

    def __init__(self, create_client: Callable[[], SqsClient], url: str) -> None:
        self._get_client = cache(create_client)
        self._url = url

    def send(self, click: Click) -> None:
        """Queue a click. Raises StoreUnavailable where it is unknown whether it was queued."""
        try:
            self._get_client().send_message(QueueUrl=self._url, MessageBody=serialize_click(click))
        except Exception as e:  # whatever it was: the caller has one more place to go
            raise StoreUnavailable("the park queue did not take the click") from e


def serialize_click(click: Click) -> str:
    """A click as the body of a message."""
    return json.dumps(click.to_dict(), separators=(",", ":"))


def deserialize_click(body: str) -> Click:
    """Read what ``parked`` wrote. Raises MalformedItem."""
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as e:
        raise CorruptItem("a parked click is not JSON") from e
    if not isinstance(values, dict):
        raise CorruptItem("a parked click is not an object")
    return Click.from_dict(values)


class DrainClickWriter(Protocol):
    """The one call of the ledger that is needed."""

    def record(self, click: Click) -> bool: ...


def drain_clicks(repository: DrainClickWriter, clicks: Iterable[Click]) -> dict[str, str]:
    """Record clicks; the ids of those that have to come again, with the reason. A click that was
    recorded after all before it was parked is the same item, so nothing counts twice.
    """
    failed: dict[str, str] = {}
    for click in clicks:
        try:
            repository.record(click)
        except StoreError as e:
            failed[click.id] = str(e)
    return failed
