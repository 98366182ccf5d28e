"""Queue clicks while the clicks table is unavailable, and read them back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from waypost.errors import CorruptItem, StoreUnavailable
from waypost.models.click import Click

UNRECORDED_CLICK_LOG_KEY: Final = "unrecorded_click"
"""Key of a click in a log line; ``make replay`` reads it."""


@dataclass(eq=False)
class FallbackQueue:
    """An SQS queue of clicks. Its client is created for the first click, which most processes
    never have.
    """

    create_client: Callable[[], Any]
    url: str

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - clients have no common type
        return self.create_client()

    def send(self, click: Click) -> None:
        """Queue a click. Raises StoreUnavailable if it may not be queued."""
        try:
            self._client.send_message(QueueUrl=self.url, MessageBody=serialize_click(click))
        except Exception as e:  # any error: the caller then logs the click
            raise StoreUnavailable("fallback queue: message not sent") from e


def serialize_click(click: Click) -> str:
    """Convert a click to the body of a message."""
    return json.dumps(click.to_dict(), separators=(",", ":"))


def deserialize_click(body: str) -> Click:
    """Parse the body of a message. Raises CorruptItem."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as e:
        raise CorruptItem("queued click: not JSON") from e
    if not isinstance(fields, dict):
        raise CorruptItem("queued click: not a JSON object")
    return Click.from_dict(fields)
