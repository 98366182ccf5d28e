"""Define the request of the rewrite function, validated on entry, and recipients' outcomes."""

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
"""Bytes of a recipient's name: DynamoDB limits a sort key to 1,024 bytes, with its prefix."""

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
    size = len(name.encode())
    if size > MAX_RECIPIENT_NAME_BYTES:
        raise ValueError(f"is longer than {MAX_RECIPIENT_NAME_BYTES:,} bytes ({size:,})")
    return name


RecipientName = Annotated[EntityName, AfterValidator(_check_key_size)]
"""The name of a person or delivery; clicks are counted under it."""


class _StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RewriteRecipient(_StrictModel):
    """A recipient of the message, with the data for its template."""

    delivery: RecipientName
    person: RecipientName | None = None
    data: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def recipient_name(self) -> str:
        """Return the name under which their clicks are counted (``waypost.models.recipient``)."""
        return f"d:{self.delivery}" if self.person is None else f"p:{self.person}"


class MessageContent(_StrictModel):
    """The content of a message, in the form of its channel."""

    html: UnicodeText | None = None
    text: UnicodeText | None = None
    mime: UnicodeText | None = None
    variables: dict[str, JsonValue] | None = None
    body: JsonValue = None

    def get_forms(self) -> dict[str, JsonValue]:
        """Return the forms that are present, in a fixed order: html before text."""
        forms = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in forms.items() if value is not None}


class MessageRequest(_StrictModel):
    """A message and its options, without recipients."""

    workspace: EntityName
    campaign: EntityName
    kind: MessageKind = "campaign"
    channel: Channel = "email"
    sender: Annotated[str | None, Field(alias="from", max_length=998)] = None
    content: MessageContent
    liquid: bool = False
    tags: bool = True
    """Interprets ``cio_link`` tags, which may also come from the data in rendered content."""
    track: bool = True
    """Tracks links and opens, unless one of the next two says otherwise."""
    track_links: bool | None = None
    track_opens: bool | None = None
    """Adds the open pixel to an e-mail's HTML."""
    honeypot: bool = False
    """Adds a hidden link to an e-mail's HTML that only bots follow."""
    track_text: bool = False
    """Tracks links in the text part of an e-mail too."""
    url_params: bool = True
    dry_run: bool = False
    idempotency_key: EntityName | None = None

    @property
    def tracks_links(self) -> bool:
        """Return whether links are tracked and get parameters."""
        return self.track if self.track_links is None else self.track_links

    @property
    def tracks_opens(self) -> bool:
        """Return whether the message may get the open pixel."""
        return self.track if self.track_opens is None else self.track_opens


class RewriteRequest(MessageRequest):
    """A message and its recipients."""

    recipients: Annotated[list[RewriteRecipient], Field(min_length=1)]


def parse_rewrite_request(body: str | bytes) -> RewriteRequest:
    """Parse and validate a request body.

    :raises InvalidRequest: with each invalid field and the reason.
    :raises TooLarge: if a part of the message exceeds its limit.
    """
    return _validate_request(parse_json(RewriteRequest, body))


def validate_rewrite_request(body: object) -> RewriteRequest:
    """Validate a request that is decoded already. Raises as ``parse_rewrite_request``."""
    return _validate_request(validate_value(RewriteRequest, body))


def parse_message_request(body: str | bytes) -> MessageRequest:
    """Parse and validate a message without recipients. Raises as ``parse_rewrite_request``."""
    return _validate_message(parse_json(MessageRequest, body))


def validate_message_request(body: object) -> MessageRequest:
    """Validate a message that is decoded already. Raises as ``parse_rewrite_request``."""
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
    forms = request.content.get_forms().keys()
    if not forms:
        yield Problem("content", "must hold html, text, mime, variables or body")
    for alone in ("mime", "variables", "body"):
        if alone in forms and len(forms) > 1:
            yield Problem(f"content.{alone}", "cannot be combined with other content")


def _find_duplicate_deliveries(request: RewriteRequest) -> Iterator[Problem]:
    first_indexes: dict[str, int] = {}
    for index, recipient in enumerate(request.recipients):
        first = first_indexes.setdefault(recipient.delivery, index)
        if first != index:
            yield Problem(f"recipients[{index}].delivery", f"repeats recipients[{first}]")


@final
class Delivery(TypedDict):
    """A message ready to be sent."""

    delivery: str
    content: dict[str, Json]
    parts: NotRequired[list[str]]
    """A text message of several segments, cut outside of links, for senders that send segments
    themselves.
    """


@final
class DeliveryFailure(TypedDict):
    """A recipient whose message could not be rendered, and the reason."""

    delivery: str
    field: str
    reason: str
