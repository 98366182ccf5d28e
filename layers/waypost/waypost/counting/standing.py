"""What is counted already of the recipients that a batch touches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from waypost.ids import CampaignCode
from waypost.model.mark import Mark
from waypost.model.row_key import RowKey
from waypost.models.recipient import Row, Sheet
from waypost.repositories.recipients import RecipientStore, read_sheets

Marks: TypeAlias = Mapping[str, Sequence[Mark]]
"""Marks to count, by recipient."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A recipient's row, and of a full one the sheets around the marks that came."""

    row: Row
    sheets: Mapping[int, Sheet] = field(default_factory=dict)

    def marks(self) -> Iterator[Mark]:
        """All marks that were read."""
        yield from self.row.marks
        for sheet in self.sheets.values():
            yield from sheet.marks


def read_standings(
    store: RecipientStore, campaign: CampaignCode, marks: Marks
) -> dict[str, Standing]:
    """The standing of every recipient. Raises StoreUnavailable."""
    rows = store.rows([RowKey(campaign, recipient) for recipient in marks])
    wanted = {
        RowKey(campaign, key.recipient, sheet)
        for key, row in rows.items()
        if row.full
        for mark in marks[key.recipient]
        for sheet in (mark.sheet - 1, mark.sheet, mark.sheet + 1)  # neighbours speak across edges
    }
    standings = {key.recipient: Standing(row, {}) for key, row in rows.items()}
    by_recipient: dict[str, dict[int, Sheet]] = {}
    for key, sheet in read_sheets(store, wanted).items():
        by_recipient.setdefault(key.recipient, {})[sheet.number] = sheet
    return {
        recipient: Standing(standing.row, by_recipient.get(recipient, {}))
        for recipient, standing in standings.items()
    }
