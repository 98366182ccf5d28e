"""A workspace's settings and its people's opt-outs. A workspace is one customer of the stack.

Keys: pk ``W#{workspace}``, sk ``W`` for the name and the settings, and ``P#{hash of the person}``
for an opt-out. After an opt-out a person's clicks are counted under an alias. The item does not
name the person, so that a list of opt-outs identifies no one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final, Literal, Self

from waypost.errors import CorruptItem
from waypost.ids import CampaignId, WorkspaceId
from waypost.models import attributes
from waypost.models.attributes import Item, field_types, format_rfc3339, matches_type, parse_rfc3339

IpPolicy = Literal["truncated", "full", "none"]
SecretLinkPolicy = Literal["warn", "untrack"]
EventPolicy = Literal["all", "first", "none"]

MAX_DAYS: Final = 3_650
MAX_BOT_THRESHOLD: Final = 1_000
_UPPER_LIMITS: Final = {
    "short_link_days": MAX_DAYS,
    "retention_days": MAX_DAYS,
    "machine_threshold": MAX_BOT_THRESHOLD,
}


@dataclass(frozen=True, slots=True)
class ShortLinkChannels:
    """The channels that get short links in place of signed ones."""

    sms: bool = False
    whatsapp: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSettings:
    """The settings of a workspace, with the defaults of one without stored settings.

    A change applies to messages rewritten, and clicks received, after it.
    """

    url_params: Mapping[str, str] = field(default_factory=dict)
    """Adds parameters, in order, to every http(s) link that is tracked or marked as untracked by
    its author; values may be Liquid."""
    cio_id: bool = True
    """Adds ``_cio_id=<person>`` to every tracked http(s) link."""
    shorten: ShortLinkChannels = ShortLinkChannels()
    """Uses short links in these channels."""
    short_link_days: int | None = 90
    """Days that new short links work; null: without limit."""
    track_opens: bool = True
    """Adds a pixel to e-mails that reports opens."""
    retention_days: int | None = None
    """Days that clicks are stored; null: the stack's ``RetentionDays``. Counters do not expire."""
    ip: IpPolicy = "truncated"
    """Stores a click's IP address truncated to /24 or /48, in full, or not at all."""
    secret_links: SecretLinkPolicy = "warn"  # noqa: S105 - a policy, no password
    """Reports links that look secret, or leaves them untracked as well."""
    schemes: tuple[str, ...] = ()
    """Allows these app schemes, without colons, besides http, https, mailto, tel and sms."""
    never_track: tuple[str, ...] = ()
    """Leaves URLs that match one of these patterns unchanged; ``*`` matches anything."""
    signed_params: tuple[str, ...] = ()
    """Adds no parameters to URLs whose query has one of these, as to URLs with a signature that
    Waypost knows."""
    events: EventPolicy = "all"
    """Publishes all clicks on the event bus, the first of each delivery, or none."""
    machine_threshold: int = 70
    """Points from which a click is classified as a bot click."""

    def to_dict(self) -> dict[str, object]:
        """Convert the settings to plain values for JSON."""
        return {
            "url_params": dict(self.url_params),
            "cio_id": self.cio_id,
            "shorten": {"sms": self.shorten.sms, "whatsapp": self.shorten.whatsapp},
            "short_link_days": self.short_link_days,
            "track_opens": self.track_opens,
            "retention_days": self.retention_days,
            "ip": self.ip,
            "secret_links": self.secret_links,
            "schemes": list(self.schemes),
            "never_track": list(self.never_track),
            "signed_params": list(self.signed_params),
            "events": self.events,
            "machine_threshold": self.machine_threshold,
        }

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Read the result of ``to_dict``. Keys of newer versions are ignored, missing ones default.

        Raises CorruptItem with every invalid field: a default must not replace a choice that is
        stored but unreadable.
        """
        settings, corrupt = cls.parse_valid_fields(values)
        if corrupt:
            raise CorruptItem(f"{', '.join(map(repr, corrupt))}: invalid values")
        return settings

    @classmethod
    def parse_valid_fields(cls, values: object) -> tuple[Self, tuple[str, ...]]:
        """Return the settings, and the names of invalid fields, which have their defaults."""
        if not isinstance(values, Mapping):
            return cls(), tuple(f.name for f in fields(cls))
        given = {
            name: _convert_value(name, values[name]) for name in field_types(cls) if name in values
        }
        valid = {name: value for name, value in given.items() if _is_valid(cls, name, value)}
        corrupt = tuple(name for name in given if name not in valid)
        return cls(**valid), corrupt  # type: ignore[arg-type]


def _convert_value(name: str, value: object) -> object:
    """Convert a JSON value to its field's type, if it has the right form."""
    if name == "shorten" and isinstance(value, Mapping):
        return ShortLinkChannels(
            **{f.name: value[f.name] for f in fields(ShortLinkChannels) if f.name in value}
        )
    return tuple(value) if isinstance(value, list) else value


def _is_valid(settings: type[WorkspaceSettings], name: str, value: object) -> bool:
    if not matches_type(value, field_types(settings)[name]):
        return False
    return (
        not isinstance(value, int) or name not in _UPPER_LIMITS or 1 <= value <= _UPPER_LIMITS[name]
    )


def workspace_partition(workspace: WorkspaceId) -> str:
    """Return the partition of a workspace's settings, domains and opt-outs."""
    return f"W#{workspace}"


ERASURE_RECORD_DAYS: Final = 760
"""Days that an erasure is remembered after the person opted in again: longer than any place stores
a click that could be replayed, of which logs have the longest limit (``LogRetentionDays``: 731)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """An opt-out. ``salt`` is random and stored only here: without the opt-out, no one can derive
    the alias from the person.

    ``erased`` is the time of the last erasure. After it, the item outlives an opt-in, with
    ``opted_in`` and a new salt, because a click from before the erasure may still arrive late.
    """

    workspace: WorkspaceId
    person_hash: str
    salt: str
    since: datetime
    erased: datetime | None = None
    opted_in: datetime | None = None

    @property
    def is_active(self) -> bool:
        """Return whether the person is opted out now."""
        return self.opted_in is None

    def covers(self, time: datetime) -> bool:
        """Return whether a click of this time must not have an identity."""
        return self.is_active or (self.erased is not None and time <= self.erased)

    def derive_alias(self, campaign: CampaignId) -> str:
        """Return the person's alias in a campaign: constant there, and not linkable to them."""
        return blake2b(campaign.encode(), key=self.salt.encode(), digest_size=8).hexdigest()

    def to_item(self) -> Item:
        times = {"since": self.since, "erased": self.erased, "opted_in": self.opted_in}
        values: dict[str, attributes.Value | None] = {
            name: format_rfc3339(time) if time else None for name, time in times.items()
        }
        values |= {"salt": self.salt, "expires": self._expires}
        return opt_out_key(self.workspace, self.person_hash) | attributes.build_item(values)

    @classmethod
    def from_item(cls, workspace: WorkspaceId, stored: Item) -> Self:
        return cls(
            workspace=workspace,
            person_hash=attributes.get_text(stored, "sk").removeprefix("P#"),
            salt=attributes.get_text(stored, "salt"),
            since=parse_rfc3339(attributes.get_text(stored, "since")),
            erased=_get_optional_time(stored, "erased"),
            opted_in=_get_optional_time(stored, "opted_in"),
        )

    @property
    def _expires(self) -> int | None:
        if self.opted_in is None:
            return None
        return int((self.opted_in + timedelta(days=ERASURE_RECORD_DAYS)).timestamp())


def _get_optional_time(stored: Item, name: str) -> datetime | None:
    text = attributes.get_optional_text(stored, name)
    return None if text is None else parse_rfc3339(text)


def person_hash(workspace: WorkspaceId, person: str) -> str:
    """Return the hash under which a person's opt-out is stored."""
    return blake2b(person.encode(), key=workspace.encode(), digest_size=16).hexdigest()


def opt_out_key(workspace: WorkspaceId, digest: str) -> Item:
    return attributes.build_item({"pk": workspace_partition(workspace), "sk": f"P#{digest}"})
