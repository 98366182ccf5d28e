"""Who may look at report pages: whoever holds a share link, which says what it shows and until
when.

A share is signed and dated by itsdangerous and stored nowhere. It shows one campaign or a whole
workspace, never changes anything, and names people only where it was made to. Only the newest key
of the keyring counts, unlike for tracking links: rotating the keys revokes every share.
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
from waypost.models.campaign import Campaign
from waypost.tokens.signer import Keyring

SHARE_SALT: Final = "waypost.share"
MAX_SHARE_HOURS: Final = 90 * 24
_TOKEN_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class ShareScope:
    """What a share shows: one campaign, or with none the whole workspace. ``people``: also who."""

    workspace: str
    campaign: str | None = None
    people: bool = False

    @property
    def scope_id(self) -> WorkspaceId | CampaignId:
        """Names the scope in few characters."""
        if self.campaign is None:
            return derive_workspace_id(self.workspace)
        return derive_campaign_id(self.workspace, self.campaign)

    def covers(self, workspace: str, campaign: str | None, *, people: bool) -> bool:
        """Whether a page of this campaign, or of the workspace as a whole, may be shown."""
        return (
            self.workspace == workspace
            and self.campaign in (None, campaign)
            and (self.people or not people)
        )


@dataclass(frozen=True, slots=True)
class ShareGrant:
    """A scope that somebody was given, until when."""

    scope: ShareScope
    expires: datetime


class _ClockedSigner(TimestampSigner):
    """Dates by a given clock."""

    def __init__(self, *keys: Any, now: Callable[[], datetime], **options: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*keys, **options)
        self._now = now

    def get_timestamp(self) -> int:
        return int(self._now().timestamp())


class ShareSigner:
    """Makes and reads the tokens of share links, under one keyring."""

    def __init__(self, keyring: Keyring, now: Callable[[], datetime]) -> None:
        self._now = now
        self._serializer = URLSafeTimedSerializer(
            keyring.keys[-1],
            salt=SHARE_SALT.encode(),
            signer=_ClockedSigner,
            signer_kwargs={"now": now, "key_derivation": "hmac", "digest_method": sha256},
        )

    def create_token(self, scope: ShareScope, hours: int) -> str:
        """What a link to the pages of a scope carries, good for so many hours."""
        said = [_TOKEN_VERSION, scope.workspace, scope.campaign, scope.people, hours]
        return str(self._serializer.dumps(said))

    def verify_token(self, token: str) -> ShareGrant:
        """The share of a token. Raises NotShared, saying whether it is forged or has expired."""
        try:
            said, signed = self._serializer.loads(token, return_timestamp=True)
        except BadData as e:
            raise ShareAccessDenied(
                "tampered", "the link is not one of ours, or was revoked"
            ) from e
        scope, hours = _parse_payload(said)
        expires = signed.astimezone(UTC) + timedelta(hours=hours)
        if expires <= self._now():
            raise ShareAccessDenied("expired", f"the link expired on {expires:%d %b %Y, %H:%M} UTC")
        return ShareGrant(scope, expires)


class ReloadableKeyring(Protocol):
    """What is read of the keyring (``waypost.tokens.keyring.KeyringSource``)."""

    def get_keyring(self) -> Keyring: ...

    def reload_keyring(self) -> Keyring | None: ...


class ShareSignerSource:
    """Share signers under the current keyring. ``clock`` gives seconds since 1970."""

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
    """The scope and the hours of what was signed. Raises NotShared for what version 1 never signs:
    another release of ours did, and may have meant anything by it.
    """
    match payload:
        case [version, str(workspace), str() | None as campaign, bool(people), int(hours)] if (
            version == _TOKEN_VERSION and hours <= MAX_SHARE_HOURS
        ):
            return ShareScope(workspace, campaign, people), hours
    raise ShareAccessDenied("version", "the link is of a newer version")


class ShareRequest(BaseModel):
    """What is to be shared. Without a campaign it is the whole workspace; ``hours`` from now."""

    model_config = ConfigDict(extra="forbid", strict=True)

    campaign: str | None = Field(default=None, min_length=1, max_length=255)
    hours: int = Field(default=72, ge=1, le=MAX_SHARE_HOURS)
    people: bool = False


class ShareAnswer(BaseModel):
    """A share link and when it expires. Who holds the link may look."""

    url: str
    expires: str


class CampaignLookup(Protocol):
    """What is read of campaigns (``waypost.repositories.campaigns``)."""

    def get(self, campaign: CampaignId) -> Campaign | None: ...


@dataclass(frozen=True, slots=True)
class ShareLinkService:
    """Hands out share links. ``pages_url``: where the report pages are."""

    campaigns: CampaignLookup
    share_signer: Callable[[], ShareSigner]
    pages_url: str

    def create_link(self, workspace: str, request: ShareRequest) -> ShareAnswer:
        """A link for whoever is to look. Raises NotFound for an unknown campaign."""
        if request.campaign is not None:
            known = self.campaigns.get(derive_campaign_id(workspace, request.campaign))
            if known is None or known.name != request.campaign:
                raise NotFound("campaign", request.campaign)
        sharer = self.share_signer()
        token = sharer.create_token(
            ShareScope(workspace, request.campaign, request.people), request.hours
        )
        return ShareAnswer(
            url=f"{self.pages_url}/reports/open/{token}",
            expires=format_rfc3339(sharer.verify_token(token).expires),
        )
