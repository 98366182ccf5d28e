"""Handle page requests: open share links, authorize, render, and show errors as pages."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from waypost.errors import InvalidRequest, NotFound, ShareAccessDenied, WaypostError
from waypost.observability import create_logger, log_server_error
from waypost.reports.share_links import ShareGrant, ShareScope
from waypost.responses import Response, get_error_status
from waypost.web import views
from waypost.web.access import PageQuery, ShareAccess, build_share_cookie, parse_cookies
from waypost.web.rendering import build_page_url, render_page
from waypost.web.views import PageDependencies

_LOGGER: Final = create_logger("pages")

PAGE_VIEWS: Final[Mapping[str, Callable[[PageDependencies, ShareAccess, PageQuery], Response]]] = {
    "workspace": views.workspace_page,
    "campaign": views.campaign_page,
    "map": views.click_map_page,
    "message": views.message_frame,
    "link": views.link_page,
    "people.csv": views.people_csv_file,
    "people.ndjson": views.people_ndjson_file,
    "person": views.person_page,
    "domains": views.domains_page,
    "settings": views.settings_page,
}
_SHARE_PREFIX: Final = "open/"
_HINTS: Final = {
    "campaign": "Enter the name exactly as in the messages. A campaign appears with its first "
    "message.",
    "person": "Enter the name exactly as in the messages. This person has no opens or clicks, or "
    "they have expired.",
    "expired": "Share links are valid for a limited time. Ask the sender for a new one.",
    "tampered": "The link may be incomplete. If so, copy it again; if not, ask the sender for a "
    "new one.",
    "link": "The link may be incomplete. Find it among the links of its campaign.",
}


@dataclass(frozen=True, slots=True)
class PageService:
    """Serves pages. ``verify_share`` verifies a token; ``clock`` returns Unix seconds."""

    reports: PageDependencies
    verify_share: Callable[[str], ShareGrant]
    clock: Callable[[], float] = time.time

    def handle_request(self, event: Mapping[str, Any]) -> Response:
        """Return the requested page, or an error page."""
        try:
            return self._route_request(event, str(event["pathParameters"]["page"]))
        except WaypostError as error:
            return _error_page(error, self._find_scope(event, error))

    def _route_request(self, event: Mapping[str, Any], name: str) -> Response:
        if name.startswith(_SHARE_PREFIX):
            return self._open_share(name.removeprefix(_SHARE_PREFIX))
        view = PAGE_VIEWS.get(name)
        if view is None:
            raise NotFound("page", name)
        access = ShareAccess(parse_cookies(event), self.verify_share)
        return view(self.reports, access, PageQuery.from_event(event))

    def _find_scope(self, event: Mapping[str, Any], error: WaypostError) -> ShareScope | None:
        """Return the scope for the navigation of an error page, if the visitor has a share."""
        if not isinstance(error, NotFound | InvalidRequest):
            return None
        try:
            query = PageQuery.scope_from_event(event)
            access = ShareAccess(parse_cookies(event), self.verify_share)
            return access.authorize(query.workspace, query.campaign)
        except (InvalidRequest, ShareAccessDenied):
            return None

    def _open_share(self, token: str) -> Response:
        """Move a share token from the URL into a cookie, and redirect to its first page."""
        share = self.verify_share(token)
        scope = share.scope
        page = "workspace" if scope.campaign is None else "campaign"
        headers = {
            "location": build_page_url(page, workspace=scope.workspace, campaign=scope.campaign),
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
        }
        cookies = [build_share_cookie(token, share, datetime.fromtimestamp(self.clock(), UTC))]
        return Response(statusCode=303, headers=headers, body="", cookies=cookies)


def _get_hint_key(error: WaypostError) -> str:
    """Return the reason of a denied share, or the type of a missing resource."""
    if isinstance(error, ShareAccessDenied):
        return error.reason
    return error.resource_type if isinstance(error, NotFound) else ""


def _error_page(error: WaypostError, scope: ShareScope | None) -> Response:
    """Render an error with the API's status and text, and with navigation in the share's scope."""
    status, title = get_error_status(error)
    log_server_error(_LOGGER, status, error)
    text = str(error)
    page = render_page(
        "error.html",
        status,
        scope=scope,
        title=title,
        text=f"{text[:1].upper()}{text[1:]}.",
        hint=_HINTS.get(_get_hint_key(error), ""),
    )
    if status == 503:
        page["headers"]["retry-after"] = "5"
    return page
