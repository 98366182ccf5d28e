"""Export what is stored about a person, as newline-delimited JSON, in one or more parts.

Each line has its kind in ``record``: person, click, open, recipient, link, destination, short_link,
or corrupt for items that cannot be read. A part ends after some time or size, and its cursor names
the section and the position in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from waypost.ids import WorkspaceId
from waypost.models.attributes import format_rfc3339, from_milliseconds
from waypost.models.campaign import PersonalRecord, recipient_hash
from waypost.models.recipient import RecipientKey, RecipientRow, Visits
from waypost.models.workspace import person_hash
from waypost.privacy.erasure import ErasureRepositories
from waypost.privacy.requests import AuditLog
from waypost.reports.people import EXPORT_PART_BYTES, EXPORT_PART_SECONDS, ExportPart
from waypost.repositories.pagination import build_cursor_error, decode_cursor, encode_cursor
from waypost.repositories.recipients import load_readable

PAGE_SIZE: Final = 100

ExportLine = dict[str, object]


@dataclass(frozen=True, slots=True)
class _SectionPage:
    lines: list[ExportLine]
    cursor: str | None
    corrupt_count: int = 0


@dataclass(frozen=True, slots=True)
class PersonExport:
    """Writes the data of a person as a file. ``monotonic`` is a clock in seconds."""

    repositories: ErasureRepositories
    monotonic: Callable[[], float]

    def read_part(
        self, workspace: str, person: str, cursor: str | None, audit: AuditLog
    ) -> ExportPart:
        """Read data from a cursor on, until the part is full or its time is over.

        :raises InvalidRequest: when the cursor is not from a response.
        :raises AlreadyExists: when the workspace's id belongs to another name.
        """
        workspace_id = self.repositories.workspaces.resolve_id(workspace)
        sections = (self._read_person, self._read_clicks, self._read_rows, self._read_records)
        index, position = _parse_position(cursor, len(sections))
        if cursor is None:
            audit("exported", workspace=workspace_id, person=person_hash(workspace_id, person))
        deadline = self.monotonic() + EXPORT_PART_SECONDS
        texts: list[str] = []
        size = 0
        while index < len(sections):
            page = sections[index](workspace_id, person, position)
            corrupt = [{"record": "corrupt", "items": page.corrupt_count}]
            for line in page.lines + (corrupt if page.corrupt_count else []):
                texts.append(json.dumps(line, ensure_ascii=False) + "\n")
                size += len(json.dumps(texts[-1], ensure_ascii=False).encode())
            position = page.cursor
            index += position is None
            if size >= EXPORT_PART_BYTES or self.monotonic() >= deadline:
                break
        is_last = index == len(sections)
        next_cursor = None if is_last else encode_cursor(f"{index}:{position or ''}")
        return ExportPart("".join(texts), next_cursor)

    def _read_person(self, workspace: WorkspaceId, person: str, _: str | None) -> _SectionPage:
        key = (workspace, person)
        opt_out = self.repositories.workspaces.get_opt_outs([key]).get(key)
        line: ExportLine = {"record": "person"}
        line["opted_out"] = opt_out is not None and opt_out.is_active
        line["since"] = format_rfc3339(opt_out.since) if opt_out and opt_out.is_active else None
        line["erased"] = format_rfc3339(opt_out.erased) if opt_out and opt_out.erased else None
        return _SectionPage([line], None)

    def _read_clicks(
        self, workspace: WorkspaceId, person: str, position: str | None
    ) -> _SectionPage:
        page = self.repositories.clicks.list_by_person(
            workspace, person, cursor=position, limit=PAGE_SIZE
        )
        kinds = {"clicked": "click", "opened": "open"}
        lines: list[ExportLine] = [
            {"record": kinds[click.metric], **click.to_dict()} for click in page.items
        ]
        return _SectionPage(lines, page.cursor, page.corrupt_count)

    def _read_rows(self, workspace: WorkspaceId, person: str, position: str | None) -> _SectionPage:
        page = self.repositories.campaigns.list_by_workspace(
            workspace, cursor=position, limit=PAGE_SIZE
        )
        names = {campaign.id: campaign.name for campaign in page.items}
        keys = [RecipientKey(campaign, f"p:{person}") for campaign in names]
        rows = load_readable(self.repositories.recipients.get_rows, keys)
        lines = [
            _describe_row(names[key.campaign], row) for key, row in rows.items() if row.version
        ]
        return _SectionPage(lines, page.cursor, len(keys) - len(rows))

    def _read_records(
        self, workspace: WorkspaceId, person: str, position: str | None
    ) -> _SectionPage:
        recipient = recipient_hash(workspace, f"p:{person}")
        page = self.repositories.personal_records.list_by_recipient(
            workspace, recipient, cursor=position, limit=PAGE_SIZE
        )
        lines = [line for record in page.items for line in self._describe_record(record)]
        return _SectionPage(lines, page.cursor, page.corrupt_count)

    def _describe_record(self, record: PersonalRecord) -> Iterator[ExportLine]:
        for link in self.repositories.campaigns.find_links(record.links).values():
            definition = link.definition
            yield {
                "record": "link",
                "link": link.id,
                "url": definition.url,
                "tag": definition.tag,
                "first_seen": format_rfc3339(link.first_seen),
            }
        for digest in record.destinations:
            href = self.repositories.short_links.get_destination(record.workspace, digest)
            yield {"record": "destination", "digest": digest, "href": href}
        for code in record.codes:
            yield {"record": "short_link", "code": code}


def _parse_position(cursor: str | None, sections: int) -> tuple[int, str | None]:
    """Return the section of a cursor and the position in it. Raises InvalidRequest."""
    if cursor is None:
        return 0, None
    index, separator, position = decode_cursor(cursor).partition(":")
    if not separator or index not in map(str, range(sections)):
        raise build_cursor_error()
    return int(index), position or None


def _describe_row(campaign: str, row: RecipientRow) -> ExportLine:
    links = [{"link": link, **_describe_visits(visits)} for link, visits in row.links.items()]
    total = _describe_visits(row.total)
    return {"record": "recipient", "campaign": campaign, **total, "links": links}


def _describe_visits(visits: Visits) -> dict[str, object]:
    return {
        "human": visits.human,
        "machine": visits.bot,
        "first": format_rfc3339(from_milliseconds(visits.first)),
        "last": format_rfc3339(from_milliseconds(visits.last)),
    }
