"""Names of workspaces, campaigns and links, shortened to fixed-width codes.

A code is a truncated BLAKE2b hash in lower-case hex, each nested in the one before it, so that
whoever holds a link's code holds the codes of its campaign and workspace as well, without reading
anything:

    workspace  xxxxxxxx                      4 bytes
    campaign   xxxxxxxxyyyyyyyyyy            workspace + 5 bytes
    link       xxxxxxxxyyyyyyyyyyzzzzzzzz    campaign + 4 bytes

Widths are a trade between the length of every link and collisions (birthday bound). Two among
1,000 workspaces collide with probability 1e-4, two among 10,000 campaigns of a workspace with
5e-5: the second comer is refused by name (``errors.Clash``). Links of a campaign can number
millions where every recipient has one of their own, so theirs are resolved: ``attempt`` gives the
next code to try. The stored definition decides who owns a code.

The link code of all zeros is nobody's: it stands where an open of a message has no link.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NewType

WorkspaceId = NewType("WorkspaceId", str)
CampaignId = NewType("CampaignId", str)
LinkId = NewType("LinkId", str)

WORKSPACE_ID_BYTES = 4
CAMPAIGN_ID_BYTES = WORKSPACE_ID_BYTES + 5
LINK_ID_BYTES = CAMPAIGN_ID_BYTES + 4

_OPEN_SUFFIX = "00" * (LINK_ID_BYTES - CAMPAIGN_ID_BYTES)
_EXTRA_ATTEMPT_OFFSET = 1 << 32


def derive_workspace_id(workspace: str) -> WorkspaceId:
    """The code of a workspace's name."""
    return WorkspaceId(_hash_parts("workspace", workspace, size=WORKSPACE_ID_BYTES))


def derive_campaign_id(workspace: str, campaign: str) -> CampaignId:
    """The code of a campaign of a workspace, both by name."""
    return CampaignId(
        derive_workspace_id(workspace)
        + _hash_parts("campaign", campaign, size=CAMPAIGN_ID_BYTES - WORKSPACE_ID_BYTES)
    )


def derive_link_id(campaign: CampaignId, identity: str, attempt: int = 0) -> LinkId:
    """The code of a link of a campaign.

    ``identity`` is what makes two hrefs the same link (a tag, or the href as the template has it);
    ``attempt`` counts the codes that turned out to belong to other identities.
    """
    code = _hash_parts("link", str(attempt), identity, size=LINK_ID_BYTES - CAMPAIGN_ID_BYTES)
    if code == _OPEN_SUFFIX:
        return derive_link_id(campaign, identity, attempt + _EXTRA_ATTEMPT_OFFSET)
    return LinkId(campaign + code)


def derive_open_id(campaign: CampaignId) -> LinkId:
    """What stands for the link where a message of the campaign was opened, not clicked."""
    return LinkId(campaign + _OPEN_SUFFIX)


def is_open_id(link: LinkId) -> bool:
    """Whether a code stands for opens instead of a link."""
    return link.endswith(_OPEN_SUFFIX) and len(link) == 2 * LINK_ID_BYTES


def extract_workspace_id(campaign_or_link: CampaignId | LinkId) -> WorkspaceId:
    """The workspace that a campaign or link belongs to."""
    return WorkspaceId(campaign_or_link[: 2 * WORKSPACE_ID_BYTES])


def extract_campaign_id(link: LinkId) -> CampaignId:
    """The campaign that a link belongs to."""
    return CampaignId(link[: 2 * CAMPAIGN_ID_BYTES])


def _hash_parts(*parts: str, size: int) -> str:
    hashed = blake2b(digest_size=size)
    for part in parts:
        data = part.encode()
        hashed.update(len(data).to_bytes(4) + data)
    return hashed.hexdigest()
