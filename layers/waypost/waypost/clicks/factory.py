"""A signed token and a request, made into the click that is kept."""

from __future__ import annotations

from datetime import timedelta

from waypost.clicks.request import ClickRequest, truncate_address
from waypost.ids import derive_open_id
from waypost.models.attributes import from_milliseconds
from waypost.models.click import MAX_AGENT_CHARACTERS, MAX_HREF_CHARACTERS, Click
from waypost.models.workspace import WorkspaceSettings
from waypost.tokens import ClickToken, OpenToken


def build_click(
    token: ClickToken,
    href: str,
    request: ClickRequest,
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
        href=href[:MAX_HREF_CHARACTERS],
        agent=request.agent[:MAX_AGENT_CHARACTERS],
        ip=truncate_address(request.address, settings.ip),
        country=request.country,
        asn=request.asn,
        sent=token.sent,
        expires=int((time_ + kept).timestamp()),
    )


def to_click_token(token: OpenToken) -> ClickToken:
    """An open as the click of no link that it is kept as."""
    link = derive_open_id(token.campaign)
    return ClickToken(link, token.delivery, token.person, position=0, sent=token.sent, href="")
