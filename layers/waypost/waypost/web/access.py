"""Whose share link a request carries, and whether it covers the page asked for.

A share link is opened once: its token moves into a cookie, one for each scope, and out of the
address. So it stands in no Referer, and several links can be used side by side.

What a request for a page asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Self
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field

from waypost.errors import InvalidRequest, ShareAccessDenied
from waypost.ids import derive_campaign_id, derive_workspace_id
from waypost.reports.schemas import SeriesStep
from waypost.reports.share_links import ShareGrant, ShareScope
from waypost.validation import validate_value

COOKIE_PREFIX: Final = "__Host-share-"
"""Browsers take such a cookie only with Secure, for the whole of one host and for no other."""


@dataclass(frozen=True, slots=True)
class ShareAccess:
    """What a visitor may see. ``opened`` reads a token (``Sharer.opened`` does)."""

    cookies: Mapping[str, str]
    verify_share: Callable[[str], ShareGrant]

    def authorize(
        self, workspace: str, campaign: str | None = None, *, people: bool = False
    ) -> ShareScope:
        """The widest scope that covers a page of a campaign, or of the workspace as a whole.

        Raises NotShared with the most telling reason: a share that expired rather than none.
        """
        covering: list[ShareScope] = []
        refused: list[ShareAccessDenied] = []
        for token in self._share_tokens(workspace, campaign):
            try:
                scope = self.verify_share(token).scope
            except ShareAccessDenied as e:
                refused.append(e)
                continue
            if scope.covers(workspace, campaign, people=people):
                covering.append(scope)
            elif scope.covers(workspace, campaign, people=False):
                refused.append(ShareAccessDenied("people", "the share link does not name people"))
        if covering:
            return max(covering, key=lambda scope: (scope.people, scope.campaign is None))
        if refused:
            raise refused[0]
        raise ShareAccessDenied("none", "open the share link that you were given")

    def _share_tokens(self, workspace: str, campaign: str | None) -> Iterable[str]:
        codes: list[str] = [derive_workspace_id(workspace)]
        if campaign is not None:
            codes.insert(0, derive_campaign_id(workspace, campaign))
        return (
            self.cookies[name] for code in codes if (name := COOKIE_PREFIX + code) in self.cookies
        )


def build_share_cookie(token: str, share: ShareGrant, now: datetime) -> str:
    """The cookie that remembers an opened share until it expires.

    Lax, not Strict: the link is followed from a mail or a chat, and the page after it needs it.
    """
    seconds = max(0, int((share.expires - now).total_seconds()))
    attributes = f"Max-Age={seconds}; Path=/; Secure; HttpOnly; SameSite=Lax"
    return f"{COOKIE_PREFIX}{share.scope.scope_id}={token}; {attributes}"


def parse_cookies(event: Mapping[str, object]) -> dict[str, str]:
    """The cookies of a request, as API Gateway lists them."""
    listed = event.get("cookies") or []
    pairs = (str(pair).partition("=") for pair in listed) if isinstance(listed, list) else ()
    return {name.strip(): value.strip() for name, _, value in pairs}


QueryName = Annotated[str, Field(min_length=1, max_length=255)]


class PageQuery(BaseModel):
    """The query of a page's address. Keys that no page knows are ignored: mailers add some."""

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
        """Read the query of a request. Raises InvalidRequest."""
        query = parse_qsl(str(event.get("rawQueryString", "")), keep_blank_values=False)
        return validate_value(cls, dict(query))

    @classmethod
    def scope_from_event(cls, event: Mapping[str, Any]) -> Self:
        """Of a query, only whose page it asks for. Raises InvalidRequest."""
        query = dict(parse_qsl(str(event.get("rawQueryString", ""))))
        return validate_value(
            cls, {k: v for k, v in query.items() if k in ("workspace", "campaign")}
        )

    def require(self, field: str) -> str:
        """A name that the page cannot do without. Raises InvalidRequest where it is missing."""
        value = getattr(self, field)
        if value is None:
            raise InvalidRequest.from_field(field, "is missing")
        return str(value)
