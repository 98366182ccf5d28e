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

from waypost.errors import MalformedItem
from waypost.ids import CampaignCode, LinkCode, WorkspaceCode, campaign_of, is_opens, workspace_of
from waypost.models import attributes
from waypost.models.attributes import Attribute, Item, parse_time, rfc3339
from waypost.models.recipient import delivery_hash, delivery_under

Metric = Literal["clicked", "opened"]

_HASH: Final = re.compile("[0-9a-f]{8}")

AGENT_LIMIT: Final = 300
"""Characters of a user agent that are kept; what tells clients apart comes first."""
HREF_LIMIT: Final = 2_048
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
    link: LinkCode
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
    def metric(self) -> Metric:
        """Whether a link was followed, or a message opened: an open has no link, nor an href."""
        return "opened" if is_opens(self.link) else "clicked"

    @property
    def campaign(self) -> CampaignCode:
        return campaign_of(self.link)

    @property
    def workspace(self) -> WorkspaceCode:
        return workspace_of(self.link)

    @property
    def recipient(self) -> str:
        """Whom the click is counted for: the person, or the delivery where no person is known."""
        if self.alias is not None:
            return f"a:{self.alias}"
        return f"p:{self.person}" if self.person is not None else f"d:{self.delivery}"

    @property
    def key(self) -> Item:
        """The item's key in the ledger."""
        sort = f"{rfc3339(self.time)}#{self.id}"
        return attributes.item({"pk": ledger_key(self.workspace, self.recipient), "sk": sort})

    def anonymous(self, alias: str, signals: int) -> Self:
        """The click without who made it: another item, of the same id and time.

        The delivery names the person to whoever sent it, so it becomes a hash under the alias:
        still one delivery, no longer anybody's.
        """
        return replace(
            self,
            person=None,
            delivery=delivery_under(alias, delivery_hash(self.delivery)).hex(),
            href="",
            agent="",
            ip=None,
            country=None,
            asn=None,
            alias=alias,
            signals=signals,
        )

    def stored(self) -> dict[str, str | int]:
        """The click as plain values, as the ledger, the park queue and a log line keep it."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values["time"] = rfc3339(self.time)
        return {name: value for name, value in values.items() if value is not None}

    def to_item(self) -> Item:
        return self.key | attributes.item(self.stored())

    @classmethod
    def from_stored(cls, values: Mapping[str, object]) -> Self:
        """Read what ``stored`` gave. Raises MalformedItem."""
        try:
            tagged = attributes.item({name: values[name] for name in values})  # type: ignore[misc]
        except (RecursionError, TypeError) as e:
            raise MalformedItem("holds what no click holds") from e
        return cls.from_item(tagged)

    @classmethod
    def from_item(cls, stored: Mapping[str, Attribute]) -> Self:
        """Read an item of the ledger or of its stream. Raises MalformedItem."""
        if not isinstance(stored, Mapping):
            raise MalformedItem("not an item")
        click = cls(
            id=attributes.text(stored, "id"),
            time=parse_time(attributes.text(stored, "time")),
            link=_link(attributes.text(stored, "link")),
            position=attributes.number(stored, "position"),
            delivery=attributes.text(stored, "delivery"),
            person=attributes.optional_text(stored, "person"),
            href=attributes.text(stored, "href"),
            agent=attributes.text(stored, "agent"),
            ip=attributes.optional_text(stored, "ip"),
            country=attributes.optional_text(stored, "country"),
            asn=attributes.number(stored, "asn") if "asn" in stored else None,
            sent=attributes.number(stored, "sent"),
            expires=attributes.number(stored, "expires"),
            alias=attributes.optional_text(stored, "alias"),
            signals=attributes.number(stored, "signals") if "signals" in stored else None,
        )
        if not click._countable:
            raise MalformedItem("holds what no mark of a click holds")
        return click

    @property
    def _countable(self) -> bool:
        """Whether a recipient's row can hold its mark (``waypost.models.recipient``)."""
        return (
            self.time.year >= 1970
            and 0 <= (self.signals or 0) < 1 << 16
            and (self.alias is None or _HASH.fullmatch(self.delivery) is not None)
        )


def ledger_key(workspace: WorkspaceCode, recipient: str) -> str:
    """The partition that holds all clicks of a recipient in a workspace."""
    return f"{workspace}#{recipient}"


def _link(code: str) -> LinkCode:
    if len(code) != 26 or not set(code) <= set("0123456789abcdef"):
        raise MalformedItem("'link' is not a link's code")
    return LinkCode(code)
