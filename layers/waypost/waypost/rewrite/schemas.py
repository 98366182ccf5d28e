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
from waypost.validation import checked, named, parsed

TEXT_LIMIT = 1024 * 1024
"""Bytes of a message's html, text, variables or body. Gmail clips at a tenth of it."""
MIME_LIMIT = 5 * 1024 * 1024
"""Bytes of a whole MIME message, attachments included."""

KEY_BYTES = 1_000
"""Bytes of a recipient's name: with what stands beside it, a sort key takes 1,024."""

_HALF_A_PAIR = "holds half of a surrogate pair"

Kind = Literal["campaign", "broadcast", "newsletter", "transactional"]


def _unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(_HALF_A_PAIR) from None
    return text


Unicode = Annotated[str, AfterValidator(_unicode)]
Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_unicode)]


def _fits_a_key(name: str) -> str:
    if len(name.encode()) > KEY_BYTES:
        raise ValueError(f"is longer than {KEY_BYTES:,} bytes")
    return name


RecipientName = Annotated[Name, AfterValidator(_fits_a_key)]
"""The name of a person or delivery, under which their clicks are counted."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Recipient(_Strict):
    """One delivery of the message: to whom, and what the template says to them."""

    delivery: RecipientName
    person: RecipientName | None = None
    data: dict[str, JsonValue] = Field(default_factory=dict)


class Content(_Strict):
    """What is sent, in one of the forms that channels have."""

    html: Unicode | None = None
    text: Unicode | None = None
    mime: Unicode | None = None
    variables: dict[str, JsonValue] | None = None
    body: JsonValue = None

    def given(self) -> dict[str, JsonValue]:
        """The forms that were given, in a fixed order: html before text."""
        forms = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in forms.items() if value is not None}


class Message(_Strict):
    """What a sending pipeline asks for, without its recipients."""

    workspace: Name
    campaign: Name
    kind: Kind = "campaign"
    channel: Channel = "email"
    sender: Annotated[str | None, Field(alias="from", max_length=998)] = None
    content: Content
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
    idempotency_key: Name | None = None


class RewriteRequest(Message):
    """One message, for any number of recipients."""

    recipients: Annotated[list[Recipient], Field(min_length=1)]


def from_json(body: str | bytes) -> RewriteRequest:
    """Read a body as it comes over HTTP.

    :raises InvalidRequest: with every field that is wrong, and why.
    :raises TooLarge: when a part of the message is over its limit.
    """
    return _consistent(parsed(RewriteRequest, body))


def from_value(body: object) -> RewriteRequest:
    """Read a body that was decoded already. Raises as ``from_json``."""
    return _consistent(checked(RewriteRequest, body))


def message_from_json(body: str | bytes) -> Message:
    """Read a message whose recipients come apart from it. Raises as ``from_json``."""
    return _with_content(parsed(Message, body))


def message_from_value(body: object) -> Message:
    """The same for a message that was decoded already."""
    return _with_content(checked(Message, body))


def _with_content(message: Message) -> Message:
    _check_content(message, [*_content_problems(message)])
    return message


def _consistent(request: RewriteRequest) -> RewriteRequest:
    _check_content(request, [*_content_problems(request), *_repeated_deliveries(request)])
    return request


def _check_content(request: Message, problems: list[Problem]) -> None:
    if problems:
        raise InvalidRequest(*named(problems))
    for name, value in request.content.given().items():
        _check_size(f"content.{name}", value)


def _check_size(field: str, value: JsonValue) -> None:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidRequest.of(field, _HALF_A_PAIR) from None
    limit = MIME_LIMIT if field == "content.mime" else TEXT_LIMIT
    if size > limit:
        raise TooLarge(field, size, limit)


def _content_problems(request: Message) -> Iterator[Problem]:
    given = request.content.given().keys()
    if not given:
        yield Problem("content", "must hold html, text, mime, variables or body")
    for alone in ("mime", "variables", "body"):
        if alone in given and len(given) > 1:
            yield Problem(f"content.{alone}", "cannot stand beside other content")


def _repeated_deliveries(request: RewriteRequest) -> Iterator[Problem]:
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
class Failure(TypedDict):
    """A recipient whose message could not be made, and why."""

    delivery: str
    field: str
    reason: str
