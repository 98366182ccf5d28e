"""What comes of a recipient: a message ready to be sent, or the reason why there is none."""

from __future__ import annotations

from typing import NotRequired, TypedDict, final

from waypost.rewrite.links.channels import Json


@final
class Delivery(TypedDict):
    """A message ready to be sent."""

    delivery: str
    content: dict[str, Json]
    parts: NotRequired[list[str]]
    """A text message that takes several segments, cut so that no link is: for senders that send
    segments themselves.
    """


@final
class Failure(TypedDict):
    """A recipient whose message could not be made, and why."""

    delivery: str
    field: str
    reason: str
