"""What reports of campaigns answer with. The API writes it as JSON and is described by it.

Times are UTC in RFC 3339 where no zone was asked for. Shares are between 0 and 1.

What reports of people answer with. Times are UTC in RFC 3339.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, Field

Ratio: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Count: TypeAlias = Annotated[int, Field(ge=0)]
SeriesStep: TypeAlias = Literal["hour", "day"]
Grouping: TypeAlias = Literal["link", "tag", "url"]


class ClickFigures(BaseModel):
    """Clicks of a campaign. ``unique``: people who clicked. ``human`` and ``machine`` add up to
    ``total``; ``unique_human``: people with a click that was judged human.
    """

    total: Count
    unique: Count
    human: Count
    machine: Count
    unique_human: Count


class OpenFigures(BaseModel):
    """Opens of a campaign, as its pixel counted them."""

    total: Count
    human: Count
    machine: Count


class LinkFigures(BaseModel):
    """Clicks of a link. ``unique``: people who clicked it. ``share``: of the campaign's clicks."""

    link: str
    url: str
    tag: str | None
    position: int
    total: Count
    unique: Count
    human: Count
    machine: Count
    share: Ratio


class CampaignHeadline(BaseModel):
    """A campaign in few figures, each as ``CampaignReport`` has it. ``clicks``: their total."""

    campaign: str
    kind: str
    channel: str
    first_seen: str
    deliveries: Count
    opened: Count
    opened_share: Ratio
    clicked: Count
    clicked_share: Ratio
    clicks: Count


class CampaignList(BaseModel):
    """Some of a workspace's campaigns, newest first by ``first_seen``; ``cursor`` asks for those
    that follow, and is null at the end.
    """

    campaigns: list[CampaignHeadline]
    cursor: str | None


class CampaignReport(BaseModel):
    """A campaign. ``clicked``: deliveries with a click; ``clicked_share``: of all deliveries.
    ``opened``: deliveries with an open or a click, since who clicks has opened.

    ``links`` are the 1,000 most clicked at most, fewer where URLs are very long, and ``more_links``
    how many are left out.
    ``probably_shared`` counts deliveries that several people seem to have read, so that ``unique``
    may be low by as many.
    """

    campaign: str
    kind: str
    channel: str
    first_seen: str
    deliveries: Count
    clicked: Count
    clicked_share: Ratio
    clicked_human: Count
    opened: Count
    opened_share: Ratio
    opened_human: Count
    probably_shared: Count
    clicks: ClickFigures
    opens: OpenFigures
    links: list[LinkFigures]
    more_links: Count


class GroupFigures(BaseModel):
    """Clicks of links that belong together. ``unique`` is null where several links do: someone who
    clicked two of them would count twice.
    """

    name: str
    links: list[str]
    total: Count
    unique: Count | None
    human: Count
    machine: Count
    share: Ratio


class TopLinks(BaseModel):
    """Most clicked first."""

    campaign: str
    by: Grouping
    links: list[GroupFigures]


class Point(BaseModel):
    """Clicks, and opens beside them, from ``start`` on: local time with its offset from UTC."""

    start: str
    total: Count
    human: Count
    machine: Count
    opens: Count


class Series(BaseModel):
    """Clicks over time, without gaps. Clicks are counted by hours of UTC: where a zone is off by
    half an hour, an hour belongs to the day in which it starts.
    """

    campaign: str
    zone: str
    by: SeriesStep
    points: list[Point]


class PersonClicks(BaseModel):
    """Somebody who clicked a link; ``person`` is null where nobody knows or may tell who."""

    person: str | None
    first: str
    last: str
    clicks: Count


class People(BaseModel):
    """Some of the people; ``cursor`` asks for those that follow, and is null at the end."""

    people: list[PersonClicks]
    cursor: str | None


class ActivityClick(BaseModel):
    """A click of a person. ``url`` is the link's as the template has it, ``href`` where it led."""

    id: str
    time: str
    campaign: str
    link: str
    tag: str | None
    url: str
    href: str
    position: int
    delivery: str
    agent: str
    ip: str | None
    country: str | None
    verdict: Literal["human", "machine"]
    reasons: list[str]


class Activity(BaseModel):
    """Some of a person's clicks, newest first; ``cursor`` as in ``People``."""

    clicks: list[ActivityClick]
    cursor: str | None
