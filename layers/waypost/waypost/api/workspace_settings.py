"""Validate, read and change a workspace's settings."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from waypost.errors import (
    ConcurrentModification,
    CorruptItem,
    InvalidRequest,
    Problem,
    WriteConflict,
)
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
from waypost.repositories.workspaces import WorkspaceRepository
from waypost.retry import call_with_retry
from waypost.urls import is_forbidden_scheme

MAX_SETTINGS_BYTES: Final = 350_000
"""Limit for all settings of a workspace; a DynamoDB item holds 400 KB."""

_MAX_ATTEMPTS: Final = 5
_UNREADABLE_REASON: Final = "stored value cannot be read; set a new value"
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,31}")
_QUERY_DELIMITER: Final = re.compile(r"[?&;=#\s]")


def _validate_app_scheme(scheme: str) -> str:
    lowered = scheme.lower()
    if not _SCHEME.fullmatch(lowered):
        raise ValueError("is not a scheme; use letters, digits, '+', '.' and '-' without a colon")
    if is_forbidden_scheme(lowered):
        raise ValueError(
            f"{lowered!r} is not allowed, because it runs code or starts local handlers"
        )
    return lowered


def _validate_query_name(name: str) -> str:
    if _QUERY_DELIMITER.search(name):
        raise ValueError("is not the name of a parameter; list only the part before '='")
    return name


class ShorteningChange(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    sms: bool = False
    whatsapp: bool = False


class SettingsChange(BaseModel):
    """A workspace's settings: all of them in a response, those to change in a PUT.

    Absent keys stay unchanged; unknown keys are an error.
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
    signed_params: list[
        Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_validate_query_name)]
    ] = Field(default=[], max_length=50)
    events: EventPolicy = "all"
    machine_threshold: Annotated[int, Field(ge=1, le=MAX_BOT_THRESHOLD)] = 70

    def apply_to(self, settings: WorkspaceSettings) -> WorkspaceSettings:
        """Return the settings with the keys of this change replaced."""
        given: dict[str, object] = {name: getattr(self, name) for name in self.model_fields_set}
        if isinstance(shorten := given.get("shorten"), ShorteningChange):
            given["shorten"] = _merge_shortening(settings.shorten, shorten)
        for name in ("schemes", "never_track", "signed_params"):
            if isinstance(value := given.get(name), list):
                given[name] = tuple(value)
        return replace(settings, **given)  # type: ignore[arg-type]


def _merge_shortening(current: ShortLinkChannels, change: ShorteningChange) -> ShortLinkChannels:
    given: Mapping[str, bool] = {name: getattr(change, name) for name in change.model_fields_set}
    return replace(current, **given)


@dataclass(frozen=True, slots=True)
class WorkspaceSettingsService:
    """Reads and changes settings. A workspace exists from its first use and needs no creation."""

    workspaces: WorkspaceRepository

    def get_settings(self, workspace: str) -> SettingsChange:
        """Return all settings of a workspace.

        :raises AlreadyExists: when the workspace's id belongs to another name.
        :raises CorruptItem: when the stored settings cannot be read.
        """
        try:
            settings = self.workspaces.get_settings_by_name(workspace)
            return _build_body(_drop_forbidden_schemes(settings))
        except ValidationError as e:
            workspace_id = self.workspaces.resolve_id(workspace)
            fields = ", ".join(map(repr, _list_fields(e)))
            error = CorruptItem(f"settings of workspace {workspace_id}: {fields} cannot be read")
            log_corrupt_item("settings", error, workspace=workspace_id)
            raise error from e

    def change_settings(self, workspace: str, change: SettingsChange) -> SettingsChange:
        """Change settings with optimistic locking, and return all settings after the change.

        A change repairs corrupt settings when it contains a value for each of them.

        :raises AlreadyExists: when the workspace's id belongs to another name.
        :raises ConcurrentModification: when other writers win every attempt.
        :raises InvalidRequest: when the settings become too large, a parameter is not valid Liquid,
            the parameters are too long for a URL, or a corrupt setting would remain.
        """
        _check_url_parameters(change)

        def save() -> SettingsChange:
            stored = self.workspaces.get_settings_with_version(workspace)
            settings = change.apply_to(_drop_forbidden_schemes(stored.settings))
            _check_size(settings)
            body = _build_complete_body(change, settings, stored.corrupt_fields)
            self.workspaces.save_settings(workspace, settings, expected_version=stored.version)
            return body

        try:
            return call_with_retry(save, attempts=_MAX_ATTEMPTS, retry_on=WriteConflict)
        except WriteConflict as e:
            raise ConcurrentModification("settings of workspace", workspace) from e


def _check_url_parameters(change: SettingsChange) -> None:
    """Reject parameters that no later rewrite could use."""
    if change.url_params:
        from waypost.rewrite.url_parameters import check_url_parameters  # only here: loads Liquid

        check_url_parameters(change.url_params)


def _drop_forbidden_schemes(settings: WorkspaceSettings) -> WorkspaceSettings:
    """Drop schemes that were accepted by an earlier version, and are without effect now."""
    return replace(
        settings, schemes=tuple(each for each in settings.schemes if not is_forbidden_scheme(each))
    )


def _check_size(settings: WorkspaceSettings) -> None:
    size = len(json.dumps(settings.to_dict(), ensure_ascii=False).encode())
    if size > MAX_SETTINGS_BYTES:
        reason = f"makes the settings {size:,} bytes large; the limit is {MAX_SETTINGS_BYTES:,}"
        raise InvalidRequest.from_field("body", reason)


def _build_complete_body(
    change: SettingsChange, settings: WorkspaceSettings, corrupt_fields: Collection[str]
) -> SettingsChange:
    """Build the response to a change.

    :raises InvalidRequest: when a corrupt setting would remain: storing its default in its place
        would change it without a request.
    """
    remaining = [name for name in corrupt_fields if name not in change.model_fields_set]
    if not remaining:
        try:
            return _build_body(settings)
        except ValidationError as e:
            remaining = _list_fields(e)
    raise InvalidRequest(*(Problem(name, _UNREADABLE_REASON) for name in remaining))


def _list_fields(error: ValidationError) -> list[str]:
    return list(dict.fromkeys(str(problem["loc"][0]) for problem in error.errors()))


def _build_body(settings: WorkspaceSettings) -> SettingsChange:
    return SettingsChange.model_validate(settings.to_dict())
