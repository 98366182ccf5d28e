"""The honeypot: a hidden link in a message that only bots follow.

The rewrite function puts it where no person sees it, so a click on it means that a program followed
every link of the markup. It is an ordinary link of its campaign. Its identity is one that no href
can have, so its id can be derived without a lookup.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from waypost.ids import CampaignId, LinkId, derive_link_id, extract_campaign_id

HONEYPOT_IDENTITY: Final = "\x00honeypot"


@lru_cache(maxsize=1024)
def derive_honeypot_id(campaign: CampaignId) -> LinkId:
    """Derive the id of a campaign's honeypot."""
    return derive_link_id(campaign, HONEYPOT_IDENTITY)


def is_honeypot(link: LinkId) -> bool:
    """Return True for the honeypot of the link's campaign."""
    return link == derive_honeypot_id(extract_campaign_id(link))
