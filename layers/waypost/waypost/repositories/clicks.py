"""The ledger's interface."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Protocol

from waypost.ids import CampaignId, WorkspaceId
from waypost.models.click import Click
from waypost.repositories.pagination import Page

CLICK_SORT_KEY_PATTERN: Final = re.compile(r"[0-9T:.-]{23}Z#.+", re.ASCII | re.DOTALL)
"""What cursors of a person's clicks name."""


class ClickRepository(Protocol):
    """The ledger: every click once, under its own id. All methods raise StoreUnavailable."""

    def record(self, click: Click) -> bool:
        """Write a click; False where it was there already. Safe to repeat."""
        ...

    def anonymize(self, click: Click, anonymous: Click) -> None:
        """Put the click without identity in the place of the one with it. Broken off in between,
        both are there, which counts as one click; repeating it ends the work.
        """
        ...

    def list_by_person(
        self, workspace: WorkspaceId, person: str, *, cursor: str | None, limit: int
    ) -> Page[Click]:
        """A person's clicks that can be read, newest first. Raises InvalidRequest for a cursor of
        nobody's.
        """
        ...

    def scan_by_campaign(self, campaign: CampaignId) -> Iterator[Click]:
        """All clicks of a campaign that can be read, in no order. Reads the whole ledger: for
        operators' tools.
        """
        ...
