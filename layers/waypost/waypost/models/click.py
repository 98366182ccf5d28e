"""A click in the ledger: the person, the link, the time and the network.

A stored click never changes, except that its identity can be removed. An open is a click on no
link, so that both are counted the same way.

Key: pk ``{workspace}#{recipient}``, sk ``{time}#{id}``. Both come from the recipient's request, so
that a request recorded twice is one item.
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
"""Stored characters of a user agent; clients differ at its beginning."""
MAX_HREF_CHARACTERS: Final = 2_048
"""Stored characters of a destination: all, unless it was too long for a link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """One click. ``time`` is UTC in whole milliseconds, ``sent`` and ``expires`` are in seconds
    since 1970.

    An anonymous click has an ``alias`` in place of the person, and no address or agent. The
    evidence of its agent and network is stored as ``signals`` (``waypost.bot_detection.scoring``).
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
        """Return whether it is a click or an open, which has no link and no href."""
        return "opened" if is_open_id(self.link) else "clicked"

    @property
    def campaign(self) -> CampaignId:
        return extract_campaign_id(self.link)

    @property
    def workspace(self) -> WorkspaceId:
        return extract_workspace_id(self.link)

    @property
    def recipient(self) -> str:
        """Return the person, or the delivery if no person is known, to count the click for."""
        if self.alias is not None:
            return f"a:{self.alias}"
        return f"p:{self.person}" if self.person is not None else f"d:{self.delivery}"

    @property
    def key(self) -> Item:
        """Return the item's key in the ledger."""
        sort = f"{format_rfc3339(self.time)}#{self.id}"
        return attributes.build_item(
            {"pk": click_partition(self.workspace, self.recipient), "sk": sort}
        )

    def anonymize(self, alias: str, signals: int) -> Self:
        """Return the click without its identity: another item with the same id and time.

        The delivery would name the person to the sender, so it becomes a hash under the alias,
        which still tells deliveries apart.
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
        """Convert the click to plain values for the ledger, the fallback queue and log lines."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values["time"] = format_rfc3339(self.time)
        return {name: value for name, value in values.items() if value is not None}

    def to_item(self) -> Item:
        return self.key | attributes.build_item(self.to_dict())

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Read the result of ``to_dict``. Raises CorruptItem."""
        try:
            tagged = attributes.build_item({name: values[name] for name in values})  # type: ignore[misc]
        except (RecursionError, TypeError) as e:
            raise CorruptItem("click: unsupported value type") from e
        return cls.from_item(tagged)

    @classmethod
    def from_item(cls, stored: Mapping[str, Attribute]) -> Self:
        """Read an item of the ledger or of its stream. Raises CorruptItem."""
        if not isinstance(stored, Mapping):
            raise CorruptItem(f"click: not an item ({type(stored).__name__})")
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
            raise CorruptItem("click: time, signals or delivery out of range")
        return click

    @property
    def _is_countable(self) -> bool:
        """Return whether a recipient row can store it as a ``CountedClick``."""
        return (
            self.time.year >= 1970
            and 0 <= (self.signals or 0) < 1 << 16
            and (self.alias is None or _HASH_PATTERN.fullmatch(self.delivery) is not None)
        )


def click_partition(workspace: WorkspaceId, recipient: str) -> str:
    """Return the partition of all clicks of a recipient in a workspace."""
    return f"{workspace}#{recipient}"


def _parse_link_id(value: str) -> LinkId:
    if len(value) != 26 or not set(value) <= set("0123456789abcdef"):
        raise CorruptItem(f"'link': not a link id ({value[:40]!r})")
    return LinkId(value)
