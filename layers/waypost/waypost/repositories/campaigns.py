"""The interface to campaigns, their links and their figures."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

from waypost.ids import CampaignId, LinkId, WorkspaceId
from waypost.models.campaign import Campaign, Link, LinkDefinition
from waypost.models.counters import CampaignCounts
from waypost.repositories.pagination import Page

CAMPAIGN_LIST_KEY_PATTERN: Final = re.compile(r"[0-9T:.-]{23}Z#[0-9a-f]{18}", re.ASCII)
"""What cursors of a list of campaigns name."""


class CampaignRepository(Protocol):
    """Campaigns with what hangs on them. All methods raise StoreUnavailable.

    What cannot be read back is told in the log. A list goes on without it; a campaign that is asked
    for, and figures of which a part would be missing, raise MalformedItem.
    """

    def get_or_create(
        self, workspace: str, campaign: str, *, kind: str, channel: str, now: datetime
    ) -> CampaignId:
        """The code of a campaign, which is noted and listed where it is new. Kind and channel are
        those of the first call. Raises Clash where another name has the code.
        """
        ...

    def define_links(
        self, campaign: CampaignId, links: Sequence[LinkDefinition], now: datetime
    ) -> list[LinkId]:
        """The codes of links, in their order; those that are new are noted. A definition stays as
        it was first given; links of one identity are one link.
        """
        ...

    def add_deliveries(
        self,
        campaign: CampaignId,
        deliveries: int,
        idempotency_key: str | None,
        links_by_key: Mapping[str, int] | None = None,
    ) -> bool:
        """Count deliveries as sent, and their links by the fingerprint of the key that ``signed``
        them; False, counting nothing, where the idempotency key was given before.
        """
        ...

    def count_links_by_key(self, fingerprint: str) -> dict[CampaignId, int]:
        """How many links a key signed, by campaign. Reads every item there is: for tools."""
        ...

    def get(self, campaign: CampaignId) -> Campaign | None:
        """The campaign, or None where no message of it was ever rewritten."""
        ...

    def list_by_workspace(
        self, workspace: WorkspaceId, *, cursor: str | None, limit: int
    ) -> Page[Campaign]:
        """Some of a workspace's campaigns, newest first by when they were first seen; of those
        listed, ``spread`` is not known. Raises InvalidRequest for a cursor that no page gave.
        """
        ...

    def list_ids_by_workspace(
        self, workspace: WorkspaceId, *, cursor: str | None, limit: int
    ) -> Page[CampaignId]:
        """The same of their codes, those of campaigns included that cannot be read."""
        ...

    def get_headline_counts(
        self, campaigns: Collection[CampaignId]
    ) -> dict[CampaignId, CampaignCounts]:
        """The figures of whole campaigns, without those of links and hours; campaigns are left out
        of which they cannot be read.
        """
        ...

    def backfill_list(self) -> int:
        """List campaigns that were noted before there was a list; how many. Safe to repeat. Reads
        the whole table: for operators' tools.
        """
        ...

    def list_links(self, campaign: CampaignId) -> list[Link]:
        """All links of a campaign, in no particular order."""
        ...

    def find_links(self, link_ids: Collection[LinkId]) -> dict[LinkId, Link]:
        """The links of these codes, of any campaigns; codes that are nobody's are left out."""
        ...

    def get_counts(self, campaign: CampaignId) -> CampaignCounts:
        """All figures of a campaign; zeros where nothing was counted."""
        ...
