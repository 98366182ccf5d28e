"""Who clicked a link, and what a person clicked.

The people of a link as a file: CSV (RFC 4180) or newline-delimited JSON.

A file is written page by page and holds whole segments of some 50,000 people. A larger one comes in
parts, each with the cursor of the next, since an answer of a function is bounded in size and time.
"""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, Protocol, TypeAlias

from waypost.bot_detection.scoring import Signal, mark_of, verdict
from waypost.errors import MalformedItem, NotFound
from waypost.ids import CampaignCode, LinkCode, WorkspaceCode, workspace_code, workspace_of
from waypost.models.attributes import from_milliseconds, rfc3339
from waypost.models.campaign import Campaign, Link
from waypost.models.click import Click
from waypost.models.recipient import LinkVisitor, Mark, Row, RowKey, Sheet, click_hash
from waypost.reports.campaigns import MOST_BYTES, bytes_of
from waypost.reports.schemas import Activity, ActivityClick, People, PersonClicks
from waypost.repositories.pagination import Page
from waypost.repositories.recipients import read_sheets, readable_of

MOST_PEOPLE: Final = 1_000
MOST_CLICKS: Final = 100

_LINK: Final = re.compile(r"[0-9a-f]{26}")


class Campaigns(Protocol):
    """What is read of campaigns (``waypost.repositories.campaigns``)."""

    def campaign(self, campaign: CampaignCode) -> Campaign | None: ...
    def find_links(self, codes: Collection[LinkCode]) -> dict[LinkCode, Link]: ...


class Recipients(Protocol):
    """What is read of recipients (``waypost.repositories.recipients``)."""

    def rows(self, keys: Collection[RowKey]) -> dict[RowKey, Row]: ...
    def sheets(self, keys: Collection[RowKey]) -> dict[RowKey, Sheet]: ...
    def of_link(self, link: LinkCode, *, cursor: str | None, limit: int) -> Page[LinkVisitor]: ...


class Clicks(Protocol):
    """What is read of the ledger (``waypost.repositories.clicks``)."""

    def of_person(
        self, workspace: WorkspaceCode, person: str, *, cursor: str | None, limit: int
    ) -> Page[Click]: ...


@dataclass(frozen=True, slots=True)
class PeopleReports:
    """Methods raise InvalidRequest for a cursor that no answer gave."""

    campaigns: Campaigns
    recipients: Recipients
    clicks: Clicks
    clock: Callable[[], float] = time.time
    """Seconds since 1970."""

    def link(self, workspace: str, link: str) -> Link:
        """A link of the workspace by its code. Raises NotFound."""
        code = LinkCode(link)
        if not _LINK.fullmatch(link) or workspace_of(code) != workspace_code(workspace):
            raise NotFound("link", link)
        found = self.campaigns.find_links([code]).get(code)
        if found is None:
            raise NotFound("link", link)
        return found

    def of_link(self, workspace: str, link: str, cursor: str | None, limit: int) -> People:
        """Some of the people who clicked a link, in no particular order. Raises NotFound."""
        known = self.link(workspace, link)
        page = self.recipients.of_link(known.code, cursor=cursor, limit=limit)
        return People(people=[_visitor(visitor) for visitor in page.items], cursor=page.cursor)

    def activity(self, workspace: str, person: str, cursor: str | None, limit: int) -> Activity:
        """Some of a person's clicks, newest first: up to ``limit``, and as many as an answer has
        room for. Opens, which the ledger has among them, are left out, and so is what has expired,
        which it has for some days more. Raises NotFound for who neither clicked nor opened.
        """
        found = self._activity(workspace, person, cursor, limit)
        while limit > 1 and bytes_of(found) > MOST_BYTES:
            limit //= 2
            found = self._activity(workspace, person, cursor, limit)
        return found

    def _activity(self, workspace: str, person: str, cursor: str | None, limit: int) -> Activity:
        page = self.clicks.of_person(workspace_code(workspace), person, cursor=cursor, limit=limit)
        if cursor is None and not page.items and not page.unread:
            raise NotFound("person", person)
        now = self.clock()
        kept = [click for click in page.items if click.expires > now]
        clicks = [click for click in kept if click.metric == "clicked"]
        return Activity(clicks=self._told(clicks), cursor=page.cursor)

    def _told(self, clicks: Sequence[Click]) -> list[ActivityClick]:
        links = self.campaigns.find_links({click.link for click in clicks})
        names = {code: self._name(code) for code in {click.campaign for click in clicks}}
        marks = self._marks(clicks)
        return [
            _click(click, names[click.campaign], links.get(click.link), marks.get(click.id))
            for click in clicks
        ]

    def _name(self, campaign: CampaignCode) -> str:
        try:
            known = self.campaigns.campaign(campaign)
        except MalformedItem:  # told by the store; the person's other clicks are not its
            known = None
        return known.name if known else campaign

    def _marks(self, clicks: Sequence[Click]) -> Mapping[str, Mark]:
        """The clicks as they were counted, which later ones may have changed; by their ids."""
        ids = {click_hash(click.id): click.id for click in clicks}
        wanted = {RowKey(click.campaign, click.recipient) for click in clicks}
        rows = readable_of(self.recipients.rows, wanted)
        marks = {m.id: m for row in rows.values() for m in row.marks if m.id in ids}
        keys = {
            RowKey(click.campaign, click.recipient, mark_of(click).sheet)
            for click in clicks
            if click_hash(click.id) not in marks
        }
        sheets = readable_of(partial(read_sheets, self.recipients), keys)
        for sheet in sheets.values():
            marks |= {m.id: m for m in sheet.marks if m.id in ids}
        return {ids[hashed]: mark for hashed, mark in marks.items()}


def _visitor(visitor: LinkVisitor) -> PersonClicks:
    return PersonClicks(
        person=visitor.person,
        first=rfc3339(from_milliseconds(visitor.first)),
        last=rfc3339(from_milliseconds(visitor.last)),
        clicks=visitor.clicks,
    )


def _click(click: Click, campaign: str, link: Link | None, counted: Mark | None) -> ActivityClick:
    mark = counted or mark_of(click)
    judged = verdict(Signal(mark.signals), machine=mark.machine)
    return ActivityClick(
        id=click.id,
        time=rfc3339(click.time),
        campaign=campaign,
        link=click.link,
        tag=link.definition.tag if link else None,
        url=link.definition.url if link else click.href,
        href=click.href,
        position=click.position,
        delivery=click.delivery,
        agent=click.agent,
        ip=click.ip,
        country=click.country,
        verdict=judged.kind,
        reasons=list(judged.reasons),
    )


Format: TypeAlias = Literal["csv", "ndjson"]

PART_BYTES: Final = 4_000_000
"""As JSON, in which a function answers: 6 MB at most, and a page comes on top."""
PART_SECONDS: Final = 15

TYPES: Final[Mapping[Format, str]] = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
}
_COLUMNS: Final = tuple(PersonClicks.model_fields)


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or a part of it. ``cursor`` asks for the next one, None at the end."""

    text: str
    cursor: str | None


class Listed(Protocol):
    """Who clicked a link, page by page (``waypost.reports.people``)."""

    def of_link(self, workspace: str, link: str, cursor: str | None, limit: int) -> People: ...


@dataclass(frozen=True, slots=True)
class Segments:
    """``now`` is a monotonic clock in seconds."""

    people: Listed
    now: Callable[[], float]

    def part(self, workspace: str, link: str, written: Format, cursor: str | None) -> Part:
        """The file from a cursor on. Raises NotFound, InvalidRequest."""
        deadline = self.now() + PART_SECONDS
        texts = [_csv([_COLUMNS])] if written == "csv" and cursor is None else []
        size = 0
        while True:
            page = self.people.of_link(workspace, link, cursor, MOST_PEOPLE)
            texts.append(_written(page.people, written))
            size += len(json.dumps(texts[-1], ensure_ascii=False).encode())
            cursor = page.cursor
            if cursor is None or size >= PART_BYTES or self.now() >= deadline:
                return Part("".join(texts), cursor)


def _written(people: Iterable[PersonClicks], written: Format) -> str:
    if written == "csv":
        return _csv(person.model_dump().values() for person in people)
    return "".join(f"{person.model_dump_json()}\n" for person in people)


def _csv(rows: Iterable[Iterable[object]]) -> str:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    return file.getvalue()
