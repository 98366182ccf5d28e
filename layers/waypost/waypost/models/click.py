"""A click: who followed which link, when and from where. The ledger's one entity, never changed
once written, except that who it was may be taken out of it.

An open is kept as a click of no link, so that everything is counted one way.

Key: pk ``{workspace code}#{recipient}``, sk ``{time}#{id}``. Both come from the viewer's request,
so the same request recorded twice is the same item.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Final, Literal, Self

from waypost.errors import CorruptItem
from waypost.ids import (
    CampaignId,
    LinkId,
    WorkspaceId,
    extract_campaign_id,
    extract_workspace_id,
    is_open_id,
)
from waypost.models import attributes
from waypost.models.attributes import Attribute, Item, format_rfc3339, parse_rfc3339
from waypost.models.recipient import anonymous_delivery_hash, delivery_hash

EngagementMetric = Literal["clicked", "opened"]

_HASH_PATTERN: Final = re.compile("[0-9a-f]{8}")

MAX_AGENT_CHARACTERS: Final = 300
"""Characters of a user agent that are kept; what tells clients apart comes first."""
MAX_HREF_CHARACTERS: Final = 2_048
"""Characters of a destination that are kept: all of it, unless it was too long for a link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """One click. ``time`` is UTC in whole milliseconds, ``sent`` and ``expires`` are in seconds
    since 1970.

    A click without identity has an ``alias`` instead of the person, and no address or agent; what
    its agent and network told is then kept as ``signals`` (``waypost.bot_detection.scoring``).
    """

    id: str
    time: datetime
    link: LinkId
    position: int
    delivery: str
    person: str | None
    href: str
    agent: str
    ip: str | None
    country: str | None
    asn: int | None
    sent: int
    expires: int
    alias: str | None = None
    signals: int | None = None

    @property
    def metric(self) -> EngagementMetric:
        """Whether a link was followed, or a message opened: an open has no link, nor an href."""
        return "opened" if is_open_id(self.link) else "clicked"

    @property
    def campaign(self) -> CampaignId:
        return extract_campaign_id(self.link)

    @property
    def workspace(self) -> WorkspaceId:
        return extract_workspace_id(self.link)

    @property
    def recipient(self) -> str:
        """Whom the click is counted for: the person, or the delivery where no person is known."""
        if self.alias is not None:
            return f"a:{self.alias}"
        return f"p:{self.person}" if self.person is not None else f"d:{self.delivery}"

    @property
    def key(self) -> Item:
        """The item's key in the ledger."""
        sort = f"{format_rfc3339(self.time)}#{self.id}"
        return attributes.build_item(
            {"pk": click_partition(self.workspace, self.recipient), "sk": sort}
        )

    def anonymize(self, alias: str, signals: int) -> Self:
        """The click without who made it: another item, of the same id and time.

        The delivery names the person to whoever sent it, so it becomes a hash under the alias:
        still one delivery, no longer anybody's.
        """
        return replace(
            self,
            person=None,
            delivery=anonymous_delivery_hash(alias, delivery_hash(self.delivery)).hex(),
            href="",
            agent="",
            ip=None,
            country=None,
            asn=None,
            alias=alias,
            signals=signals,
        )

    def to_dict(self) -> dict[str, str | int]:
        """The click as plain values, as the ledger, the park queue and a log line keep it."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values["time"] = format_rfc3339(self.time)
        return {name: value for name, value in values.items() if value is not None}

    def to_item(self) -> Item:
        return self.key | attributes.build_item(self.to_dict())

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Read what ``stored`` gave. Raises MalformedItem."""
        try:
            tagged = attributes.build_item({name: values[name] for name in values})  # type: ignore[misc]
        except (RecursionError, TypeError) as e:
            raise CorruptItem("holds what no click holds") from e
        return cls.from_item(tagged)

    @classmethod
    def from_item(cls, stored: Mapping[str, Attribute]) -> Self:
        """Read an item of the ledger or of its stream. Raises MalformedItem."""
        if not isinstance(stored, Mapping):
            raise CorruptItem("not an item")
        click = cls(
            id=attributes.get_text(stored, "id"),
            time=parse_rfc3339(attributes.get_text(stored, "time")),
            link=_parse_link_id(attributes.get_text(stored, "link")),
            position=attributes.get_number(stored, "position"),
            delivery=attributes.get_text(stored, "delivery"),
            person=attributes.get_optional_text(stored, "person"),
            href=attributes.get_text(stored, "href"),
            agent=attributes.get_text(stored, "agent"),
            ip=attributes.get_optional_text(stored, "ip"),
            country=attributes.get_optional_text(stored, "country"),
            asn=attributes.get_number(stored, "asn") if "asn" in stored else None,
            sent=attributes.get_number(stored, "sent"),
            expires=attributes.get_number(stored, "expires"),
            alias=attributes.get_optional_text(stored, "alias"),
            signals=attributes.get_number(stored, "signals") if "signals" in stored else None,
        )
        if not click._is_countable:
            raise CorruptItem("holds what no mark of a click holds")
        return click

    @property
    def _is_countable(self) -> bool:
        """Whether a recipient's row can hold its mark (``waypost.models.recipient``)."""
        return (
            self.time.year >= 1970
            and 0 <= (self.signals or 0) < 1 << 16
            and (self.alias is None or _HASH_PATTERN.fullmatch(self.delivery) is not None)
        )


def click_partition(workspace: WorkspaceId, recipient: str) -> str:
    """The partition that holds all clicks of a recipient in a workspace."""
    return f"{workspace}#{recipient}"


def _parse_link_id(value: str) -> LinkId:
    if len(value) != 26 or not set(value) <= set("0123456789abcdef"):
        raise CorruptItem("'link' is not a link's code")
    return LinkId(value)
