"""A signed token and a request, made into the click that is kept."""

from __future__ import annotations

from datetime import timedelta

from waypost.clicks.request import Request, kept_address
from waypost.ids import opens_code
from waypost.models.attributes import from_milliseconds
from waypost.models.click import AGENT_LIMIT, HREF_LIMIT, Click
from waypost.models.workspace import WorkspaceSettings
from waypost.tokens import ClickToken, OpenToken


def click_of(
    token: ClickToken,
    href: str,
    request: Request,
    settings: WorkspaceSettings,
    retention_days: int,
) -> Click:
    """The click that a request is, with nothing in it that the workspace does not keep."""
    time_ = from_milliseconds(request.time)
    kept = timedelta(days=settings.retention_days or retention_days)
    return Click(
        id=request.id,
        time=time_,
        link=token.link,
        position=token.position,
        delivery=token.delivery,
        person=token.person,
        href=href[:HREF_LIMIT],
        agent=request.agent[:AGENT_LIMIT],
        ip=kept_address(request.address, settings.ip),
        country=request.country,
        asn=request.asn,
        sent=token.sent,
        expires=int((time_ + kept).timestamp()),
    )


def as_click(token: OpenToken) -> ClickToken:
    """An open as the click of no link that it is kept as."""
    link = opens_code(token.campaign)
    return ClickToken(link, token.delivery, token.person, position=0, sent=token.sent, href="")
