"""Recipients' rows in memory, with the same conditions on their versions and DynamoDB's bounds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from tests.fakes import MemoryCampaigns
from waypost.errors import Conflict, StoreUnavailable
from waypost.ids import CampaignCode, LinkCode, WorkspaceCode, campaign_of, workspace_of
from waypost.model.row_key import RowKey
from waypost.models.recipient import LinkVisitor, Row, Sheet
from waypost.repositories.pagination import Page, is_key, made_up, read_cursor, write_cursor
from waypost.repositories.recipients import Commit


class MemoryRecipients:
    """``waypost.store.recipients.RecipientStore``; counters go to ``campaigns``."""

    def __init__(self, campaigns: MemoryCampaigns) -> None:
        self._campaigns = campaigns
        self._records: dict[RowKey, Row | Sheet] = {}
        self._notices: dict[tuple[CampaignCode, int], frozenset[bytes]] = {}

    def rows(self, keys: Collection[RowKey]) -> dict[RowKey, Row]:
        found = {key: self._records.get(key) for key in keys}
        return {key: row if isinstance(row, Row) else Row(key) for key, row in found.items()}

    def sheets(self, keys: Collection[RowKey]) -> dict[RowKey, Sheet]:
        found = {key: self._records.get(key) for key in keys}
        return {key: sheet for key, sheet in found.items() if isinstance(sheet, Sheet)}

    def sheets_of(self, key: RowKey) -> list[Sheet]:
        records = self._records.values()
        return [r for r in records if isinstance(r, Sheet) and r.key[:2] == key[:2]]

    def commit(self, commit: Commit) -> None:
        if not commit.fits:
            raise StoreUnavailable("DynamoDB takes no such transaction")
        written: list[Row | Sheet] = [*commit.rows, *commit.sheets]
        expected = {record.key: record.version - 1 for record in written}
        expected |= {record.key: record.version for record in commit.removed}
        for key, version in expected.items():
            stored = self._records.get(key)
            if (stored.version if stored else 0) != version:
                raise Conflict("a row was written since it was read")
        self._records |= {record.key: record for record in written}
        for record in commit.removed:
            self._records.pop(record.key, None)
        self._campaigns.add(commit.campaign, commit.increments)
        if commit.notice is not None:
            self._notices[commit.campaign, commit.notice.batch] = commit.notice.clicks

    def notices(
        self, campaign: CampaignCode, batches: Collection[int]
    ) -> Mapping[int, frozenset[bytes]]:
        found = {batch: self._notices.get((campaign, batch)) for batch in batches}
        return {batch: clicks for batch, clicks in found.items() if clicks}

    def told(self, campaign: CampaignCode, batch: int, left: frozenset[bytes]) -> None:
        if left:
            self._notices[campaign, batch] = left
        else:
            self._notices.pop((campaign, batch), None)

    def of_link(self, link: LinkCode, *, cursor: str | None, limit: int) -> Page[LinkVisitor]:
        after = "" if cursor is None else _read(cursor)
        rows = [
            record
            for key, record in sorted(self._records.items(), key=lambda pair: pair[0][:2])
            if isinstance(record, Row) and key.campaign == campaign_of(link)
            if link in record.links and key.recipient > after
        ]
        visitors = [row.visitor(link) for row in rows[:limit]]
        last = f"#{rows[limit - 1].key.recipient}" if len(rows) > limit else None
        return Page(visitors, write_cursor(last) if last else None)

    def campaigns_of(self, workspace: WorkspaceCode, recipient: str) -> set[CampaignCode]:
        return {
            key.campaign
            for key in self._records
            if key.recipient == recipient and workspace_of(key.campaign) == workspace
        }

    def of_campaign(self, campaign: CampaignCode) -> Iterator[Row | Sheet]:
        return (record for key, record in list(self._records.items()) if key.campaign == campaign)


def _read(cursor: str) -> str:
    mark, _, after = read_cursor(cursor).partition("#")
    if mark or not is_key(after):
        raise made_up()
    return after
