"""The interface to recipients' rows, through which everything is counted."""

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
"""What one transaction holds: rows, sheets, counters and the notice of its events together."""
MAX_COMMIT_BYTES: Final = 3_800_000
"""The same of its items, of the 4 MB that DynamoDB takes."""
MAX_ITEM_BYTES: Final = 400 * 1024
"""What DynamoDB takes of one item."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What is written together or not at all, of one campaign.

    Rows and sheets carry their new version and are written only over the version before it, so
    two writers never count from the same state. ``removed`` rows are deleted on their version.
    """

    campaign: CampaignId
    rows: Sequence[RecipientRow]
    overflow_items: Sequence[OverflowItem]
    increments: CounterIncrements
    outbox_entry: OutboxEntry | None = None
    removed_items: Sequence[RecipientRow | OverflowItem] = field(default=())

    @property
    def is_within_limits(self) -> bool:
        """Whether one transaction holds it, and an item each record of it."""
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
    """Clicks counted by a batch whose events are not told yet; ``clicks`` are hashes of ids."""

    campaign: CampaignId
    batch: int
    click_hashes: frozenset[bytes]


def load_overflow_items(
    store: OverflowItemReader, keys: Collection[RecipientKey]
) -> dict[RecipientKey, OverflowItem]:
    """The sheets of these keys that there are, as of now, and those that full ones go on in."""
    found: dict[RecipientKey, OverflowItem] = {}
    waiting = set(keys)
    while waiting:
        read = store.get_overflow_items(waiting)
        found |= read
        waiting = {sheet.next_key for sheet in read.values() if sheet.remaining_capacity <= 0}
    return found


def load_readable(
    load: Callable[[Collection[RecipientKey]], dict[RecipientKey, _Record]],
    keys: Collection[RecipientKey],
) -> dict[RecipientKey, _Record]:
    """What can be read of these keys, for reports: whoever counts has to know what is missing."""
    try:
        return load(keys)
    except CorruptItemSet as damage:
        return load(set(keys) - damage.keys)


class OverflowItemReader(Protocol):
    """The one call of a store of recipients that finding sheets needs."""

    def get_overflow_items(
        self, keys: Collection[RecipientKey]
    ) -> dict[RecipientKey, OverflowItem]: ...


class RecipientRepository(Protocol):
    """Rows of recipients. All methods raise StoreUnavailable, and MalformedItem for what cannot be
    read back, if nothing else is said: a row that is passed over counts as none.
    """

    def get_rows(self, keys: Collection[RecipientKey]) -> dict[RecipientKey, RecipientRow]:
        """The rows of these keys as of now; a row of version 0 where there is none. Raises
        MalformedRows with the keys of those that cannot be read.
        """
        ...

    def get_overflow_items(
        self, keys: Collection[RecipientKey]
    ) -> dict[RecipientKey, OverflowItem]:
        """The sheets of these keys that there are, as of now. Raises as ``rows`` does."""
        ...

    def list_overflow_items(self, key: RecipientKey) -> list[OverflowItem]:
        """All sheets of the row of this key, as of now."""
        ...

    def commit(self, commit: Commit) -> None:
        """Write all of it or nothing.

        Raises Conflict where a row was written since it was read (nothing is written: read it
        again), StoreUnavailable where it is unknown whether anything was.
        """
        ...

    def get_outbox_entries(
        self, campaign: CampaignId, batches: Collection[int]
    ) -> Mapping[int, frozenset[bytes]]:
        """Of these batches, the clicks whose events are not told yet; told ones are left out, and
        what cannot be read is, too: nobody can tell it any more.
        """
        ...

    def update_outbox(
        self, campaign: CampaignId, batch: int, unpublished: frozenset[bytes]
    ) -> None:
        """Note which events of a batch are left to tell; none: the notice goes."""
        ...

    def list_link_visitors(
        self, link: LinkId, *, cursor: str | None, limit: int
    ) -> Page[LinkVisitor]:
        """Who clicked a link, of those that can be read. Raises InvalidRequest for a cursor that no
        page gave.
        """
        ...

    def scan_campaigns(self, workspace: WorkspaceId, recipient: str) -> set[CampaignId]:
        """Campaigns that have anything of a recipient. Reads the whole table: for operators'
        tools.
        """
        ...

    def iter_by_campaign(self, campaign: CampaignId) -> Iterator[RecipientRow | OverflowItem]:
        """All rows and sheets of a campaign. For operators' tools."""
        ...
