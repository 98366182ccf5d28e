"""Interface to recipient rows, which make counting exact."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from waypost.errors import CorruptItemSet
from waypost.ids import CampaignId, LinkId, WorkspaceId
from waypost.models.counters import CounterIncrements
from waypost.models.recipient import LinkVisitor, OverflowItem, RecipientKey, RecipientRow
from waypost.repositories.pagination import Page

_Record = TypeVar("_Record", RecipientRow, OverflowItem)

MAX_COMMIT_ACTIONS: Final = 100
"""DynamoDB's limit for a transaction: rows, overflow items, counters and the outbox entry."""
MAX_COMMIT_BYTES: Final = 3_800_000
"""Bytes of a transaction's items; DynamoDB accepts 4 MB."""
MAX_ITEM_BYTES: Final = 400 * 1024
"""DynamoDB's limit for an item."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A transaction of one campaign.

    Optimistic locking: rows and overflow items have their new version and are written only over
    the version before it, so two writers never count from the same state. ``removed_items`` are
    deleted only at their version.
    """

    campaign: CampaignId
    rows: Sequence[RecipientRow]
    overflow_items: Sequence[OverflowItem]
    increments: CounterIncrements
    outbox_entry: OutboxEntry | None = None
    removed_items: Sequence[RecipientRow | OverflowItem] = field(default=())

    @property
    def is_within_limits(self) -> bool:
        """Return whether DynamoDB accepts the transaction and each of its items."""
        written = [*self.rows, *self.overflow_items, *self.removed_items]
        counters = {cell.counter for cell in self.increments}
        actions = len(written) + len(counters) + (self.outbox_entry is not None)
        sizes = [record.item_bytes for record in written]
        return (
            actions <= MAX_COMMIT_ACTIONS
            and sum(sizes) <= MAX_COMMIT_BYTES
            and max(sizes, default=0) <= MAX_ITEM_BYTES
        )


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """Counted clicks of a batch with unpublished events; ``click_hashes`` are hashes of ids."""

    campaign: CampaignId
    batch: int
    click_hashes: frozenset[bytes]


def load_overflow_items(
    repository: OverflowItemReader, keys: Collection[RecipientKey]
) -> dict[RecipientKey, OverflowItem]:
    """Load the existing overflow items of these keys, and those that continue full ones."""
    items: dict[RecipientKey, OverflowItem] = {}
    pending = set(keys)
    while pending:
        loaded = repository.get_overflow_items(pending)
        items |= loaded
        pending = {item.next_key for item in loaded.values() if item.remaining_capacity <= 0}
    return items


def load_readable(
    load: Callable[[Collection[RecipientKey]], dict[RecipientKey, _Record]],
    keys: Collection[RecipientKey],
) -> dict[RecipientKey, _Record]:
    """Load the readable items of these keys. For reports only: counting must not miss a row."""
    try:
        return load(keys)
    except CorruptItemSet as e:
        return load(set(keys) - e.keys)


class OverflowItemReader(Protocol):
    """The part of RecipientRepository that ``load_overflow_items`` needs."""

    def get_overflow_items(
        self, keys: Collection[RecipientKey]
    ) -> dict[RecipientKey, OverflowItem]: ...


class RecipientRepository(Protocol):
    """Recipient rows. All methods raise StoreUnavailable, and CorruptItem unless their docstrings
    say otherwise: a row that is left out would count as missing. Reads are consistent.
    """

    def get_rows(self, keys: Collection[RecipientKey]) -> dict[RecipientKey, RecipientRow]:
        """Return the rows of these keys, with version 0 for missing ones. Raises CorruptItemSet
        with the keys of corrupt rows.
        """
        ...

    def get_overflow_items(
        self, keys: Collection[RecipientKey]
    ) -> dict[RecipientKey, OverflowItem]:
        """Return the existing overflow items of these keys. Raises as ``get_rows`` does."""
        ...

    def list_overflow_items(self, key: RecipientKey) -> list[OverflowItem]:
        """Return all overflow items of the row with this key."""
        ...

    def commit(self, commit: Commit) -> None:
        """Write all of it or nothing.

        Raises WriteConflict if another writer changed a row (nothing is written: read it again),
        StoreUnavailable if the outcome is unknown.
        """
        ...

    def get_outbox_entries(
        self, campaign: CampaignId, batches: Collection[int]
    ) -> Mapping[int, frozenset[bytes]]:
        """Return the clicks with unpublished events, by batch. Batches without any are left out,
        and so are corrupt entries, whose events are lost.
        """
        ...

    def update_outbox(
        self, campaign: CampaignId, batch: int, unpublished: frozenset[bytes]
    ) -> None:
        """Store the unpublished events of a batch; delete the entry after the last."""
        ...

    def list_link_visitors(
        self, link: LinkId, *, cursor: str | None, limit: int
    ) -> Page[LinkVisitor]:
        """Return a page of those who clicked a link, without corrupt rows. Raises InvalidRequest
        for an invalid cursor.
        """
        ...

    def scan_campaigns(self, workspace: WorkspaceId, recipient: str) -> set[CampaignId]:
        """Return the campaigns that have a row or overflow item of a recipient. Scans the table:
        for operators' tools.
        """
        ...

    def iter_by_campaign(self, campaign: CampaignId) -> Iterator[RecipientRow | OverflowItem]:
        """Return all rows and overflow items of a campaign. For operators' tools."""
        ...
