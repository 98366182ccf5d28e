"""Messages of campaigns in memory."""

from __future__ import annotations

from waypost.codes import CampaignCode, WorkspaceCode, workspace_of
from waypost.model.message import SentMessage


class MemoryMessages:
    """``waypost.store.messages.MessageStore``."""

    def __init__(self) -> None:
        self._messages: dict[CampaignCode, SentMessage] = {}

    def keep(self, message: SentMessage) -> bool:
        if message.campaign in self._messages or message.to_item() is None:
            return False
        self._messages[message.campaign] = message
        return True

    def message(self, campaign: CampaignCode) -> SentMessage | None:
        return self._messages.get(campaign)

    def forget(self, campaign: CampaignCode) -> None:
        self._messages.pop(campaign, None)

    def forget_rendered(self, workspace: WorkspaceCode) -> int:
        rendered = [
            campaign
            for campaign, message in self._messages.items()
            if message.rendered and workspace_of(campaign) == workspace
        ]
        for campaign in rendered:
            self.forget(campaign)
        return len(rendered)
