"""Interface to the messages that campaigns sent."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from waypost.ids import CampaignId, WorkspaceId
from waypost.models.campaign import SentMessage


class MessageRepository(Protocol):
    """One message for each campaign. All methods raise StoreUnavailable."""

    def add(self, message: SentMessage) -> bool:
        """Store a campaign's message. Return False if it has one, or if this one is too large."""
        ...

    def get(self, campaign: CampaignId) -> SentMessage | None:
        """Return the message of a campaign, None if it is missing, expired or corrupt."""
        ...

    def delete(self, campaign: CampaignId) -> None:
        """Delete a campaign's message. The next one sent is stored instead."""
        ...

    def delete_personal_by_workspace(self, workspace: WorkspaceId) -> int:
        """Delete each message of a workspace that was rendered for one recipient. Return their
        number. Scans the table: for operators' tools.
        """
        ...

    def delete_personal_by_campaigns(self, campaigns: Collection[CampaignId]) -> int:
        """Delete such messages of these campaigns. Return their number."""
        ...
