"""A request for a page, from its address to the answer: found, let in, shown, or told why not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from waypost.api.dependencies import Services
from waypost.errors import InvalidRequest, NotFound, NotShared, WaypostError
from waypost.reports.share_links import Scope, Share
from waypost.responses import Response, status_of
from waypost.web import views
from waypost.web import views as campaign_views
from waypost.web.access import Access, Asked, cookie, read_cookies
from waypost.web.rendering import address, page
from waypost.web.views import Reports

_PAGES: Final[Mapping[str, Callable[[Reports, Access, Asked], Response]]] = {
    "workspace": views.workspace,
    "campaign": campaign_views.campaign,
    "map": campaign_views.click_map,
    "message": campaign_views.message,
    "link": campaign_views.link,
    "people.csv": campaign_views.people_as_csv,
    "people.ndjson": campaign_views.people_as_ndjson,
    "person": views.person,
    "domains": views.domains,
    "settings": views.settings,
}
_OPEN: Final = "open/"
_HINTS: Final = {
    "campaign": "Names are written exactly as in the messages; a campaign is there from its first "
    "message on.",
    "person": "Names are written exactly as in the messages. Nobody of this one has opened or "
    "clicked anything, or it was too long ago to be kept.",
    "expired": "Share links last for a time. Ask who gave it to you for a new one.",
    "tampered": "It may have been copied incompletely. Else ask who gave it to you for a new one.",
    "link": "It may have been copied incompletely: find it among the links of its campaign.",
}


def visits_of(services: Services) -> Visits:
    """Visits to the pages of a stack."""
    reports = Reports(
        campaigns=services.campaigns,
        people=services.people,
        messages=services.messages,
        configuration=services.configuration,
        domains=services.domains,
    )
    return Visits(reports, services.opened, services.clock)


@dataclass(frozen=True, slots=True)
class Visits:
    """``opened`` reads a share's token. Raises NotShared. ``clock`` gives seconds since 1970."""

    reports: Reports
    opened: Callable[[str], Share]
    clock: Callable[[], float] = time.time

    def answer(self, event: Mapping[str, Any]) -> Response:
        """The page that a request asks for, or a page that says what is wrong."""
        try:
            return self._answer(event, str(event["pathParameters"]["page"]))
        except WaypostError as error:
            return _wrong(error, self._still_open(event, error))

    def _answer(self, event: Mapping[str, Any], name: str) -> Response:
        if name.startswith(_OPEN):
            return self._open(name.removeprefix(_OPEN))
        shown = _PAGES.get(name)
        if shown is None:
            raise NotFound("page", name)
        access = Access(read_cookies(event), self.opened)
        return shown(self.reports, access, Asked.of(event))

    def _still_open(self, event: Mapping[str, Any], error: WaypostError) -> Scope | None:
        """What else is shared with who asked for something that is not there, or not like that."""
        if not isinstance(error, NotFound | InvalidRequest):
            return None
        try:
            asked = Asked.whereabouts(event)
            return Access(read_cookies(event), self.opened).to(asked.workspace, asked.campaign)
        except (InvalidRequest, NotShared):
            return None

    def _open(self, token: str) -> Response:
        """Move a share from the address into a cookie, and go on to the page that it shows."""
        share = self.opened(token)
        scope = share.scope
        first = "workspace" if scope.campaign is None else "campaign"
        headers = {
            "location": address(first, workspace=scope.workspace, campaign=scope.campaign),
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
        }
        cookies = [cookie(token, share, datetime.fromtimestamp(self.clock(), UTC))]
        return Response(statusCode=303, headers=headers, body="", cookies=cookies)


def _what(error: WaypostError) -> str:
    """What was not found, or why a share does not hold."""
    if isinstance(error, NotShared):
        return error.reason
    return error.kind if isinstance(error, NotFound) else ""


def _wrong(error: WaypostError, scope: Scope | None) -> Response:
    """What is wrong, in the words and with the status that the API has for it; with the way back to
    what the visitor may see.
    """
    status, title = status_of(error)
    text = str(error)
    told = page(
        "error.html",
        status,
        scope=scope,
        title=title,
        text=f"{text[:1].upper()}{text[1:]}.",
        hint=_HINTS.get(_what(error), ""),
    )
    if status == 503:
        told["headers"]["retry-after"] = "5"
    return told
