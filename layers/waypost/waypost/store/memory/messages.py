"""Messages of campaigns in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from waypost.ids import CampaignCode, WorkspaceCode, workspace_of
from waypost.model.message import SentMessage


class MemoryMessages:
    """``waypost.store.messages.MessageStore``. ``clock`` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._messages: dict[CampaignCode, SentMessage] = {}

    def keep(self, message: SentMessage) -> bool:
        if message.campaign in self._messages or message.to_item() is None:
            return False
        self._messages[message.campaign] = message
        return True

    def message(self, campaign: CampaignCode) -> SentMessage | None:
        message = self._messages.get(campaign)
        return message if message and message.expires > self._clock() else None

    def forget(self, campaign: CampaignCode) -> None:
        self._messages.pop(campaign, None)

    def forget_rendered(self, workspace: WorkspaceCode) -> int:
        campaigns = [code for code in self._messages if workspace_of(code) == workspace]
        return self.forget_rendered_of(campaigns)

    def forget_rendered_of(self, campaigns: Collection[CampaignCode]) -> int:
        found = [self._messages.get(campaign) for campaign in campaigns]
        rendered = [message.campaign for message in found if message and message.rendered]
        for campaign in rendered:
            self.forget(campaign)
        return len(rendered)
