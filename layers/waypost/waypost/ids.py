"""Derive the ids of workspaces, campaigns and links from their names, and refuse colliding names.

An id is a truncated BLAKE2b hash in lower-case hex. A link's id contains the ids of its campaign
and workspace, so these are known without a lookup:

    workspace  xxxxxxxx                      4 bytes
    campaign   xxxxxxxxyyyyyyyyyy            workspace + 5 bytes
    link       xxxxxxxxyyyyyyyyyyzzzzzzzz    campaign + 4 bytes

The widths trade the length of every link against collisions (birthday bound). Two among 1,000
workspaces collide with probability 1e-4, two among 10,000 campaigns of a workspace with 5e-5; the
second name is refused (``errors.AlreadyExists``). Anyone can compute a name with a given id, so
only the name that claimed a workspace's id may use it (``check_owner``). A campaign may have
millions of links, one per recipient, so collisions of links are resolved: ``attempt`` selects the
next id. The stored definition decides which link an id belongs to.

A link id that ends in zeros belongs to no link: it identifies opens of a campaign's messages.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NewType

from waypost.errors import AlreadyExists

WorkspaceId = NewType("WorkspaceId", str)
CampaignId = NewType("CampaignId", str)
LinkId = NewType("LinkId", str)

WORKSPACE_ID_BYTES = 4
CAMPAIGN_ID_BYTES = WORKSPACE_ID_BYTES + 5
LINK_ID_BYTES = CAMPAIGN_ID_BYTES + 4

_OPEN_SUFFIX = "00" * (LINK_ID_BYTES - CAMPAIGN_ID_BYTES)
_EXTRA_ATTEMPT_OFFSET = 1 << 32


def derive_workspace_id(workspace: str) -> WorkspaceId:
    """Derive the id of a workspace from its name."""
    return WorkspaceId(_hash_parts("workspace", workspace, size=WORKSPACE_ID_BYTES))


def check_owner(workspace: str, owner: str | None) -> None:
    """Compare a workspace's name with the name that claimed its id, None before the first write.

    Raises AlreadyExists, which does not name the owner.
    """
    if owner not in (None, workspace):
        raise AlreadyExists(
            "workspace", workspace, "its id belongs to another name; choose another name"
        )


def derive_campaign_id(workspace: str, campaign: str) -> CampaignId:
    """Derive the id of a campaign from its name and its workspace's name."""
    return CampaignId(
        derive_workspace_id(workspace)
        + _hash_parts("campaign", campaign, size=CAMPAIGN_ID_BYTES - WORKSPACE_ID_BYTES)
    )


def derive_link_id(campaign: CampaignId, identity: str, attempt: int = 0) -> LinkId:
    """Derive the id of a link of a campaign.

    ``identity`` is equal for hrefs of the same link: a tag, or the href of the template.
    ``attempt`` is the number of ids that already belong to other identities.
    """
    suffix = _hash_parts("link", str(attempt), identity, size=LINK_ID_BYTES - CAMPAIGN_ID_BYTES)
    if suffix == _OPEN_SUFFIX:
        return derive_link_id(campaign, identity, attempt + _EXTRA_ATTEMPT_OFFSET)
    return LinkId(campaign + suffix)


def derive_open_id(campaign: CampaignId) -> LinkId:
    """Derive the id that replaces the link's when a message of the campaign is opened."""
    return LinkId(campaign + _OPEN_SUFFIX)


def is_open_id(link: LinkId) -> bool:
    """Return True for an id of opens, False for a link's."""
    return link.endswith(_OPEN_SUFFIX) and len(link) == 2 * LINK_ID_BYTES


def extract_workspace_id(campaign_or_link: CampaignId | LinkId) -> WorkspaceId:
    """Return the workspace of a campaign or link."""
    return WorkspaceId(campaign_or_link[: 2 * WORKSPACE_ID_BYTES])


def extract_campaign_id(link: LinkId) -> CampaignId:
    """Return the campaign of a link."""
    return CampaignId(link[: 2 * CAMPAIGN_ID_BYTES])


def _hash_parts(*parts: str, size: int) -> str:
    hashed = blake2b(digest_size=size)
    for part in parts:
        data = part.encode()
        hashed.update(len(data).to_bytes(4) + data)
    return hashed.hexdigest()
