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

from waypost.errors import ConfigurationError

WebOrigin = NewType("WebOrigin", str)
"""Scheme and host, without a slash at the end."""

OriginLock = Literal["open", "closed"]


class FunctionConfig:
    """Root of all settings, which are dataclasses."""

    __slots__ = ()

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Raises SettingsError naming the variable that is missing or unusable."""
        types, values = get_type_hints(cls), {}
        for variable, must in cls.list_variables().items():
            text = environment.get(variable, "").strip()
            if text:
                values[variable.lower()] = _parse_variable(variable, text, types[variable.lower()])
            elif must:
                raise ConfigurationError(variable)
        return cls(**values)

    @classmethod
    def list_variables(cls) -> dict[str, bool]:
        """The variables that are read, and whether each has to be set."""
        listed = fields(cls)  # type: ignore[arg-type]  # every class below is a dataclass
        return {field.name.upper(): field.default is MISSING for field in listed}


@dataclass(frozen=True, slots=True)
class ReportConfig(FunctionConfig):
    """What reports need, as JSON or as pages."""

    clicks_table: str
    campaigns_table: str
    workspaces_table: str
    keyring_secret: str


@dataclass(frozen=True, slots=True)
class ShareLinkConfig(FunctionConfig):
    """What making share links needs. ``pages_url``: of the report pages."""

    pages_url: WebOrigin


@dataclass(frozen=True, slots=True)
class RewriteConfig(FunctionConfig):
    """What rewriting needs. ``default_base_url``: of tracking links where a workspace has no domain
    of its own, until ``default_host`` works (empty where there is none).
    """

    campaigns_table: str
    workspaces_table: str
    short_links_table: str
    keyring_secret: str
    default_base_url: WebOrigin
    retention_days: int
    default_host: str = ""


@dataclass(frozen=True, slots=True)
class DomainConfig(FunctionConfig):
    """What managing tracking domains needs. ``edge_endpoint`` is the CDN's name. ``default_host``
    is empty where a stack has none; so is ``event_bus`` where nobody is told.
    """

    workspaces_table: str
    edge_endpoint: str
    default_host: str = ""
    event_bus: str = ""


@dataclass(frozen=True, slots=True)
class VerifyDomainsConfig(FunctionConfig):
    """What checking tracking domains needs. Quotas are those of the account."""

    keyring_secret: str
    distribution: str
    connection_group: str
    tenant_quota: int
    certificate_quota: int


@dataclass(frozen=True, slots=True)
class RedirectConfig(FunctionConfig):
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
    origin_lock: OriginLock = "open"

    def __post_init__(self) -> None:
        if self.is_origin_locked and not self.origin_secrets:
            raise ConfigurationError("ORIGIN_SECRETS")

    @property
    def is_origin_locked(self) -> bool:
        return self.origin_lock == "closed"


@dataclass(frozen=True, slots=True)
class TallyConfig(FunctionConfig):
    """What counting needs. ``event_bus``: empty, and nobody is told."""

    clicks_table: str
    campaigns_table: str
    workspaces_table: str
    event_bus: str = ""


@dataclass(frozen=True, slots=True)
class DrainConfig(FunctionConfig):
    """What bringing parked clicks home needs."""

    clicks_table: str


def _parse_variable(variable: str, text: str, field_type: object) -> object:
    try:
        return _PARSERS[field_type](text)
    except ValueError as e:
        raise ConfigurationError(variable, f"is {text!r}, {e}") from None


def _parse_origin(text: str) -> str:
    return text.rstrip("/")


def _parse_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError("not a whole number of at least 1")
    return int(text)


def _parse_list(text: str) -> tuple[str, ...]:
    return tuple(each for each in text.split(",") if each)


def _parse_lock(text: str) -> str:
    if text not in ("open", "closed"):
        raise ValueError("neither 'open' nor 'closed'")
    return text


_PARSERS: Final[Mapping[object, Callable[[str], object]]] = {
    str: str,
    int: _parse_number,
    WebOrigin: _parse_origin,
    tuple[str, ...]: _parse_list,
    OriginLock: _parse_lock,
}
