"""Interface to the ledger of clicks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Protocol

from waypost.ids import CampaignId, WorkspaceId
from waypost.models.click import Click
from waypost.repositories.pagination import Page

CLICK_SORT_KEY_PATTERN: Final = re.compile(r"[0-9T:.-]{23}Z#.+", re.ASCII | re.DOTALL)
"""Sort keys of the ledger, which cursors of a person's clicks name."""


class ClickRepository(Protocol):
    """The ledger: each click once, under its own id. All methods raise StoreUnavailable."""

    def record(self, click: Click) -> bool:
        """Store a click. Return False if it was stored before. Safe to repeat."""
        ...

    def anonymize(self, click: Click, anonymous: Click) -> None:
        """Replace a click by its anonymous form. An interruption leaves both, which count as one
        click; repeating the call completes it.
        """
        ...

    def list_by_person(
        self, workspace: WorkspaceId, person: str, *, cursor: str | None, limit: int
    ) -> Page[Click]:
        """Return a page of a person's readable clicks, newest first. Raises InvalidRequest for an
        invalid cursor.
        """
        ...

    def scan_by_campaign(self, campaign: CampaignId) -> Iterator[Click]:
        """Return all readable clicks of a campaign, in no order. Scans the ledger: for operators'
        tools.
        """
        ...
