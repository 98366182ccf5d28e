"""The interface to the messages that campaigns sent."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from waypost.ids import CampaignId, WorkspaceId
from waypost.models.campaign import SentMessage


class MessageRepository(Protocol):
    """One message a campaign. All methods raise StoreUnavailable."""

    def add(self, message: SentMessage) -> bool:
        """Keep a campaign's message; False where it has one already, or this one is too large."""
        ...

    def get(self, campaign: CampaignId) -> SentMessage | None:
        """The message of a campaign, None where none was kept, it expired or cannot be read."""
        ...

    def delete(self, campaign: CampaignId) -> None:
        """Remove a campaign's message; the next one sent is kept in its place."""
        ...

    def delete_personal_by_workspace(self, workspace: WorkspaceId) -> int:
        """Remove every message of a workspace that was rendered for one recipient; how many.
        Reads the whole table: for operators' tools.
        """
        ...

    def delete_personal_by_campaigns(self, campaigns: Collection[CampaignId]) -> int:
        """Remove what these campaigns have of such messages; how many."""
        ...
