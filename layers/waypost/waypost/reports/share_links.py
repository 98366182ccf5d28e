"""Create and verify share links, which grant read access to report pages without an account.

A share token is signed and dated by itsdangerous and not stored. It grants access to one campaign
or a workspace until it expires, and to people's names only if requested. Only the newest key of the
keyring verifies it, in contrast to tracking links, so a key rotation revokes all share links.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Protocol

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer
from pydantic import BaseModel, ConfigDict, Field

from waypost.errors import NotFound, ShareAccessDenied
from waypost.ids import CampaignId, WorkspaceId, derive_campaign_id, derive_workspace_id
from waypost.models.attributes import format_rfc3339
from waypost.repositories.campaigns import CampaignRepository
from waypost.repositories.workspaces import WorkspaceRepository
from waypost.tokens.signer import Keyring

SHARE_SALT: Final = "waypost.share"
MAX_SHARE_HOURS: Final = 90 * 24
_TOKEN_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class ShareScope:
    """Pages that a share shows: one campaign, or the workspace. ``people``: also people's names."""

    workspace: str
    campaign: str | None = None
    people: bool = False

    @property
    def scope_id(self) -> WorkspaceId | CampaignId:
        """The id of the campaign or workspace."""
        if self.campaign is None:
            return derive_workspace_id(self.workspace)
        return derive_campaign_id(self.workspace, self.campaign)

    def covers(self, workspace: str, campaign: str | None, *, people: bool) -> bool:
        """Return if the scope includes a page of a campaign, or of the workspace (None)."""
        return (
            self.workspace == workspace
            and self.campaign in (None, campaign)
            and (self.people or not people)
        )


@dataclass(frozen=True, slots=True)
class ShareGrant:
    """A scope and its expiry time."""

    scope: ShareScope
    expires: datetime


class _ClockedSigner(TimestampSigner):
    """Signer with an injected clock."""

    def __init__(self, *keys: Any, now: Callable[[], datetime], **options: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*keys, **options)
        self._now = now

    def get_timestamp(self) -> int:
        return int(self._now().timestamp())


class ShareSigner:
    """Creates and verifies share tokens with one keyring."""

    def __init__(self, keyring: Keyring, now: Callable[[], datetime]) -> None:
        self._now = now
        self._serializer = URLSafeTimedSerializer(
            keyring.keys[-1],
            salt=SHARE_SALT.encode(),
            signer=_ClockedSigner,
            signer_kwargs={"now": now, "key_derivation": "hmac", "digest_method": sha256},
        )

    def create_token(self, scope: ShareScope, hours: int) -> str:
        """Create the token of a share link that is valid for ``hours``."""
        payload = [_TOKEN_VERSION, scope.workspace, scope.campaign, scope.people, hours]
        return str(self._serializer.dumps(payload))

    def verify_token(self, token: str) -> ShareGrant:
        """Return the share that a token grants.

        :raises ShareAccessDenied: when the token is forged, revoked, expired or of a newer version.
        """
        try:
            payload, signed_at = self._serializer.loads(token, return_timestamp=True)
        except BadData as e:
            raise ShareAccessDenied("tampered", "share link: invalid or revoked") from e
        scope, hours = _parse_payload(payload)
        expires = signed_at.astimezone(UTC) + timedelta(hours=hours)
        if expires <= self._now():
            raise ShareAccessDenied(
                "expired", f"share link: expired on {expires:%d %b %Y, %H:%M} UTC"
            )
        return ShareGrant(scope, expires)


class ReloadableKeyring(Protocol):
    """A keyring that can be reloaded (``waypost.tokens.keyring.KeyringSource``)."""

    def get_keyring(self) -> Keyring: ...

    def reload_keyring(self) -> Keyring | None: ...


class ShareSignerSource:
    """Share signers under the current keyring. ``clock`` returns Unix seconds."""

    def __init__(
        self, keyring_source: ReloadableKeyring, clock: Callable[[], float] = time.time
    ) -> None:
        self._keyring_source = keyring_source
        self._clock = clock
        self._cached: tuple[Keyring, ShareSigner] | None = None

    def get_signer(self) -> ShareSigner:
        """Return the signer for the current keyring."""
        return self._get_signer(self._keyring_source.get_keyring())

    def verify_token(self, token: str) -> ShareGrant:
        """Verify a token with the newest key, which may be newer than the cached keyring.

        :raises ShareAccessDenied: when the token is forged, revoked or expired.
        """
        try:
            return self.get_signer().verify_token(token)
        except ShareAccessDenied:
            renewed = self._keyring_source.reload_keyring()
            if renewed is None:
                raise
            return self._get_signer(renewed).verify_token(token)

    def _get_signer(self, keyring: Keyring) -> ShareSigner:
        if self._cached is None or self._cached[0] != keyring:
            signer = ShareSigner(keyring, lambda: datetime.fromtimestamp(self._clock(), UTC))
            self._cached = keyring, signer
        return self._cached[1]


def _parse_payload(payload: object) -> tuple[ShareScope, int]:
    """Return the scope and hours of a signed payload.

    :raises ShareAccessDenied: for a payload that version 1 never signs. A newer release signed it,
        so its meaning is unknown here.
    """
    match payload:
        case [version, str(workspace), str() | None as campaign, bool(people), int(hours)] if (
            version == _TOKEN_VERSION and hours <= MAX_SHARE_HOURS
        ):
            return ShareScope(workspace, campaign, people), hours
    raise ShareAccessDenied("version", "share link: created by a newer version of Waypost")


class ShareRequest(BaseModel):
    """A share link to create. Without a campaign, it shows the workspace; valid for ``hours``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    campaign: str | None = Field(default=None, min_length=1, max_length=255)
    hours: int = Field(default=72, ge=1, le=MAX_SHARE_HOURS)
    people: bool = False


class ShareAnswer(BaseModel):
    """A share link and its expiry time. Anyone who holds the link may read the pages."""

    url: str
    expires: str


@dataclass(frozen=True, slots=True)
class ShareLinkService:
    """Creates share links. ``pages_url``: base URL of the report pages."""

    campaigns: CampaignRepository
    workspaces: WorkspaceRepository
    share_signer: Callable[[], ShareSigner]
    pages_url: str

    def create_link(self, workspace: str, request: ShareRequest) -> ShareAnswer:
        """Create a share link.

        :raises NotFound: for an unknown campaign.
        :raises AlreadyExists: when the workspace's id belongs to another name.
        """
        self.workspaces.resolve_id(workspace)
        if request.campaign is not None:
            known = self.campaigns.get(derive_campaign_id(workspace, request.campaign))
            if known is None or (known.workspace, known.name) != (workspace, request.campaign):
                raise NotFound("campaign", request.campaign)
        self.workspaces.claim_id(workspace)
        signer = self.share_signer()
        token = signer.create_token(
            ShareScope(workspace, request.campaign, request.people), request.hours
        )
        return ShareAnswer(
            url=f"{self.pages_url}/reports/open/{token}",
            expires=format_rfc3339(signer.verify_token(token).expires),
        )
