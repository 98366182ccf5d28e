"""Where something of a person may be: campaigns with a row of theirs, messages rendered for them.

Neither is kept by person. The whole table has them for sure, which is for operators' tools. The
list of a workspace's campaigns is found much faster, and holds each campaign that was sent since
there are lists, or since an operator listed those of before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from waypost.ids import CampaignCode, WorkspaceCode
from waypost.model.row_key import RowKey
from waypost.repositories.messages import MessageStore
from waypost.repositories.pagination import Page
from waypost.repositories.recipients import RecipientStore

CAMPAIGNS_A_PAGE: Final = 100


class CampaignList(Protocol):
    """The list of a workspace's campaigns (``waypost.store.campaigns``)."""

    def codes_of_workspace(
        self, workspace: WorkspaceCode, *, cursor: str | None, limit: int
    ) -> Page[CampaignCode]: ...


@dataclass(frozen=True, slots=True)
class Seeking:
    """Looks by ``listed``, or through the whole table without it."""

    recipients: RecipientStore
    messages: MessageStore
    listed: CampaignList | None

    def forget_rendered(self, workspace: WorkspaceCode) -> Iterator[int]:
        """Remove the messages that were rendered for one recipient; how many, by step."""
        if self.listed is None:
            yield self.messages.forget_rendered(workspace)
            return
        for campaigns in self._pages(self.listed, workspace):
            yield self.messages.forget_rendered_of(campaigns)

    def campaigns_of(
        self, workspace: WorkspaceCode, recipient: str
    ) -> Iterator[Collection[CampaignCode]]:
        """Campaigns that have a row of a recipient, some at a time."""
        if self.listed is None:
            yield self.recipients.campaigns_of(workspace, recipient)
            return
        for campaigns in self._pages(self.listed, workspace):
            yield self.rows_among(campaigns, recipient)

    def rows_among(self, campaigns: Collection[CampaignCode], recipient: str) -> list[CampaignCode]:
        """Of these campaigns, those that have a row of a recipient."""
        rows = self.recipients.rows([RowKey(code, recipient) for code in campaigns])
        return [key.campaign for key, row in rows.items() if row.version]

    def _pages(
        self, listed: CampaignList, workspace: WorkspaceCode
    ) -> Iterator[Sequence[CampaignCode]]:
        cursor = None
        while True:
            page = listed.codes_of_workspace(workspace, cursor=cursor, limit=CAMPAIGNS_A_PAGE)
            yield page.items
            cursor = page.cursor
            if cursor is None:
                return
