"""Read a function's configuration from its environment, once, into a frozen dataclass.

A field's variable is its name in capitals, and its type selects the parser. A field with a default
is optional.
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
    """The root of all configurations, which are dataclasses."""

    __slots__ = ()

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the environment. Raises ConfigurationError for a missing or invalid variable."""
        types, values = get_type_hints(cls), {}
        for variable, is_required in cls.list_variables().items():
            text = environment.get(variable, "").strip()
            if text:
                values[variable.lower()] = _parse_variable(variable, text, types[variable.lower()])
            elif is_required:
                raise ConfigurationError(variable)
        return cls(**values)

    @classmethod
    def list_variables(cls) -> dict[str, bool]:
        """Return the variables, and whether each is required."""
        listed = fields(cls)  # type: ignore[arg-type]  # every class below is a dataclass
        return {field.name.upper(): field.default is MISSING for field in listed}


@dataclass(frozen=True, slots=True)
class ReportConfig(FunctionConfig):
    """Configuration of reports, as JSON or as pages. Only the JSON API erases people, for which it
    needs ``short_links_table``.
    """

    clicks_table: str
    campaigns_table: str
    workspaces_table: str
    keyring_secret: str
    short_links_table: str = ""


@dataclass(frozen=True, slots=True)
class ShareLinkConfig(FunctionConfig):
    """Configuration of share links. ``pages_url`` is the URL of the report pages."""

    pages_url: WebOrigin


@dataclass(frozen=True, slots=True)
class RewriteConfig(FunctionConfig):
    """Configuration of rewriting. ``default_base_url`` begins the tracking links of a workspace
    without a tracking domain, until ``default_host`` works (empty if the stack has none).
    ``files_bucket`` has the files of recipients; empty if the stack has none.
    """

    campaigns_table: str
    workspaces_table: str
    short_links_table: str
    keyring_secret: str
    default_base_url: WebOrigin
    retention_days: int
    default_host: str = ""
    files_bucket: str = ""


@dataclass(frozen=True, slots=True)
class DomainConfig(FunctionConfig):
    """Configuration of tracking domains. ``edge_endpoint`` is the CDN's host name.
    ``default_host`` and ``event_bus`` are empty if the stack has none.
    """

    workspaces_table: str
    edge_endpoint: str
    default_host: str = ""
    event_bus: str = ""


@dataclass(frozen=True, slots=True)
class VerifyDomainsConfig(FunctionConfig):
    """Configuration of domain checks. Quotas are those of the account."""

    keyring_secret: str
    distribution: str
    connection_group: str
    tenant_quota: int
    certificate_quota: int


@dataclass(frozen=True, slots=True)
class RedirectConfig(FunctionConfig):
    """Configuration of the redirect. ``origin_secrets`` identify requests through CloudFront. A
    closed ``origin_lock`` requires them, and rejects other requests.
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
    """Configuration of the tally. An empty ``event_bus`` publishes no events."""

    clicks_table: str
    campaigns_table: str
    workspaces_table: str
    event_bus: str = ""


@dataclass(frozen=True, slots=True)
class DrainConfig(FunctionConfig):
    """Configuration of the drain function, which records clicks from the fallback queue."""

    clicks_table: str
    campaigns_table: str
    workspaces_table: str


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
