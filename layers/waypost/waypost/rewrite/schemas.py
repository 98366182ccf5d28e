"""The body of a rewrite invocation, checked once where it enters.

What comes of a recipient: a message ready to be sent, or the reason why there is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Literal, NotRequired, TypedDict, final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from waypost.errors import InvalidRequest, Problem, TooLarge
from waypost.rewrite.links.channels import Channel, Json
from waypost.validation import limit_problems, parse_json, validate_value

MAX_TEXT_BYTES = 1024 * 1024
"""Bytes of a message's html, text, variables or body. Gmail clips at a tenth of it."""
MAX_MIME_BYTES = 5 * 1024 * 1024
"""Bytes of a whole MIME message, attachments included."""

MAX_RECIPIENT_NAME_BYTES = 1_000
"""Bytes of a recipient's name: with what stands beside it, a sort key takes 1,024."""

_LONE_SURROGATE = "holds half of a surrogate pair"

MessageKind = Literal["campaign", "broadcast", "newsletter", "transactional"]


def _check_unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(_LONE_SURROGATE) from None
    return text


UnicodeText = Annotated[str, AfterValidator(_check_unicode)]
EntityName = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_check_unicode)]


def _check_key_size(name: str) -> str:
    if len(name.encode()) > MAX_RECIPIENT_NAME_BYTES:
        raise ValueError(f"is longer than {MAX_RECIPIENT_NAME_BYTES:,} bytes")
    return name


RecipientName = Annotated[EntityName, AfterValidator(_check_key_size)]
"""The name of a person or delivery, under which their clicks are counted."""


class _StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RewriteRecipient(_StrictModel):
    """One delivery of the message: to whom, and what the template says to them."""

    delivery: RecipientName
    person: RecipientName | None = None
    data: dict[str, JsonValue] = Field(default_factory=dict)


class MessageContent(_StrictModel):
    """What is sent, in one of the forms that channels have."""

    html: UnicodeText | None = None
    text: UnicodeText | None = None
    mime: UnicodeText | None = None
    variables: dict[str, JsonValue] | None = None
    body: JsonValue = None

    def get_forms(self) -> dict[str, JsonValue]:
        """The forms that were given, in a fixed order: html before text."""
        forms = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in forms.items() if value is not None}


class MessageRequest(_StrictModel):
    """What a sending pipeline asks for, without its recipients."""

    workspace: EntityName
    campaign: EntityName
    kind: MessageKind = "campaign"
    channel: Channel = "email"
    sender: Annotated[str | None, Field(alias="from", max_length=998)] = None
    content: MessageContent
    liquid: bool = False
    track: bool = True
    track_opens: bool = True
    """Puts the image into an e-mail's HTML that tells of opens; nothing where ``track`` is off."""
    honeypot: bool = False
    """Puts a hidden link into an e-mail's HTML that only machines follow."""
    track_text: bool = False
    """Looks for links in the text part of an e-mail, too."""
    url_params: bool = True
    dry_run: bool = False
    idempotency_key: EntityName | None = None


class RewriteRequest(MessageRequest):
    """One message, for any number of recipients."""

    recipients: Annotated[list[RewriteRecipient], Field(min_length=1)]


def parse_rewrite_request(body: str | bytes) -> RewriteRequest:
    """Read a body as it comes over HTTP.

    :raises InvalidRequest: with every field that is wrong, and why.
    :raises TooLarge: when a part of the message is over its limit.
    """
    return _validate_request(parse_json(RewriteRequest, body))


def validate_rewrite_request(body: object) -> RewriteRequest:
    """Read a body that was decoded already. Raises as ``from_json``."""
    return _validate_request(validate_value(RewriteRequest, body))


def parse_message_request(body: str | bytes) -> MessageRequest:
    """Read a message whose recipients come apart from it. Raises as ``from_json``."""
    return _validate_message(parse_json(MessageRequest, body))


def validate_message_request(body: object) -> MessageRequest:
    """The same for a message that was decoded already."""
    return _validate_message(validate_value(MessageRequest, body))


def _validate_message(message: MessageRequest) -> MessageRequest:
    _check_content(message, [*_find_content_problems(message)])
    return message


def _validate_request(request: RewriteRequest) -> RewriteRequest:
    _check_content(
        request, [*_find_content_problems(request), *_find_duplicate_deliveries(request)]
    )
    return request


def _check_content(request: MessageRequest, problems: list[Problem]) -> None:
    if problems:
        raise InvalidRequest(*limit_problems(problems))
    for name, value in request.content.get_forms().items():
        _check_size(f"content.{name}", value)


def _check_size(field: str, value: JsonValue) -> None:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidRequest.from_field(field, _LONE_SURROGATE) from None
    limit = MAX_MIME_BYTES if field == "content.mime" else MAX_TEXT_BYTES
    if size > limit:
        raise TooLarge(field, size, limit)


def _find_content_problems(request: MessageRequest) -> Iterator[Problem]:
    given = request.content.get_forms().keys()
    if not given:
        yield Problem("content", "must hold html, text, mime, variables or body")
    for alone in ("mime", "variables", "body"):
        if alone in given and len(given) > 1:
            yield Problem(f"content.{alone}", "cannot stand beside other content")


def _find_duplicate_deliveries(request: RewriteRequest) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, recipient in enumerate(request.recipients):
        first = seen.setdefault(recipient.delivery, index)
        if first != index:
            yield Problem(f"recipients[{index}].delivery", f"repeats recipients[{first}]")


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
class DeliveryFailure(TypedDict):
    """A recipient whose message could not be made, and why."""

    delivery: str
    field: str
    reason: str
