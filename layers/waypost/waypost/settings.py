"""What a function reads from its environment: one frozen dataclass each, read once, failing by
the variable's name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from waypost.errors import SettingsError


def required(environment: Mapping[str, str], variable: str) -> str:
    """A variable that has to be set. Raises SettingsError naming it."""
    value = environment.get(variable, "").strip()
    if not value:
        raise SettingsError(variable)
    return value


def number(environment: Mapping[str, str], variable: str) -> int:
    """A variable that has to be a whole number of at least 1. Raises SettingsError naming it."""
    value = required(environment, variable)
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise SettingsError(variable, f"is {value!r}, not a whole number of at least 1")
    return int(value)


def flag(environment: Mapping[str, str], variable: str, *, yes: str, no: str) -> bool:
    """Which of two words a variable holds; ``no`` where it is not set. Raises SettingsError naming
    it.
    """
    value = environment.get(variable, "").strip() or no
    if value not in (yes, no):
        raise SettingsError(variable, f"is {value!r}, neither {yes!r} nor {no!r}")
    return value == yes


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """What reports need, as JSON or as pages."""

    clicks_table: str
    campaigns_table: str
    workspaces_table: str
    keyring_secret: str

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(
            clicks_table=required(environment, "CLICKS_TABLE"),
            campaigns_table=required(environment, "CAMPAIGNS_TABLE"),
            workspaces_table=required(environment, "WORKSPACES_TABLE"),
            keyring_secret=required(environment, "KEYRING_SECRET"),
        )


@dataclass(frozen=True, slots=True)
class SharingSettings:
    """What making share links needs. ``pages_url``: scheme and host of the report pages."""

    pages_url: str

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(pages_url=required(environment, "PAGES_URL").rstrip("/"))


@dataclass(frozen=True, slots=True)
class RewriteSettings:
    """What rewriting needs. ``default_base_url``: scheme and host of tracking links where a
    workspace has no domain of its own, until ``default_host`` works (empty where there is none).
    """

    campaigns_table: str
    workspaces_table: str
    short_links_table: str
    keyring_secret: str
    default_base_url: str
    default_host: str
    retention_days: int

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(
            campaigns_table=required(environment, "CAMPAIGNS_TABLE"),
            workspaces_table=required(environment, "WORKSPACES_TABLE"),
            short_links_table=required(environment, "SHORT_LINKS_TABLE"),
            keyring_secret=required(environment, "KEYRING_SECRET"),
            default_base_url=required(environment, "DEFAULT_BASE_URL").rstrip("/"),
            default_host=environment.get("DEFAULT_HOST", "").strip(),
            retention_days=number(environment, "RETENTION_DAYS"),
        )


@dataclass(frozen=True, slots=True)
class DomainSettings:
    """What managing tracking domains needs. ``edge_endpoint`` is the CDN's name. ``default_host``
    is empty where a stack has none; so is ``event_bus`` where nobody is told.
    """

    workspaces_table: str
    default_host: str
    edge_endpoint: str
    event_bus: str

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(
            workspaces_table=required(environment, "WORKSPACES_TABLE"),
            default_host=environment.get("DEFAULT_HOST", "").strip(),
            edge_endpoint=required(environment, "EDGE_ENDPOINT"),
            event_bus=environment.get("EVENT_BUS", "").strip(),
        )


@dataclass(frozen=True, slots=True)
class VerifyDomainsSettings:
    """What checking tracking domains needs. Quotas are those of the account."""

    keyring_secret: str
    distribution: str
    connection_group: str
    tenant_quota: int
    certificate_quota: int

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(
            keyring_secret=required(environment, "KEYRING_SECRET"),
            distribution=required(environment, "DISTRIBUTION"),
            connection_group=required(environment, "CONNECTION_GROUP"),
            tenant_quota=number(environment, "TENANT_QUOTA"),
            certificate_quota=number(environment, "CERTIFICATE_QUOTA"),
        )


@dataclass(frozen=True, slots=True)
class RedirectSettings:
    """What following a link needs. ``origin_secrets`` tell requests through CloudFront from
    others; ``origin_locked``, and the others are refused.
    """

    clicks_table: str
    workspaces_table: str
    short_links_table: str
    keyring_secret: str
    park_queue_url: str
    retention_days: int
    origin_secrets: tuple[str, ...]
    origin_locked: bool

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        locked = flag(environment, "ORIGIN_LOCK", yes="closed", no="open")
        secrets = environment.get("ORIGIN_SECRETS", "").split(",")
        if locked:
            required(environment, "ORIGIN_SECRETS")
        return cls(
            clicks_table=required(environment, "CLICKS_TABLE"),
            workspaces_table=required(environment, "WORKSPACES_TABLE"),
            short_links_table=required(environment, "SHORT_LINKS_TABLE"),
            keyring_secret=required(environment, "KEYRING_SECRET"),
            park_queue_url=required(environment, "PARK_QUEUE_URL"),
            retention_days=number(environment, "RETENTION_DAYS"),
            origin_secrets=tuple(secret for secret in secrets if secret),
            origin_locked=locked,
        )


@dataclass(frozen=True, slots=True)
class TallySettings:
    """What counting needs. ``event_bus``: none, and nobody is told."""

    clicks_table: str
    campaigns_table: str
    workspaces_table: str
    event_bus: str | None

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(
            clicks_table=required(environment, "CLICKS_TABLE"),
            campaigns_table=required(environment, "CAMPAIGNS_TABLE"),
            workspaces_table=required(environment, "WORKSPACES_TABLE"),
            event_bus=environment.get("EVENT_BUS") or None,
        )


@dataclass(frozen=True, slots=True)
class DrainSettings:
    """What bringing parked clicks home needs."""

    clicks_table: str

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(clicks_table=required(environment, "CLICKS_TABLE"))
