"""A workspace: one customer of the stack, and the settings its messages and reports follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, Self

from waypost.codes import WorkspaceCode

IpPolicy = Literal["truncated", "full", "none"]
SecretLinkPolicy = Literal["warn", "untrack"]
EventPolicy = Literal["all", "first", "none"]


@dataclass(frozen=True, slots=True)
class Shortening:
    """Which channels get short links instead of signed ones."""

    sms: bool = False
    whatsapp: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSettings:
    """What a workspace decided; the defaults are those of a workspace that nobody configured.

    A change touches messages that are rewritten, and clicks that arrive, after it.
    """

    url_params: Mapping[str, str] = field(default_factory=dict)
    """Added to the query of every tracked http(s) link, in order; values may be Liquid."""
    cio_id: bool = True
    """Adds ``_cio_id=<person>`` to every tracked http(s) link."""
    shorten: Shortening = Shortening()
    short_link_days: int | None = 90
    """How long short links made from now on lead anywhere; None: for ever."""
    track_opens: bool = True
    retention_days: int | None = None
    """How long a raw click is kept; None follows the stack's own setting. Counters stay."""
    ip: IpPolicy = "truncated"
    """How a clicker's address is kept: to /24 and /48, whole, or not at all."""
    secret_links: SecretLinkPolicy = "warn"  # noqa: S105 - a policy, no password
    """What becomes of links that look secret: reported only, or left untracked as well."""
    schemes: tuple[str, ...] = ()
    """App schemes that may be redirected to, besides http, https, mailto, tel and sms."""
    never_track: tuple[str, ...] = ()
    """Patterns (``*`` stands for anything) of URLs that are always left as they are."""
    events: EventPolicy = "all"
    """Which clicks the event bus is told: all, the first of each delivery, or none."""
    machine_threshold: int = 70
    """Points from which on a click is a machine's (``waypost.clicks.signals``)."""

    def stored(self) -> dict[str, object]:
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
    def from_stored(cls, values: Mapping[str, object]) -> Self:
        """Read what ``stored`` gave: newer versions' keys are ignored, missing ones default.

        Raises TypeError where it is something else: a workspace without a wish of its own is not
        the same as one whose wishes cannot be read.
        """
        if not isinstance(values, Mapping):
            raise TypeError("settings are an object")
        known = {f.name: values[f.name] for f in fields(cls) if f.name in values}
        if isinstance(known.get("shorten"), Mapping):
            known["shorten"] = Shortening(**known["shorten"])  # type: ignore[arg-type]
        for name in ("schemes", "never_track"):
            if name in known:
                known[name] = tuple(known[name])  # type: ignore[arg-type]
        return cls(**known)  # type: ignore[arg-type]


def workspace_partition(workspace: WorkspaceCode) -> str:
    """The partition that holds a workspace's settings, domains and opt-outs."""
    return f"W#{workspace}"
