"""Report the people who clicked a link, export them as a file, and report a person's clicks.

An export is CSV, in which no name is a formula, or newline-delimited JSON, which is verbatim. One
part holds about 50,000 people, because a Lambda response is limited in size and time; larger
exports have a cursor to the next part.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, TypeAlias

from waypost.bot_detection.scoring import BotSignal, build_verdict, classify_click
from waypost.errors import CorruptItem, NotFound
from waypost.ids import CampaignId, LinkId, extract_workspace_id
from waypost.models.attributes import format_rfc3339, from_milliseconds
from waypost.models.campaign import Link
from waypost.models.click import Click
from waypost.models.recipient import (
    CountedClick,
    LinkVisitor,
    RecipientKey,
    click_hash,
)
from waypost.reports.campaigns import MAX_RESPONSE_BYTES, measure_response_bytes
from waypost.reports.csv_export import format_csv
from waypost.reports.schemas import Activity, ActivityClick, People, PersonClicks
from waypost.repositories.campaigns import CampaignRepository
from waypost.repositories.clicks import ClickRepository
from waypost.repositories.recipients import (
    RecipientRepository,
    load_overflow_items,
    load_readable,
)
from waypost.repositories.workspaces import WorkspaceRepository

MAX_PEOPLE: Final = 1_000
MAX_ACTIVITY_CLICKS: Final = 100

ExportFormat: TypeAlias = Literal["csv", "ndjson"]
EXPORT_CONTENT_TYPES: Final[Mapping[ExportFormat, str]] = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
}
EXPORT_PART_BYTES: Final = 4_000_000
"""A part ends after this size. A Lambda response has 6 MB, and the last page comes on top."""
EXPORT_PART_SECONDS: Final = 15

_COLUMNS: Final = tuple(PersonClicks.model_fields)
_LINK_ID: Final = re.compile(r"[0-9a-f]{26}")


@dataclass(frozen=True, slots=True)
class PeopleReportService:
    """Reports of people. Methods raise InvalidRequest if a cursor is not from a response, and
    AlreadyExists if the workspace's id belongs to another name.
    """

    campaigns: CampaignRepository
    recipients: RecipientRepository
    clicks: ClickRepository
    workspaces: WorkspaceRepository
    clock: Callable[[], float] = time.time
    """Seconds since 1970."""

    def get_link(self, workspace: str, link: str) -> Link:
        """Return a link of the workspace by its id. Raises NotFound."""
        link_id = LinkId(link)
        workspace_id = self.workspaces.resolve_id(workspace)
        if not _LINK_ID.fullmatch(link) or extract_workspace_id(link_id) != workspace_id:
            raise NotFound("link", link)
        known = self.campaigns.find_links([link_id]).get(link_id)
        if known is None:
            raise NotFound("link", link)
        return known

    def list_link_people(self, workspace: str, link: str, cursor: str | None, limit: int) -> People:
        """List a page of the people who clicked a link, in no particular order. Raises NotFound."""
        known = self.get_link(workspace, link)
        page = self.recipients.list_link_visitors(known.id, cursor=cursor, limit=limit)
        return People(
            people=[_build_person_clicks(visitor) for visitor in page.items], cursor=page.cursor
        )

    def get_activity(self, workspace: str, person: str, cursor: str | None, limit: int) -> Activity:
        """List a page of a person's clicks, newest first, as many as fit into a response.

        Opens are omitted, and expired clicks, because DynamoDB deletes them days after their TTL.

        :raises NotFound: when the person neither clicked nor opened anything.
        """
        activity = self._load_activity(workspace, person, cursor, limit)
        while limit > 1 and measure_response_bytes(activity) > MAX_RESPONSE_BYTES:
            limit //= 2
            activity = self._load_activity(workspace, person, cursor, limit)
        return activity

    def _load_activity(
        self, workspace: str, person: str, cursor: str | None, limit: int
    ) -> Activity:
        page = self.clicks.list_by_person(
            self.workspaces.resolve_id(workspace), person, cursor=cursor, limit=limit
        )
        if cursor is None and not page.items and not page.corrupt_count:
            raise NotFound("person", person)
        now = self.clock()
        clicks = [
            click for click in page.items if click.expires > now and click.metric == "clicked"
        ]
        return Activity(clicks=self._build_activity_clicks(clicks), cursor=page.cursor)

    def _build_activity_clicks(self, clicks: Sequence[Click]) -> list[ActivityClick]:
        links = self.campaigns.find_links({click.link for click in clicks})
        names = {
            campaign: self._load_campaign_name(campaign)
            for campaign in {click.campaign for click in clicks}
        }
        counted_clicks = self._load_row_clicks(clicks)
        return [
            _build_activity_click(
                click, names[click.campaign], links.get(click.link), counted_clicks.get(click.id)
            )
            for click in clicks
        ]

    def _load_campaign_name(self, campaign: CampaignId) -> str:
        try:
            known = self.campaigns.get(campaign)
        except CorruptItem:  # logged by the repository; must not hide the person's other clicks
            known = None
        return known.name if known else campaign

    def _load_row_clicks(self, clicks: Sequence[Click]) -> Mapping[str, CountedClick]:
        """Load the counted form of clicks, whose verdicts later clicks may change; by click id."""
        ids = {click_hash(click.id): click.id for click in clicks}
        row_keys = {RecipientKey(click.campaign, click.recipient) for click in clicks}
        rows = load_readable(self.recipients.get_rows, row_keys)
        counted = {c.id: c for row in rows.values() for c in row.counted_clicks if c.id in ids}
        keys = {
            RecipientKey(click.campaign, click.recipient, classify_click(click).overflow_number)
            for click in clicks
            if click_hash(click.id) not in counted
        }
        overflow_items = load_readable(partial(load_overflow_items, self.recipients), keys)
        for item in overflow_items.values():
            counted |= {c.id: c for c in item.counted_clicks if c.id in ids}
        return {ids[hashed_id]: click for hashed_id, click in counted.items()}


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
    counted = counted_click or classify_click(click)
    verdict = build_verdict(BotSignal(counted.signals), is_bot=counted.is_bot)
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
        verdict=verdict.kind,
        reasons=list(verdict.reasons),
    )


@dataclass(frozen=True, slots=True)
class ExportPart:
    """A part of an export. ``cursor`` requests the next part; None in the last part."""

    text: str
    cursor: str | None


@dataclass(frozen=True, slots=True)
class PeopleExport:
    """Writes the people of a link as a file. ``monotonic`` is a clock in seconds."""

    list_link_people: Callable[[str, str, str | None, int], People]
    """``PeopleReportService.list_link_people``."""
    monotonic: Callable[[], float]

    def read_part(
        self, workspace: str, link: str, file_format: ExportFormat, cursor: str | None
    ) -> ExportPart:
        """Read people from a cursor on, until the part is full or its time is over.

        :raises NotFound: when the workspace has no such link.
        :raises InvalidRequest: when the cursor is not from a response.
        """
        deadline = self.monotonic() + EXPORT_PART_SECONDS
        texts = [format_csv([_COLUMNS])] if file_format == "csv" and cursor is None else []
        size = 0
        while True:
            page = self.list_link_people(workspace, link, cursor, MAX_PEOPLE)
            texts.append(_format_people(page.people, file_format))
            size += len(json.dumps(texts[-1], ensure_ascii=False).encode())
            cursor = page.cursor
            if cursor is None or size >= EXPORT_PART_BYTES or self.monotonic() >= deadline:
                return ExportPart("".join(texts), cursor)


def _format_people(people: Iterable[PersonClicks], file_format: ExportFormat) -> str:
    if file_format == "csv":
        return format_csv(person.model_dump().values() for person in people)
    return "".join(f"{person.model_dump_json()}\n" for person in people)
