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

from waypost.errors import InvalidRequest, NotShared
from waypost.ids import campaign_code, workspace_code
from waypost.reports.schemas import Step
from waypost.reports.share_links import Scope, Share
from waypost.validation import checked

PREFIX: Final = "__Host-share-"
"""Browsers take such a cookie only with Secure, for the whole of one host and for no other."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a visitor may see. ``opened`` reads a token (``Sharer.opened`` does)."""

    cookies: Mapping[str, str]
    opened: Callable[[str], Share]

    def to(self, workspace: str, campaign: str | None = None, *, people: bool = False) -> Scope:
        """The widest scope that covers a page of a campaign, or of the workspace as a whole.

        Raises NotShared with the most telling reason: a share that expired rather than none.
        """
        covering: list[Scope] = []
        refused: list[NotShared] = []
        for token in self._tokens(workspace, campaign):
            try:
                scope = self.opened(token).scope
            except NotShared as e:
                refused.append(e)
                continue
            if scope.covers(workspace, campaign, people=people):
                covering.append(scope)
            elif scope.covers(workspace, campaign, people=False):
                refused.append(NotShared("people", "the share link does not name people"))
        if covering:
            return max(covering, key=lambda scope: (scope.people, scope.campaign is None))
        if refused:
            raise refused[0]
        raise NotShared("none", "open the share link that you were given")

    def _tokens(self, workspace: str, campaign: str | None) -> Iterable[str]:
        codes: list[str] = [workspace_code(workspace)]
        if campaign is not None:
            codes.insert(0, campaign_code(workspace, campaign))
        return (self.cookies[name] for code in codes if (name := PREFIX + code) in self.cookies)


def cookie(token: str, share: Share, now: datetime) -> str:
    """The cookie that remembers an opened share until it expires.

    Lax, not Strict: the link is followed from a mail or a chat, and the page after it needs it.
    """
    seconds = max(0, int((share.expires - now).total_seconds()))
    attributes = f"Max-Age={seconds}; Path=/; Secure; HttpOnly; SameSite=Lax"
    return f"{PREFIX}{share.scope.code}={token}; {attributes}"


def read_cookies(event: Mapping[str, object]) -> dict[str, str]:
    """The cookies of a request, as API Gateway lists them."""
    listed = event.get("cookies") or []
    pairs = (str(pair).partition("=") for pair in listed) if isinstance(listed, list) else ()
    return {name.strip(): value.strip() for name, _, value in pairs}


Name = Annotated[str, Field(min_length=1, max_length=255)]


class Asked(BaseModel):
    """The query of a page's address. Keys that no page knows are ignored: mailers add some."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    workspace: Name
    campaign: Name | None = None
    link: Name | None = None
    person: Name | None = None
    by: Step | None = None
    zone: Annotated[str, Field(max_length=100)] = "UTC"
    cursor: Annotated[str, Field(max_length=2_000)] | None = None
    images: bool = False

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """Read the query of a request. Raises InvalidRequest."""
        query = parse_qsl(str(event.get("rawQueryString", "")), keep_blank_values=False)
        return checked(cls, dict(query))

    @classmethod
    def whereabouts(cls, event: Mapping[str, Any]) -> Self:
        """Of a query, only whose page it asks for. Raises InvalidRequest."""
        query = dict(parse_qsl(str(event.get("rawQueryString", ""))))
        return checked(cls, {k: v for k, v in query.items() if k in ("workspace", "campaign")})

    def named(self, field: str) -> str:
        """A name that the page cannot do without. Raises InvalidRequest where it is missing."""
        value = getattr(self, field)
        if value is None:
            raise InvalidRequest.of(field, "is missing")
        return str(value)
