"""Response models of reports, which are also the schemas of the API's OpenAPI document.

Times are UTC in RFC 3339, except in a series, which has a time zone. Shares are between 0 and 1.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, Field

Ratio: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Count: TypeAlias = Annotated[int, Field(ge=0)]
SeriesStep: TypeAlias = Literal["hour", "day"]
Grouping: TypeAlias = Literal["link", "tag", "url"]


class ClickFigures(BaseModel):
    """Clicks of a campaign. ``human`` and ``machine`` (bots) add up to ``total``.

    ``unique``: people who clicked; ``unique_human``: people with a human click.
    """

    total: Count
    unique: Count
    human: Count
    machine: Count
    unique_human: Count


class OpenFigures(BaseModel):
    """Opens of a campaign, counted by its pixel."""

    total: Count
    human: Count
    machine: Count


class LinkFigures(BaseModel):
    """Clicks of a link. ``unique``: people who clicked it; ``share``: of all campaign clicks."""

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
    """The main figures of a campaign, as in ``CampaignReport``. ``clicks``: total clicks."""

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
    """A page of campaigns, newest first by ``first_seen``.

    ``cursor`` requests the next page; null on the last page.
    """

    campaigns: list[CampaignHeadline]
    cursor: str | None


class CampaignReport(BaseModel):
    """A campaign's figures. Shares are parts of all deliveries.

    ``clicked``: deliveries with a click; ``opened``: deliveries with an open or a click, because
    a click implies an open.
    ``links``: the 1,000 most clicked links, fewer if URLs are very long; ``more_links``: number of
    links omitted.
    ``probably_shared``: deliveries that several people seem to have read; ``unique`` may be too low
    by this number.
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
    """Clicks of a group of links.

    ``unique`` is null if the group has several links: a person who clicked two of them would count
    twice.
    """

    name: str
    links: list[str]
    total: Count
    unique: Count | None
    human: Count
    machine: Count
    share: Ratio


class TopLinks(BaseModel):
    """Links, or groups of links, most clicked first."""

    campaign: str
    by: Grouping
    links: list[GroupFigures]


class Point(BaseModel):
    """Clicks and opens of the hour or day from ``start``, a local time with its UTC offset."""

    start: str
    total: Count
    human: Count
    machine: Count
    opens: Count


class Series(BaseModel):
    """Clicks over time, without gaps.

    Clicks are counted by UTC hour. If a zone's offset includes half an hour, an hour belongs to the
    day in which it starts.
    """

    campaign: str
    zone: str
    by: SeriesStep
    points: list[Point]


class PersonClicks(BaseModel):
    """A person who clicked a link; ``person`` is null if unknown, opted out or erased."""

    person: str | None
    first: str
    last: str
    clicks: Count


class People(BaseModel):
    """A page of people; ``cursor`` requests the next page and is null on the last page."""

    people: list[PersonClicks]
    cursor: str | None


class ActivityClick(BaseModel):
    """A click of a person. ``url``: the link's URL in the template; ``href``: the destination."""

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
    """A page of a person's clicks, newest first; ``cursor`` as in ``People``."""

    clicks: list[ActivityClick]
    cursor: str | None
