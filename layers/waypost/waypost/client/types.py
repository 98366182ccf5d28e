"""Define the request of the rewrite function as types.

``waypost.rewrite.schemas`` documents and validates the fields; a test compares the two modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NotRequired, TypedDict

Message = TypedDict(
    "Message",
    {
        "workspace": str,
        "campaign": str,
        "kind": NotRequired[Literal["campaign", "broadcast", "newsletter", "transactional"]],
        "channel": NotRequired[
            Literal["email", "sms", "whatsapp", "push", "in_app", "webhook", "slack"]
        ],
        "from": NotRequired[str | None],
        "content": Mapping[str, object],
        "liquid": NotRequired[bool],
        "tags": NotRequired[bool],
        "track": NotRequired[bool],
        "track_links": NotRequired[bool | None],
        "track_opens": NotRequired[bool | None],
        "honeypot": NotRequired[bool],
        "track_text": NotRequired[bool],
        "url_params": NotRequired[bool],
        "dry_run": NotRequired[bool],
        "idempotency_key": NotRequired[str | None],
    },
)
"""A message without its recipients."""


class Recipient(TypedDict):
    """One delivery of a message: its name, its person, and the data for a template."""

    delivery: str
    person: NotRequired[str | None]
    data: NotRequired[Mapping[str, object]]
