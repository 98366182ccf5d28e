"""Labels anew what was counted as human and is a machine's by a threshold that was lowered since.

Rows move together with their counters, as when the tally finds late evidence: were the counters
set alone, the next click of such a row would move them once more.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from waypost.errors import Conflict
from waypost.ids import CampaignCode
from waypost.model.row_key import RowKey
from waypost.models.recipient import Row, Sheet
from waypost.repositories.recipients import Commit, RecipientStore
from waypost.tally.aggregation import Change, relabel

CONFLICTS: Final = 6
"""How often a row may be written by others between reading and writing it."""


def relabel_rows(recipients: RecipientStore, campaign: CampaignCode, threshold: int) -> None:
    """Label the marks of a campaign by a threshold. Safe to repeat and to be broken off. Raises
    Conflict where others never cease to write to a row.
    """
    rows: dict[RowKey, Row] = {}
    sheets: defaultdict[RowKey, dict[int, Sheet]] = defaultdict(dict)
    for record in recipients.of_campaign(campaign):
        if isinstance(record, Row):
            rows[record.key] = record
        else:
            sheets[record.key._replace(sheet=None)][record.number] = record
    for key, row in rows.items():
        _relabel(recipients, row, sheets[key], threshold)


def _relabel(
    recipients: RecipientStore, row: Row, sheets: dict[int, Sheet], threshold: int
) -> None:
    conflicts = 0
    while change := relabel(row, sheets, threshold=threshold):
        try:
            recipients.commit(_commit(change))
        except Conflict:
            conflicts += 1
            if conflicts == CONFLICTS:
                raise
            row = recipients.rows([row.key])[row.key]
            sheets = {sheet.number: sheet for sheet in recipients.sheets_of(row.key)}
        else:
            row = change.row
            sheets |= {sheet.number: sheet for sheet in change.sheets}


def _commit(change: Change) -> Commit:
    return Commit(change.row.key.campaign, [change.row], change.sheets, change.increments)
