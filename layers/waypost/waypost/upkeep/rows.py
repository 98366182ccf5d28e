"""Moves a recipient's row of a campaign to the row of an alias, step by step."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from waypost.errors import Conflict, MalformedItem
from waypost.ids import CampaignCode, WorkspaceCode
from waypost.model.person import OptOut
from waypost.model.row_key import RowKey
from waypost.models.recipient import Row, Sheet
from waypost.repositories.recipients import RecipientStore
from waypost.repositories.workspaces import WorkspaceStore
from waypost.upkeep.moving import AS_LABELLED, step

CONFLICTS: Final = 6
"""How often in a row a step may be overtaken before the rest is left for the next call."""
PAUSE_SECONDS: Final = 0.02


class Step(NamedTuple):
    """What a step made nobody's; ``left``: nothing more can be done for now."""

    clicks: int = 0
    campaigns: int = 0
    left: bool = False


LOOKED: Final = Step()
LEFT: Final = Step(left=True)


@dataclass(frozen=True, slots=True)
class MovingRows:
    """What moves rows."""

    recipients: RecipientStore
    workspaces: WorkspaceStore
    sleep: Callable[[float], None]

    def move(self, campaign: CampaignCode, person: str, wish: OptOut) -> Iterator[Step]:
        """Move a row and its sheets in steps that fit a transaction. Others may write to the row,
        or to the campaign's counters, meanwhile: it is read again, but not for ever.
        """
        source = RowKey(campaign, f"p:{person}")
        target = RowKey(campaign, f"a:{wish.alias(campaign)}")
        threshold = self._threshold(wish.workspace)
        conflicts = 0
        while conflicts < CONFLICTS:
            row, sheets = self._read(source)
            if row.version == 0:
                yield Step(campaigns=1)
                return
            to, to_sheets = self._read(target)
            moving = step(row, sheets, to, to_sheets, wish.alias(campaign), threshold)
            try:
                self.recipients.commit(moving)
            except Conflict:
                conflicts += 1
                self.sleep(random.uniform(0, PAUSE_SECONDS * 2**conflicts))  # noqa: S311 - jitter
            else:
                conflicts = 0
            yield LOOKED
        yield LEFT

    def _threshold(self, workspace: WorkspaceCode) -> int:
        """Whom it concerns is not kept waiting for settings that somebody has to mend."""
        try:
            return self.workspaces.settings(workspace).machine_threshold
        except MalformedItem:
            return AS_LABELLED

    def _read(self, key: RowKey) -> tuple[Row, list[Sheet]]:
        return self.recipients.rows([key])[key], self.recipients.sheets_of(key)
