"""The interface to campaigns, their links and their figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from waypost.codes import CampaignCode, LinkCode
from waypost.model.campaign import Campaign
from waypost.model.counters import CampaignCounts
from waypost.model.link import Link, LinkDefinition


class CampaignStore(Protocol):
    """Campaigns with what hangs on them. All methods raise StoreUnavailable."""

    def open(
        self, workspace: str, campaign: str, *, kind: str, channel: str, now: datetime
    ) -> CampaignCode:
        """The code of a campaign, which is noted where it is new. Kind and channel are those of
        the first call. Raises Clash where another name has the code.
        """
        ...

    def define_links(
        self, campaign: CampaignCode, links: Sequence[LinkDefinition], now: datetime
    ) -> list[LinkCode]:
        """The codes of links, in their order; those that are new are noted. A definition stays as
        it was first given; links of one identity are one link.
        """
        ...

    def add_sent(
        self,
        campaign: CampaignCode,
        deliveries: int,
        idempotency_key: str | None,
        signed: Mapping[str, int] | None = None,
    ) -> bool:
        """Count deliveries as sent, and their links by the fingerprint of the key that ``signed``
        them; False, counting nothing, where the idempotency key was given before.
        """
        ...

    def signed(self, fingerprint: str) -> dict[CampaignCode, int]:
        """How many links a key signed, by campaign. Reads every item there is: for tools."""
        ...

    def campaign(self, campaign: CampaignCode) -> Campaign | None:
        """The campaign, or None where no message of it was ever rewritten."""
        ...

    def links(self, campaign: CampaignCode) -> list[Link]:
        """All links of a campaign, in no particular order."""
        ...

    def find_links(self, codes: Collection[LinkCode]) -> dict[LinkCode, Link]:
        """The links of these codes, of any campaigns; codes that are nobody's are left out."""
        ...

    def counts(self, campaign: CampaignCode) -> CampaignCounts:
        """All figures of a campaign; zeros where nothing was counted."""
        ...
