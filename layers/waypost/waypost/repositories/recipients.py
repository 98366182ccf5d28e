"""The interface to recipients' rows, through which everything is counted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from waypost.errors import MalformedRows
from waypost.ids import CampaignCode, LinkCode, WorkspaceCode
from waypost.models.counters import Increments
from waypost.models.recipient import LinkVisitor, Row, RowKey, Sheet
from waypost.repositories.pagination import Page

_Record = TypeVar("_Record", Row, Sheet)

ACTIONS: Final = 100
"""What one transaction holds: rows, sheets, counters and the notice of its events together."""
BYTES: Final = 3_800_000
"""The same of its items, of the 4 MB that DynamoDB takes."""
ITEM_BYTES: Final = 400 * 1024
"""What DynamoDB takes of one item."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What is written together or not at all, of one campaign.

    Rows and sheets carry their new version and are written only over the version before it, so
    two writers never count from the same state. ``removed`` rows are deleted on their version.
    """

    campaign: CampaignCode
    rows: Sequence[Row]
    sheets: Sequence[Sheet]
    increments: Increments
    notice: Notice | None = None
    removed: Sequence[Row | Sheet] = field(default=())

    @property
    def fits(self) -> bool:
        """Whether one transaction holds it, and an item each record of it."""
        written = [*self.rows, *self.sheets, *self.removed]
        counters = {cell.counter for cell in self.increments}
        actions = len(written) + len(counters) + (self.notice is not None)
        sizes = [record.size for record in written]
        return actions <= ACTIONS and sum(sizes) <= BYTES and max(sizes, default=0) <= ITEM_BYTES


@dataclass(frozen=True, slots=True)
class Notice:
    """Clicks counted by a batch whose events are not told yet; ``clicks`` are hashes of ids."""

    campaign: CampaignCode
    batch: int
    clicks: frozenset[bytes]


def read_sheets(store: SheetReader, keys: Collection[RowKey]) -> dict[RowKey, Sheet]:
    """The sheets of these keys that there are, as of now, and those that full ones go on in."""
    found: dict[RowKey, Sheet] = {}
    waiting = set(keys)
    while waiting:
        read = store.sheets(waiting)
        found |= read
        waiting = {sheet.further for sheet in read.values() if sheet.room <= 0}
    return found


def readable_of(
    read: Callable[[Collection[RowKey]], dict[RowKey, _Record]], keys: Collection[RowKey]
) -> dict[RowKey, _Record]:
    """What can be read of these keys, for reports: whoever counts has to know what is missing."""
    try:
        return read(keys)
    except MalformedRows as damage:
        return read(set(keys) - damage.keys)


class SheetReader(Protocol):
    """The one call of a store of recipients that finding sheets needs."""

    def sheets(self, keys: Collection[RowKey]) -> dict[RowKey, Sheet]: ...


class RecipientStore(Protocol):
    """Rows of recipients. All methods raise StoreUnavailable, and MalformedItem for what cannot be
    read back, if nothing else is said: a row that is passed over counts as none.
    """

    def rows(self, keys: Collection[RowKey]) -> dict[RowKey, Row]:
        """The rows of these keys as of now; a row of version 0 where there is none. Raises
        MalformedRows with the keys of those that cannot be read.
        """
        ...

    def sheets(self, keys: Collection[RowKey]) -> dict[RowKey, Sheet]:
        """The sheets of these keys that there are, as of now. Raises as ``rows`` does."""
        ...

    def sheets_of(self, key: RowKey) -> list[Sheet]:
        """All sheets of the row of this key, as of now."""
        ...

    def commit(self, commit: Commit) -> None:
        """Write all of it or nothing.

        Raises Conflict where a row was written since it was read (nothing is written: read it
        again), StoreUnavailable where it is unknown whether anything was.
        """
        ...

    def notices(
        self, campaign: CampaignCode, batches: Collection[int]
    ) -> Mapping[int, frozenset[bytes]]:
        """Of these batches, the clicks whose events are not told yet; told ones are left out, and
        what cannot be read is, too: nobody can tell it any more.
        """
        ...

    def told(self, campaign: CampaignCode, batch: int, left: frozenset[bytes]) -> None:
        """Note which events of a batch are left to tell; none: the notice goes."""
        ...

    def of_link(self, link: LinkCode, *, cursor: str | None, limit: int) -> Page[LinkVisitor]:
        """Who clicked a link, of those that can be read. Raises InvalidRequest for a cursor that no
        page gave.
        """
        ...

    def campaigns_of(self, workspace: WorkspaceCode, recipient: str) -> set[CampaignCode]:
        """Campaigns that have anything of a recipient. Reads the whole table: for operators'
        tools.
        """
        ...

    def of_campaign(self, campaign: CampaignCode) -> Iterator[Row | Sheet]:
        """All rows and sheets of a campaign. For operators' tools."""
        ...
