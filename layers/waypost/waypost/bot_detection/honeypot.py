"""The hidden link that a message may carry for machines alone.

The rewrite function puts it where no person sees it; whoever follows it reads markup. It is an
ordinary link of the campaign with an identity that no href can have, so it is known by its code.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from waypost.ids import CampaignId, LinkId, derive_link_id, extract_campaign_id

HONEYPOT_IDENTITY: Final = "\x00honeypot"


@lru_cache(maxsize=1024)
def derive_honeypot_id(campaign: CampaignId) -> LinkId:
    """The code of a campaign's hidden link."""
    return derive_link_id(campaign, HONEYPOT_IDENTITY)


def is_honeypot(link: LinkId) -> bool:
    return link == derive_honeypot_id(extract_campaign_id(link))
