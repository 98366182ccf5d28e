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

WorkspaceCode = NewType("WorkspaceCode", str)
CampaignCode = NewType("CampaignCode", str)
LinkCode = NewType("LinkCode", str)

WORKSPACE_BYTES = 4
CAMPAIGN_BYTES = WORKSPACE_BYTES + 5
LINK_BYTES = CAMPAIGN_BYTES + 4

_OPENS = "00" * (LINK_BYTES - CAMPAIGN_BYTES)
_BEYOND_ATTEMPTS = 1 << 32


def workspace_code(workspace: str) -> WorkspaceCode:
    """The code of a workspace's name."""
    return WorkspaceCode(_digest("workspace", workspace, size=WORKSPACE_BYTES))


def campaign_code(workspace: str, campaign: str) -> CampaignCode:
    """The code of a campaign of a workspace, both by name."""
    return CampaignCode(
        workspace_code(workspace)
        + _digest("campaign", campaign, size=CAMPAIGN_BYTES - WORKSPACE_BYTES)
    )


def link_code(campaign: CampaignCode, identity: str, attempt: int = 0) -> LinkCode:
    """The code of a link of a campaign.

    ``identity`` is what makes two hrefs the same link (a tag, or the href as the template has it);
    ``attempt`` counts the codes that turned out to belong to other identities.
    """
    code = _digest("link", str(attempt), identity, size=LINK_BYTES - CAMPAIGN_BYTES)
    if code == _OPENS:
        return link_code(campaign, identity, attempt + _BEYOND_ATTEMPTS)
    return LinkCode(campaign + code)


def opens_code(campaign: CampaignCode) -> LinkCode:
    """What stands for the link where a message of the campaign was opened, not clicked."""
    return LinkCode(campaign + _OPENS)


def is_opens(link: LinkCode) -> bool:
    """Whether a code stands for opens instead of a link."""
    return link.endswith(_OPENS) and len(link) == 2 * LINK_BYTES


def workspace_of(code: CampaignCode | LinkCode) -> WorkspaceCode:
    """The workspace that a campaign or link belongs to."""
    return WorkspaceCode(code[: 2 * WORKSPACE_BYTES])


def campaign_of(link: LinkCode) -> CampaignCode:
    """The campaign that a link belongs to."""
    return CampaignCode(link[: 2 * CAMPAIGN_BYTES])


def _digest(*parts: str, size: int) -> str:
    hashed = blake2b(digest_size=size)
    for part in parts:
        data = part.encode()
        hashed.update(len(data).to_bytes(4) + data)
    return hashed.hexdigest()
