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

from waypost.bot_detection.scoring import BotSignal, build_verdict, classify_click
from waypost.errors import CorruptItem, NotFound
from waypost.ids import CampaignId, LinkId, WorkspaceId, derive_workspace_id, extract_workspace_id
from waypost.models.attributes import format_rfc3339, from_milliseconds
from waypost.models.campaign import Campaign, Link
from waypost.models.click import Click
from waypost.models.recipient import (
    CountedClick,
    LinkVisitor,
    OverflowItem,
    RecipientKey,
    RecipientRow,
    click_hash,
)
from waypost.reports.campaigns import MAX_RESPONSE_BYTES, measure_response_bytes
from waypost.reports.schemas import Activity, ActivityClick, People, PersonClicks
from waypost.repositories.pagination import Page
from waypost.repositories.recipients import load_overflow_items, load_readable

MAX_PEOPLE: Final = 1_000
MAX_ACTIVITY_CLICKS: Final = 100

_LINK_ID: Final = re.compile(r"[0-9a-f]{26}")


class CampaignLinkReader(Protocol):
    """What is read of campaigns (``waypost.repositories.campaigns``)."""

    def get(self, campaign: CampaignId) -> Campaign | None: ...
    def find_links(self, link_ids: Collection[LinkId]) -> dict[LinkId, Link]: ...


class RecipientReader(Protocol):
    """What is read of recipients (``waypost.repositories.recipients``)."""

    def get_rows(self, keys: Collection[RecipientKey]) -> dict[RecipientKey, RecipientRow]: ...
    def get_overflow_items(
        self, keys: Collection[RecipientKey]
    ) -> dict[RecipientKey, OverflowItem]: ...
    def list_link_visitors(
        self, link: LinkId, *, cursor: str | None, limit: int
    ) -> Page[LinkVisitor]: ...


class PersonClickReader(Protocol):
    """What is read of the ledger (``waypost.repositories.clicks``)."""

    def list_by_person(
        self, workspace: WorkspaceId, person: str, *, cursor: str | None, limit: int
    ) -> Page[Click]: ...


@dataclass(frozen=True, slots=True)
class PeopleReportService:
    """Methods raise InvalidRequest for a cursor that no answer gave."""

    campaigns: CampaignLinkReader
    recipients: RecipientReader
    clicks: PersonClickReader
    clock: Callable[[], float] = time.time
    """Seconds since 1970."""

    def get_link(self, workspace: str, link: str) -> Link:
        """A link of the workspace by its code. Raises NotFound."""
        code = LinkId(link)
        if not _LINK_ID.fullmatch(link) or extract_workspace_id(code) != derive_workspace_id(
            workspace
        ):
            raise NotFound("link", link)
        found = self.campaigns.find_links([code]).get(code)
        if found is None:
            raise NotFound("link", link)
        return found

    def list_link_people(self, workspace: str, link: str, cursor: str | None, limit: int) -> People:
        """Some of the people who clicked a link, in no particular order. Raises NotFound."""
        known = self.get_link(workspace, link)
        page = self.recipients.list_link_visitors(known.id, cursor=cursor, limit=limit)
        return People(
            people=[_build_person_clicks(visitor) for visitor in page.items], cursor=page.cursor
        )

    def get_activity(self, workspace: str, person: str, cursor: str | None, limit: int) -> Activity:
        """Some of a person's clicks, newest first: up to ``limit``, and as many as an answer has
        room for. Opens, which the ledger has among them, are left out, and so is what has expired,
        which it has for some days more. Raises NotFound for who neither clicked nor opened.
        """
        found = self._load_activity(workspace, person, cursor, limit)
        while limit > 1 and measure_response_bytes(found) > MAX_RESPONSE_BYTES:
            limit //= 2
            found = self._load_activity(workspace, person, cursor, limit)
        return found

    def _load_activity(
        self, workspace: str, person: str, cursor: str | None, limit: int
    ) -> Activity:
        page = self.clicks.list_by_person(
            derive_workspace_id(workspace), person, cursor=cursor, limit=limit
        )
        if cursor is None and not page.items and not page.corrupt_count:
            raise NotFound("person", person)
        now = self.clock()
        kept = [click for click in page.items if click.expires > now]
        clicks = [click for click in kept if click.metric == "clicked"]
        return Activity(clicks=self._build_activity_clicks(clicks), cursor=page.cursor)

    def _build_activity_clicks(self, clicks: Sequence[Click]) -> list[ActivityClick]:
        links = self.campaigns.find_links({click.link for click in clicks})
        names = {code: self._campaign_name(code) for code in {click.campaign for click in clicks}}
        marks = self._load_verdicts(clicks)
        return [
            _build_activity_click(
                click, names[click.campaign], links.get(click.link), marks.get(click.id)
            )
            for click in clicks
        ]

    def _campaign_name(self, campaign: CampaignId) -> str:
        try:
            known = self.campaigns.get(campaign)
        except CorruptItem:  # told by the store; the person's other clicks are not its
            known = None
        return known.name if known else campaign

    def _load_verdicts(self, clicks: Sequence[Click]) -> Mapping[str, CountedClick]:
        """The clicks as they were counted, which later ones may have changed; by their ids."""
        ids = {click_hash(click.id): click.id for click in clicks}
        wanted = {RecipientKey(click.campaign, click.recipient) for click in clicks}
        rows = load_readable(self.recipients.get_rows, wanted)
        marks = {m.id: m for row in rows.values() for m in row.counted_clicks if m.id in ids}
        keys = {
            RecipientKey(click.campaign, click.recipient, classify_click(click).overflow_number)
            for click in clicks
            if click_hash(click.id) not in marks
        }
        sheets = load_readable(partial(load_overflow_items, self.recipients), keys)
        for sheet in sheets.values():
            marks |= {m.id: m for m in sheet.counted_clicks if m.id in ids}
        return {ids[hashed]: mark for hashed, mark in marks.items()}


def _build_person_clicks(visitor: LinkVisitor) -> PersonClicks:
    return PersonClicks(
        person=visitor.person,
        first=format_rfc3339(from_milliseconds(visitor.first)),
        last=format_rfc3339(from_milliseconds(visitor.last)),
        clicks=visitor.clicks,
    )


def _build_activity_click(
    click: Click, campaign: str, link: Link | None, counted_click: CountedClick | None
) -> ActivityClick:
    mark = counted_click or classify_click(click)
    judged = build_verdict(BotSignal(mark.signals), is_bot=mark.is_bot)
    return ActivityClick(
        id=click.id,
        time=format_rfc3339(click.time),
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


ExportFormat: TypeAlias = Literal["csv", "ndjson"]

EXPORT_PART_BYTES: Final = 4_000_000
"""As JSON, in which a function answers: 6 MB at most, and a page comes on top."""
EXPORT_PART_SECONDS: Final = 15

EXPORT_CONTENT_TYPES: Final[Mapping[ExportFormat, str]] = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
}
_COLUMNS: Final = tuple(PersonClicks.model_fields)


@dataclass(frozen=True, slots=True)
class ExportPart:
    """A file, or a part of it. ``cursor`` asks for the next one, None at the end."""

    text: str
    cursor: str | None


class LinkPeopleReader(Protocol):
    """Who clicked a link, page by page (``waypost.reports.people``)."""

    def list_link_people(
        self, workspace: str, link: str, cursor: str | None, limit: int
    ) -> People: ...


@dataclass(frozen=True, slots=True)
class PeopleExport:
    """``now`` is a monotonic clock in seconds."""

    people: LinkPeopleReader
    monotonic: Callable[[], float]

    def read_part(
        self, workspace: str, link: str, file_format: ExportFormat, cursor: str | None
    ) -> ExportPart:
        """The file from a cursor on. Raises NotFound, InvalidRequest."""
        deadline = self.monotonic() + EXPORT_PART_SECONDS
        texts = [_format_csv([_COLUMNS])] if file_format == "csv" and cursor is None else []
        size = 0
        while True:
            page = self.people.list_link_people(workspace, link, cursor, MAX_PEOPLE)
            texts.append(_format_people(page.people, file_format))
            size += len(json.dumps(texts[-1], ensure_ascii=False).encode())
            cursor = page.cursor
            if cursor is None or size >= EXPORT_PART_BYTES or self.monotonic() >= deadline:
                return ExportPart("".join(texts), cursor)


def _format_people(people: Iterable[PersonClicks], file_format: ExportFormat) -> str:
    if file_format == "csv":
        return _format_csv(person.model_dump().values() for person in people)
    return "".join(f"{person.model_dump_json()}\n" for person in people)


def _format_csv(rows: Iterable[Iterable[object]]) -> str:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    return file.getvalue()
