"""Reads, changes and mends what a workspace decided.

What callers may say of a workspace's settings, and within which bounds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from waypost.errors import Conflict, InvalidRequest, MalformedItem, Overtaken, Problem
from waypost.ids import WorkspaceCode, workspace_code
from waypost.models.workspace import (
    MOST_DAYS,
    MOST_POINTS,
    EventPolicy,
    IpPolicy,
    SecretLinkPolicy,
    Shortening,
    WorkspaceSettings,
)
from waypost.repositories.corrupt_items import tell_damaged
from waypost.repositories.workspaces import Versioned
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


_ATTEMPTS: Final = 5
"""Each fails only where somebody else's change succeeded."""
MOST_BYTES: Final = 350_000
"""Of all settings together, of the 400 KB that DynamoDB takes an item."""
_UNREADABLE: Final = "cannot be read back as it is stored; give it a value, too"


class Workspaces(Protocol):
    """What is read and written of workspaces (``waypost.repositories.workspaces``)."""

    def settings(self, workspace: WorkspaceCode) -> WorkspaceSettings: ...
    def versioned(self, workspace: WorkspaceCode) -> Versioned: ...
    def save(
        self, workspace: str, settings: WorkspaceSettings, *, over: int | None = None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of workspaces, which exist as soon as somebody names them."""

    workspaces: Workspaces

    def told(self, workspace: str) -> SettingsChange:
        """All settings of a workspace. Raises MalformedItem where they cannot be read back."""
        try:
            return _told(self.workspaces.settings(workspace_code(workspace)))
        except ValidationError as e:
            code, named = workspace_code(workspace), ", ".join(map(repr, _fields(e)))
            why = MalformedItem(f"the settings of workspace {code}: {named} cannot be read")
            tell_damaged("settings", why, workspace=code)
            raise why from e

    def changed(self, workspace: str, change: SettingsChange) -> SettingsChange:
        """All settings after a change, which takes nothing back that others change meanwhile.

        Settings that cannot be read back are mended by it: each of them has to be given.

        Raises Clash where the name's code is another's, Overtaken where others never cease,
        InvalidRequest where all of it together is too much to keep, a parameter is no Liquid, or
        something that cannot be read back would stay.
        """
        _check_parameters(change)
        for _ in range(_ATTEMPTS):
            stored = self.workspaces.versioned(workspace_code(workspace))
            settings = change.applied_to(stored.settings)
            _check_size(settings)
            told = _mended(change, settings, stored.damaged)
            try:
                self.workspaces.save(workspace, settings, over=stored.version)
            except Conflict:
                continue
            return told
        raise Overtaken("settings of workspace", workspace)


def _check_parameters(change: SettingsChange) -> None:
    """Values that no message could be rewritten with are refused before they stop all of them."""
    if change.url_params:
        from waypost.rewrite.url_parameters import Parameters  # Liquid: no other route's

        Parameters(change.url_params, identify=False)


def _check_size(settings: WorkspaceSettings) -> None:
    size = len(json.dumps(settings.stored(), ensure_ascii=False).encode())
    if size > MOST_BYTES:
        reason = f"makes settings of {size:,} bytes; at most {MOST_BYTES:,} are kept"
        raise InvalidRequest.of("body", reason)


def _mended(
    change: SettingsChange, settings: WorkspaceSettings, damaged: Collection[str]
) -> SettingsChange:
    """What is told of the settings after a change. Raises InvalidRequest for what it leaves as it
    cannot be read: the default in its place would be nobody's wish.
    """
    left = [name for name in damaged if name not in change.model_fields_set]
    if not left:
        try:
            return _told(settings)
        except ValidationError as e:
            left = _fields(e)
    raise InvalidRequest(*(Problem(name, _UNREADABLE) for name in left))


def _fields(error: ValidationError) -> list[str]:
    return list(dict.fromkeys(str(each["loc"][0]) for each in error.errors()))


def _told(settings: WorkspaceSettings) -> SettingsChange:
    return SettingsChange.model_validate(settings.stored())
