"""A workspace: one customer of the stack, and the settings its messages and reports follow.

A person's wish not to be tracked: clicks are still counted, but no longer as theirs.

Key: pk ``W#{workspace code}``, sk ``P#{hash of the person}``. The item does not name the person,
so a list of those who opted out is none of people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
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
    """Which channels get short links instead of signed ones."""

    sms: bool = False
    whatsapp: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSettings:
    """What a workspace decided; the defaults are those of a workspace that nobody configured.

    A change touches messages that are rewritten, and clicks that arrive, after it.
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
    events: EventPolicy = "all"
    """Publishes all clicks on the event bus, the first of each delivery, or none."""
    machine_threshold: int = 70
    """Points from which a click is classified as a bot click."""

    def to_dict(self) -> dict[str, object]:
        """The settings as plain values, as a store or JSON keeps them."""
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
            "events": self.events,
            "machine_threshold": self.machine_threshold,
        }

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Read what ``stored`` gave: newer versions' keys are ignored, missing ones default.

        Raises MalformedItem, naming every field that cannot be read: a workspace without a wish of
        its own is not the same as one whose wishes cannot be read.
        """
        settings, damaged = cls.parse_valid_fields(values)
        if damaged:
            raise CorruptItem(f"{', '.join(map(repr, damaged))} cannot be read")
        return settings

    @classmethod
    def parse_valid_fields(cls, values: object) -> tuple[Self, tuple[str, ...]]:
        """What can be read of it, and the fields that cannot, which have their defaults."""
        if not isinstance(values, Mapping):
            return cls(), tuple(f.name for f in fields(cls))
        given = {
            name: _convert_value(name, values[name]) for name in field_types(cls) if name in values
        }
        fitting = {name: value for name, value in given.items() if _is_valid(cls, name, value)}
        damaged = tuple(name for name in given if name not in fitting)
        return cls(**fitting), damaged  # type: ignore[arg-type]


def _convert_value(name: str, value: object) -> object:
    """A value of JSON as its field has it, where it looks like it at all."""
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
    """The partition that holds a workspace's settings, domains and opt-outs."""
    return f"W#{workspace}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """An opt-out. ``salt`` is random and stands nowhere else: with the opt-out goes the only way
    from the person to their alias.
    """

    workspace: WorkspaceId
    person_hash: str
    salt: str
    since: datetime

    def derive_alias(self, campaign: CampaignId) -> str:
        """Who the person is in a campaign's figures: one and the same, but nobody."""
        return blake2b(campaign.encode(), key=self.salt.encode(), digest_size=8).hexdigest()

    def to_item(self) -> Item:
        values = {"salt": self.salt, "since": format_rfc3339(self.since)}
        return opt_out_key(self.workspace, self.person_hash) | attributes.build_item(values)

    @classmethod
    def from_item(cls, workspace: WorkspaceId, stored: Item) -> Self:
        return cls(
            workspace=workspace,
            person_hash=attributes.get_text(stored, "sk").removeprefix("P#"),
            salt=attributes.get_text(stored, "salt"),
            since=parse_rfc3339(attributes.get_text(stored, "since")),
        )


def person_hash(workspace: WorkspaceId, person: str) -> str:
    """What an opt-out is kept under."""
    return blake2b(person.encode(), key=workspace.encode(), digest_size=16).hexdigest()


def opt_out_key(workspace: WorkspaceId, digest: str) -> Item:
    return attributes.build_item({"pk": workspace_partition(workspace), "sk": f"P#{digest}"})
