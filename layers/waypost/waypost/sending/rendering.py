"""One recipient's message before it is stamped: what it renders with, and its texts."""

from __future__ import annotations

from dataclasses import dataclass

from waypost.rewrite.compiler import CompiledMessage, PlannedText
from waypost.rewrite.schemas import Message, Recipient
from waypost.rewrite.url_parameters import Parameters, Query


@dataclass(frozen=True, slots=True)
class Ready:
    """A recipient whose texts are rendered and planned."""

    recipient: Recipient
    query: Query
    texts: list[PlannedText]

    @property
    def known(self) -> bool:
        return self.recipient.person is not None

    @property
    def has_honeypot(self) -> bool:
        pixels = (text.plan.pixel for text in self.texts)
        return any(pixel is not None and pixel.honeypot for pixel in pixels)


def rendered(
    recipient: Recipient, request: Message, message: CompiledMessage, parameters: Parameters
) -> Ready:
    """Render the message for a recipient, and the workspace's parameters.

    :raises InvalidRequest: when their data does not do.
    """
    data = _data(recipient, request)
    return Ready(recipient, parameters.for_recipient(data), message.planned(data))


def _data(recipient: Recipient, request: Message) -> dict[str, object]:
    """What a recipient's data renders with: their own, and what we know besides."""
    data: dict[str, object] = dict(recipient.data)
    data.setdefault("campaign", {"name": request.campaign, "type": request.kind})
    data.setdefault("delivery_id", recipient.delivery)
    customer = data.get("customer", {})
    if recipient.person is not None and isinstance(customer, dict):
        data["customer"] = {"cio_id": recipient.person} | customer
    return data
