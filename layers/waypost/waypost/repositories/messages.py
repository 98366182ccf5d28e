"""Interface to the messages that campaigns sent."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from waypost.ids import CampaignId, WorkspaceId
from waypost.models.campaign import MessageAbsence, SentMessage


class MessageRepository(Protocol):
    """The first message of each campaign; of messages for single recipients, those of the first
    two. All methods raise StoreUnavailable.
    """

    def add(self, message: SentMessage) -> bool:
        """Store a campaign's message. Return False if it is not needed, or too large."""
        ...

    def note_absence(self, campaign: CampaignId, reason: MessageAbsence) -> None:
        """Note why a campaign has no message, unless it has or had one."""
        ...

    def get(self, campaign: CampaignId) -> SentMessage | MessageAbsence:
        """Return the message of a campaign, or the reason why it is missing."""
        ...

    def delete_personal_by_workspace(self, workspace: WorkspaceId, recipient: str) -> int:
        """Delete each message of a workspace that may be this recipient's. Return their number.
        Scans the table: for operators' tools.
        """
        ...

    def delete_personal_by_campaigns(
        self, campaigns: Collection[CampaignId], recipient: str
    ) -> int:
        """Delete such messages of these campaigns. Return their number."""
        ...
