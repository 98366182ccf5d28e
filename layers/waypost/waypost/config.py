"""What a function reads from its environment: one frozen dataclass each, read once, failing by
the variable's name.

A field's variable is its name in capitals, and its type says how it is read. A field with a default
may be missing from the environment; any other has to be set.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Final, Literal, NewType, Self, get_type_hints

from waypost.errors import SettingsError

Address = NewType("Address", str)
"""Scheme and host, without a slash at the end."""

Lock = Literal["open", "closed"]


class Settings:
    """Root of all settings, which are dataclasses."""

    __slots__ = ()

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Raises SettingsError naming the variable that is missing or unusable."""
        types, values = get_type_hints(cls), {}
        for variable, must in cls.variables().items():
            text = environment.get(variable, "").strip()
            if text:
                values[variable.lower()] = _read(variable, text, types[variable.lower()])
            elif must:
                raise SettingsError(variable)
        return cls(**values)

    @classmethod
    def variables(cls) -> dict[str, bool]:
        """The variables that are read, and whether each has to be set."""
        listed = fields(cls)  # type: ignore[arg-type]  # every class below is a dataclass
        return {field.name.upper(): field.default is MISSING for field in listed}


@dataclass(frozen=True, slots=True)
class ReportSettings(Settings):
    """What reports need, as JSON or as pages."""

    clicks_table: str
    campaigns_table: str
    workspaces_table: str
    keyring_secret: str


@dataclass(frozen=True, slots=True)
class SharingSettings(Settings):
    """What making share links needs. ``pages_url``: of the report pages."""

    pages_url: Address


@dataclass(frozen=True, slots=True)
class RewriteSettings(Settings):
    """What rewriting needs. ``default_base_url``: of tracking links where a workspace has no domain
    of its own, until ``default_host`` works (empty where there is none).
    """

    campaigns_table: str
    workspaces_table: str
    short_links_table: str
    keyring_secret: str
    default_base_url: Address
    retention_days: int
    default_host: str = ""


@dataclass(frozen=True, slots=True)
class DomainSettings(Settings):
    """What managing tracking domains needs. ``edge_endpoint`` is the CDN's name. ``default_host``
    is empty where a stack has none; so is ``event_bus`` where nobody is told.
    """

    workspaces_table: str
    edge_endpoint: str
    default_host: str = ""
    event_bus: str = ""


@dataclass(frozen=True, slots=True)
class VerifyDomainsSettings(Settings):
    """What checking tracking domains needs. Quotas are those of the account."""

    keyring_secret: str
    distribution: str
    connection_group: str
    tenant_quota: int
    certificate_quota: int


@dataclass(frozen=True, slots=True)
class RedirectSettings(Settings):
    """What following a link needs. ``origin_secrets`` tell requests through CloudFront from
    others; with a closed lock, which needs them, the others are refused.
    """

    clicks_table: str
    workspaces_table: str
    short_links_table: str
    keyring_secret: str
    park_queue_url: str
    retention_days: int
    origin_secrets: tuple[str, ...] = ()
    origin_lock: Lock = "open"

    def __post_init__(self) -> None:
        if self.origin_locked and not self.origin_secrets:
            raise SettingsError("ORIGIN_SECRETS")

    @property
    def origin_locked(self) -> bool:
        return self.origin_lock == "closed"


@dataclass(frozen=True, slots=True)
class TallySettings(Settings):
    """What counting needs. ``event_bus``: empty, and nobody is told."""

    clicks_table: str
    campaigns_table: str
    workspaces_table: str
    event_bus: str = ""


@dataclass(frozen=True, slots=True)
class DrainSettings(Settings):
    """What bringing parked clicks home needs."""

    clicks_table: str


def _read(variable: str, text: str, kind: object) -> object:
    try:
        return _READERS[kind](text)
    except ValueError as e:
        raise SettingsError(variable, f"is {text!r}, {e}") from None


def _address(text: str) -> str:
    return text.rstrip("/")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError("not a whole number of at least 1")
    return int(text)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each for each in text.split(",") if each)


def _lock(text: str) -> str:
    if text not in ("open", "closed"):
        raise ValueError("neither 'open' nor 'closed'")
    return text


_READERS: Final[Mapping[object, Callable[[str], object]]] = {
    str: str,
    int: _number,
    Address: _address,
    tuple[str, ...]: _listed,
    Lock: _lock,
}
