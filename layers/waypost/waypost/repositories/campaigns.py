"""Interface to campaigns, their links and their figures."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

from waypost.ids import CampaignId, LinkId, WorkspaceId
from waypost.models.campaign import Campaign, Link, LinkDefinition
from waypost.models.counters import CampaignCounts
from waypost.repositories.pagination import Page

CAMPAIGN_LIST_KEY_PATTERN: Final = re.compile(r"[0-9T:.-]{23}Z#[0-9a-f]{18}", re.ASCII)
"""Sort keys of the list of campaigns, which its cursors name."""


class CampaignRepository(Protocol):
    """Campaigns with their links and figures. All methods raise StoreUnavailable.

    Corrupt items are logged. A list leaves them out. ``get`` raises CorruptItem, and so do figures
    of which a part would be missing.
    """

    def get_or_create(
        self, workspace: str, campaign: str, *, kind: str, channel: str, now: datetime
    ) -> CampaignId:
        """Return the id of a campaign, and store and list a new one. Kind and channel of the first
        call stay. Raises AlreadyExists if the id belongs to another name.
        """
        ...

    def define_links(
        self, campaign: CampaignId, links: Sequence[LinkDefinition], now: datetime
    ) -> list[LinkId]:
        """Return the ids of links, in their order, and store new ones. The first definition of a
        link stays; links with the same identity are one link.

        A new link of one person only is recorded under the person first. A stored link of another
        recipient becomes a link of several, and its definition merges (``LinkDefinition.merge``).
        """
        ...

    def erase_link(self, link: LinkId, recipient: str) -> bool:
        """Remove identity, URL and tag from a link that only this recipient has (their hash).
        Return False, and change nothing, if others have it as well, or if it is not stored.
        """
        ...

    def add_deliveries(
        self,
        campaign: CampaignId,
        deliveries: int,
        idempotency_key: str | None,
        links_by_key: Mapping[str, int] | None = None,
    ) -> bool:
        """Count deliveries as sent, and their links by the fingerprint of the signing key. Return
        False, and count nothing, if the idempotency key was used before.
        """
        ...

    def count_links_by_key(self, fingerprint: str) -> dict[CampaignId, int]:
        """Count the links that a key signed, by campaign. Scans the table: for operators' tools."""
        ...

    def get(self, campaign: CampaignId) -> Campaign | None:
        """Return the campaign, or None if none of its messages was ever rewritten."""
        ...

    def list_by_workspace(
        self, workspace: WorkspaceId, *, cursor: str | None, limit: int
    ) -> Page[Campaign]:
        """Return a page of a workspace's campaigns, newest first by the time of their first
        message. ``is_sharded`` is unknown for them. Raises InvalidRequest for an invalid cursor.
        """
        ...

    def list_ids_by_workspace(
        self, workspace: WorkspaceId, *, cursor: str | None, limit: int
    ) -> Page[CampaignId]:
        """Return the same page as ids, which include those of corrupt campaigns."""
        ...

    def get_headline_counts(
        self, campaigns: Collection[CampaignId]
    ) -> dict[CampaignId, CampaignCounts]:
        """Return the figures of whole campaigns, without those of links and hours. Campaigns with a
        corrupt counter are left out.
        """
        ...

    def backfill_list(self) -> int:
        """List campaigns stored by a release without lists. Return their number. Safe to repeat.
        Scans the table: for operators' tools.
        """
        ...

    def scan_all(self) -> Iterator[Campaign]:
        """Yield the readable campaigns of all workspaces, in no particular order. Scans the table:
        for operators' tools.
        """
        ...

    def list_links(self, campaign: CampaignId) -> list[Link]:
        """Return all links of a campaign, in no particular order."""
        ...

    def find_links(self, link_ids: Collection[LinkId]) -> dict[LinkId, Link]:
        """Return the links with these ids, of any campaigns. Unknown ids are left out."""
        ...

    def get_counts(self, campaign: CampaignId) -> CampaignCounts:
        """Return all figures of a campaign, zeros if nothing was counted."""
        ...
