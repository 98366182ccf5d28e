"""Authorize page requests by share cookies, and parse their query.

Opening a share link moves its token from the URL into a cookie, one for each scope. So the token is
in no Referer header, and a browser can use several share links at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Self
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field

from waypost.errors import InvalidRequest, ShareAccessDenied
from waypost.reports.schemas import SeriesStep
from waypost.reports.share_links import ShareGrant, ShareScope
from waypost.validation import validate_value

COOKIE_PREFIX: Final = "__Host-share-"
"""Browsers accept ``__Host-`` cookies only with Secure, and send them to this host only."""


@dataclass(frozen=True, slots=True)
class ShareAccess:
    """The share tokens of a request. ``verify_share``: ``ShareSignerSource.verify_token``."""

    cookies: Mapping[str, str]
    verify_share: Callable[[str], ShareGrant]

    def authorize(
        self, workspace: str, campaign: str | None = None, *, people: bool = False
    ) -> ShareScope:
        """Return the widest scope that includes a page of a campaign, or of the workspace (None).

        :raises ShareAccessDenied: with the first failed share's reason, such as expired; "none"
            without a share.
        """
        scopes: list[ShareScope] = []
        denials: list[ShareAccessDenied] = []
        for token in self._share_tokens(workspace, campaign):
            try:
                scope = self.verify_share(token).scope
            except ShareAccessDenied as e:
                denials.append(e)
                continue
            if scope.covers(workspace, campaign, people=people):
                scopes.append(scope)
            elif scope.covers(workspace, campaign, people=False):
                denials.append(ShareAccessDenied("people", "share link: does not show people"))
        if scopes:
            return max(scopes, key=lambda scope: (scope.people, scope.campaign is None))
        if denials:
            raise denials[0]
        raise ShareAccessDenied("none", "share link: missing; open the link that you received")

    def _share_tokens(self, workspace: str, campaign: str | None) -> Iterable[str]:
        scopes = [ShareScope(workspace, campaign), ShareScope(workspace)]
        names = dict.fromkeys(COOKIE_PREFIX + scope.scope_id for scope in scopes)
        return (self.cookies[name] for name in names if name in self.cookies)


def build_share_cookie(token: str, share: ShareGrant, now: datetime) -> str:
    """Build the cookie that stores an opened share until it expires.

    It is SameSite=Lax: with Strict, the first page after a click in a mail or chat would lack it.
    """
    seconds = max(0, int((share.expires - now).total_seconds()))
    attributes = f"Max-Age={seconds}; Path=/; Secure; HttpOnly; SameSite=Lax"
    return f"{COOKIE_PREFIX}{share.scope.scope_id}={token}; {attributes}"


def parse_cookies(event: Mapping[str, object]) -> dict[str, str]:
    """Parse the cookies of an API Gateway event."""
    cookies = event.get("cookies") or []
    pairs = (str(cookie).partition("=") for cookie in cookies) if isinstance(cookies, list) else ()
    return {name.strip(): value.strip() for name, _, value in pairs}


QueryName = Annotated[str, Field(min_length=1, max_length=255)]


class PageQuery(BaseModel):
    """The query of a page URL. Unknown keys are ignored, because mail senders add some."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    workspace: QueryName
    campaign: QueryName | None = None
    link: QueryName | None = None
    person: QueryName | None = None
    by: SeriesStep | None = None
    zone: Annotated[str, Field(max_length=100)] = "UTC"
    cursor: Annotated[str, Field(max_length=2_000)] | None = None
    images: bool = False

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Parse the query of a request. Raises InvalidRequest."""
        query = parse_qsl(str(event.get("rawQueryString", "")), keep_blank_values=False)
        return validate_value(cls, dict(query))

    @classmethod
    def scope_from_event(cls, event: Mapping[str, Any]) -> Self:
        """Parse only the workspace and campaign of a query. Raises InvalidRequest."""
        query = dict(parse_qsl(str(event.get("rawQueryString", ""))))
        return validate_value(
            cls, {k: v for k, v in query.items() if k in ("workspace", "campaign")}
        )

    def require(self, field: str) -> str:
        """Return a field that the page needs. Raises InvalidRequest if it is missing."""
        value = getattr(self, field)
        if value is None:
            raise InvalidRequest.from_field(field, "is missing")
        return str(value)
