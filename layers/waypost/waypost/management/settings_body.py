"""What callers may say of a workspace's settings, and within which bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from waypost.models.workspace import (
    MOST_DAYS,
    MOST_POINTS,
    EventPolicy,
    IpPolicy,
    SecretLinkPolicy,
    Shortening,
    WorkspaceSettings,
)
from waypost.urls import NEVER_SCHEMES

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,31}")


def _app_scheme(scheme: str) -> str:
    lowered = scheme.lower()
    if not _SCHEME.fullmatch(lowered):
        raise ValueError("is not a scheme: letters, digits, '+', '.' and '-' without the colon")
    if lowered in NEVER_SCHEMES:
        raise ValueError(f"{lowered!r} is never redirected to, since it runs or reads locally")
    return lowered


class ShorteningChange(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    sms: bool = False
    whatsapp: bool = False


class SettingsChange(BaseModel):
    """The settings of a workspace as JSON: all of them where they are told, those to be changed in
    a PUT. Absent keys stay as they are; unknown ones fail.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    url_params: dict[
        Annotated[str, Field(min_length=1, max_length=100)], Annotated[str, Field(max_length=1000)]
    ] = Field(default={}, max_length=50)
    cio_id: bool = True
    shorten: ShorteningChange = ShorteningChange()
    short_link_days: Annotated[int, Field(ge=1, le=MOST_DAYS)] | None = 90
    track_opens: bool = True
    retention_days: Annotated[int, Field(ge=1, le=MOST_DAYS)] | None = None
    ip: IpPolicy = "truncated"
    secret_links: SecretLinkPolicy = "warn"  # noqa: S105 - a policy, no password
    schemes: list[Annotated[str, AfterValidator(_app_scheme)]] = Field(default=[], max_length=50)
    never_track: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(
        default=[], max_length=200
    )
    events: EventPolicy = "all"
    machine_threshold: Annotated[int, Field(ge=1, le=MOST_POINTS)] = 70

    def applied_to(self, settings: WorkspaceSettings) -> WorkspaceSettings:
        """The settings with the given keys changed and all others as they were."""
        given: dict[str, object] = {name: getattr(self, name) for name in self.model_fields_set}
        if isinstance(shorten := given.get("shorten"), ShorteningChange):
            given["shorten"] = _shortening(settings.shorten, shorten)
        for name in ("schemes", "never_track"):
            if isinstance(value := given.get(name), list):
                given[name] = tuple(value)
        return replace(settings, **given)  # type: ignore[arg-type]


def _shortening(now: Shortening, change: ShorteningChange) -> Shortening:
    given: Mapping[str, bool] = {name: getattr(change, name) for name in change.model_fields_set}
    return replace(now, **given)
