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

from waypost.errors import (
    ConcurrentModification,
    CorruptItem,
    InvalidRequest,
    Problem,
    WriteConflict,
)
from waypost.ids import WorkspaceId, derive_workspace_id
from waypost.models.workspace import (
    MAX_BOT_THRESHOLD,
    MAX_DAYS,
    EventPolicy,
    IpPolicy,
    SecretLinkPolicy,
    ShortLinkChannels,
    WorkspaceSettings,
)
from waypost.repositories.corrupt_items import log_corrupt_item
from waypost.repositories.workspaces import VersionedSettings
from waypost.retry import call_with_retry
from waypost.urls import FORBIDDEN_SCHEMES

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,31}")


def _validate_app_scheme(scheme: str) -> str:
    lowered = scheme.lower()
    if not _SCHEME.fullmatch(lowered):
        raise ValueError("is not a scheme: letters, digits, '+', '.' and '-' without the colon")
    if lowered in FORBIDDEN_SCHEMES:
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
    short_link_days: Annotated[int, Field(ge=1, le=MAX_DAYS)] | None = 90
    track_opens: bool = True
    retention_days: Annotated[int, Field(ge=1, le=MAX_DAYS)] | None = None
    ip: IpPolicy = "truncated"
    secret_links: SecretLinkPolicy = "warn"  # noqa: S105 - a policy, no password
    schemes: list[Annotated[str, AfterValidator(_validate_app_scheme)]] = Field(
        default=[], max_length=50
    )
    never_track: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(
        default=[], max_length=200
    )
    events: EventPolicy = "all"
    machine_threshold: Annotated[int, Field(ge=1, le=MAX_BOT_THRESHOLD)] = 70

    def apply_to(self, settings: WorkspaceSettings) -> WorkspaceSettings:
        """The settings with the given keys changed and all others as they were."""
        given: dict[str, object] = {name: getattr(self, name) for name in self.model_fields_set}
        if isinstance(shorten := given.get("shorten"), ShorteningChange):
            given["shorten"] = _merge_shortening(settings.shorten, shorten)
        for name in ("schemes", "never_track"):
            if isinstance(value := given.get(name), list):
                given[name] = tuple(value)
        return replace(settings, **given)  # type: ignore[arg-type]


def _merge_shortening(current: ShortLinkChannels, change: ShorteningChange) -> ShortLinkChannels:
    given: Mapping[str, bool] = {name: getattr(change, name) for name in change.model_fields_set}
    return replace(current, **given)


_MAX_ATTEMPTS: Final = 5
"""Each fails only where somebody else's change succeeded."""
MAX_SETTINGS_BYTES: Final = 350_000
"""Of all settings together, of the 400 KB that DynamoDB takes an item."""
_UNREADABLE_REASON: Final = "cannot be read back as it is stored; give it a value, too"


class WorkspaceSettingsRepository(Protocol):
    """What is read and written of workspaces (``waypost.repositories.workspaces``)."""

    def get_settings(self, workspace: WorkspaceId) -> WorkspaceSettings: ...
    def get_settings_with_version(self, workspace: WorkspaceId) -> VersionedSettings: ...
    def save_settings(
        self, workspace: str, settings: WorkspaceSettings, *, expected_version: int | None = None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class WorkspaceSettingsService:
    """The settings of workspaces, which exist as soon as somebody names them."""

    workspaces: WorkspaceSettingsRepository

    def get_settings(self, workspace: str) -> SettingsChange:
        """All settings of a workspace. Raises MalformedItem where they cannot be read back."""
        try:
            return _build_body(self.workspaces.get_settings(derive_workspace_id(workspace)))
        except ValidationError as e:
            code, named = derive_workspace_id(workspace), ", ".join(map(repr, _first_path_parts(e)))
            why = CorruptItem(f"the settings of workspace {code}: {named} cannot be read")
            log_corrupt_item("settings", why, workspace=code)
            raise why from e

    def change_settings(self, workspace: str, change: SettingsChange) -> SettingsChange:
        """All settings after a change, which takes nothing back that others change meanwhile.

        Settings that cannot be read back are mended by it: each of them has to be given.

        Raises Clash where the name's code is another's, Overtaken where others never cease,
        InvalidRequest where all of it together is too much to keep, a parameter is no Liquid, or
        something that cannot be read back would stay.
        """
        _check_url_parameters(change)

        def save() -> SettingsChange:
            stored = self.workspaces.get_settings_with_version(derive_workspace_id(workspace))
            settings = change.apply_to(stored.settings)
            _check_size(settings)
            body = _build_complete_body(change, settings, stored.corrupt_fields)
            self.workspaces.save_settings(workspace, settings, expected_version=stored.version)
            return body

        try:
            return call_with_retry(save, attempts=_MAX_ATTEMPTS, retry_on=WriteConflict)
        except WriteConflict as e:
            raise ConcurrentModification("settings of workspace", workspace) from e


def _check_url_parameters(change: SettingsChange) -> None:
    """Values that no message could be rewritten with are refused before they stop all of them."""
    if change.url_params:
        from waypost.rewrite.url_parameters import UrlParameters  # Liquid: no other route's

        UrlParameters(change.url_params, add_person_id=False)


def _check_size(settings: WorkspaceSettings) -> None:
    size = len(json.dumps(settings.to_dict(), ensure_ascii=False).encode())
    if size > MAX_SETTINGS_BYTES:
        reason = f"makes settings of {size:,} bytes; at most {MAX_SETTINGS_BYTES:,} are kept"
        raise InvalidRequest.from_field("body", reason)


def _build_complete_body(
    change: SettingsChange, settings: WorkspaceSettings, corrupt_fields: Collection[str]
) -> SettingsChange:
    """What is told of the settings after a change. Raises InvalidRequest for what it leaves as it
    cannot be read: the default in its place would be nobody's wish.
    """
    left = [name for name in corrupt_fields if name not in change.model_fields_set]
    if not left:
        try:
            return _build_body(settings)
        except ValidationError as e:
            left = _first_path_parts(e)
    raise InvalidRequest(*(Problem(name, _UNREADABLE_REASON) for name in left))


def _first_path_parts(error: ValidationError) -> list[str]:
    return list(dict.fromkeys(str(each["loc"][0]) for each in error.errors()))


def _build_body(settings: WorkspaceSettings) -> SettingsChange:
    return SettingsChange.model_validate(settings.to_dict())
