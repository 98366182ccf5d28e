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


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """What the report and management routes need."""

    clicks_table: str
    campaigns_table: str
    workspaces_table: str

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(
            clicks_table=required(environment, "CLICKS_TABLE"),
            campaigns_table=required(environment, "CAMPAIGNS_TABLE"),
            workspaces_table=required(environment, "WORKSPACES_TABLE"),
        )


@dataclass(frozen=True, slots=True)
class RewriteSettings:
    """What rewriting needs. ``default_base_url``: scheme and host of tracking links where a
    workspace has no domain of its own.
    """

    campaigns_table: str
    workspaces_table: str
    keyring_secret: str
    default_base_url: str

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(
            campaigns_table=required(environment, "CAMPAIGNS_TABLE"),
            workspaces_table=required(environment, "WORKSPACES_TABLE"),
            keyring_secret=required(environment, "KEYRING_SECRET"),
            default_base_url=required(environment, "DEFAULT_BASE_URL").rstrip("/"),
        )
