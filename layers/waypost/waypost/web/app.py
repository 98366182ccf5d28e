"""A request for a page, from its address to the answer: found, let in, shown, or told why not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from waypost.errors import InvalidRequest, NotFound, ShareAccessDenied, WaypostError
from waypost.reports.share_links import ShareGrant, ShareScope
from waypost.responses import Response, get_error_status
from waypost.web import views
from waypost.web import views as campaign_views
from waypost.web.access import PageQuery, ShareAccess, build_share_cookie, parse_cookies
from waypost.web.rendering import build_page_url, render_page
from waypost.web.views import PageDependencies

_PAGE_VIEWS: Final[Mapping[str, Callable[[PageDependencies, ShareAccess, PageQuery], Response]]] = {
    "workspace": views.workspace_page,
    "campaign": campaign_views.campaign_page,
    "map": campaign_views.click_map_page,
    "message": campaign_views.message_frame,
    "link": campaign_views.link_page,
    "people.csv": campaign_views.people_csv_file,
    "people.ndjson": campaign_views.people_ndjson_file,
    "person": views.person_page,
    "domains": views.domains_page,
    "settings": views.settings_page,
}
_SHARE_PREFIX: Final = "open/"
_HINTS: Final = {
    "campaign": "Names are written exactly as in the messages; a campaign is there from its first "
    "message on.",
    "person": "Names are written exactly as in the messages. Nobody of this one has opened or "
    "clicked anything, or it was too long ago to be kept.",
    "expired": "Share links last for a time. Ask who gave it to you for a new one.",
    "tampered": "It may have been copied incompletely. Else ask who gave it to you for a new one.",
    "link": "It may have been copied incompletely: find it among the links of its campaign.",
}


@dataclass(frozen=True, slots=True)
class PageService:
    """``opened`` reads a share's token. Raises NotShared. ``clock`` gives seconds since 1970."""

    reports: PageDependencies
    verify_share: Callable[[str], ShareGrant]
    clock: Callable[[], float] = time.time

    def handle_request(self, event: Mapping[str, Any]) -> Response:
        """The page that a request asks for, or a page that says what is wrong."""
        try:
            return self._route_request(event, str(event["pathParameters"]["page"]))
        except WaypostError as error:
            return _error_page(error, self._find_scope(event, error))

    def _route_request(self, event: Mapping[str, Any], name: str) -> Response:
        if name.startswith(_SHARE_PREFIX):
            return self._open_share(name.removeprefix(_SHARE_PREFIX))
        shown = _PAGE_VIEWS.get(name)
        if shown is None:
            raise NotFound("page", name)
        access = ShareAccess(parse_cookies(event), self.verify_share)
        return shown(self.reports, access, PageQuery.from_event(event))

    def _find_scope(self, event: Mapping[str, Any], error: WaypostError) -> ShareScope | None:
        """What else is shared with who asked for something that is not there, or not like that."""
        if not isinstance(error, NotFound | InvalidRequest):
            return None
        try:
            asked = PageQuery.scope_from_event(event)
            return ShareAccess(parse_cookies(event), self.verify_share).authorize(
                asked.workspace, asked.campaign
            )
        except (InvalidRequest, ShareAccessDenied):
            return None

    def _open_share(self, token: str) -> Response:
        """Move a share from the address into a cookie, and go on to the page that it shows."""
        share = self.verify_share(token)
        scope = share.scope
        first = "workspace" if scope.campaign is None else "campaign"
        headers = {
            "location": build_page_url(first, workspace=scope.workspace, campaign=scope.campaign),
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
        }
        cookies = [build_share_cookie(token, share, datetime.fromtimestamp(self.clock(), UTC))]
        return Response(statusCode=303, headers=headers, body="", cookies=cookies)


def _hint_key(error: WaypostError) -> str:
    """What was not found, or why a share does not hold."""
    if isinstance(error, ShareAccessDenied):
        return error.reason
    return error.resource_type if isinstance(error, NotFound) else ""


def _error_page(error: WaypostError, scope: ShareScope | None) -> Response:
    """What is wrong, in the words and with the status that the API has for it; with the way back to
    what the visitor may see.
    """
    status, title = get_error_status(error)
    text = str(error)
    told = render_page(
        "error.html",
        status,
        scope=scope,
        title=title,
        text=f"{text[:1].upper()}{text[1:]}.",
        hint=_HINTS.get(_hint_key(error), ""),
    )
    if status == 503:
        told["headers"]["retry-after"] = "5"
    return told
