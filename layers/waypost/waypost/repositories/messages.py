"""The interface to the messages that campaigns sent."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from waypost.ids import CampaignCode, WorkspaceCode
from waypost.models.campaign import SentMessage


class MessageStore(Protocol):
    """One message a campaign. All methods raise StoreUnavailable."""

    def keep(self, message: SentMessage) -> bool:
        """Keep a campaign's message; False where it has one already, or this one is too large."""
        ...

    def message(self, campaign: CampaignCode) -> SentMessage | None:
        """The message of a campaign, None where none was kept, it expired or cannot be read."""
        ...

    def forget(self, campaign: CampaignCode) -> None:
        """Remove a campaign's message; the next one sent is kept in its place."""
        ...

    def forget_rendered(self, workspace: WorkspaceCode) -> int:
        """Remove every message of a workspace that was rendered for one recipient; how many.
        Reads the whole table: for operators' tools.
        """
        ...

    def forget_rendered_of(self, campaigns: Collection[CampaignCode]) -> int:
        """Remove what these campaigns have of such messages; how many."""
        ...
