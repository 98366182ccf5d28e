"""The hidden link that a message may carry for machines alone.

The rewrite function puts it where no person sees it; whoever follows it reads markup. It is an
ordinary link of the campaign with an identity that no href can have, so it is known by its code.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from waypost.ids import CampaignCode, LinkCode, campaign_of, link_code

HONEYPOT_IDENTITY: Final = "\x00honeypot"


@lru_cache(maxsize=1024)
def honeypot_link(campaign: CampaignCode) -> LinkCode:
    """The code of a campaign's hidden link."""
    return link_code(campaign, HONEYPOT_IDENTITY)


def is_honeypot(link: LinkCode) -> bool:
    return link == honeypot_link(campaign_of(link))
