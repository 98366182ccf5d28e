"""What reports of people answer with. Times are UTC in RFC 3339."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from waypost.reports.schemas import Count


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
