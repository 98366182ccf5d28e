"""Rewriting as Waypost does it: a message never seen, and one more recipient of one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import cast

from bench.rewriters.contestants import BASE, CAMPAIGN, KEY, Person
from tests.fakes import (
    InMemoryCampaignRepository,
    InMemoryShortLinkRepository,
    InMemoryWorkspaceRepository,
)
from waypost.models.workspace import WorkspaceSettings
from waypost.rewrite.renderer import MessageRenderer
from waypost.rewrite.schemas import Delivery, RewriteRecipient, validate_rewrite_request
from waypost.rewrite.service import FixedBaseUrl, RewriteService
from waypost.tokens import Keyring, TokenSealer

NOW = datetime(2026, 11, 21, tzinfo=UTC)
_CACHING = ("waypost.rewrite", "waypost.rewrite", "waypost.urls")
SEALER = TokenSealer(Keyring((KEY,)))


def mailing(content: str, *, liquid: bool = False) -> MessageRenderer:
    """A message, compiled, for a workspace that adds nothing to links."""
    workspaces = InMemoryWorkspaceRepository()
    workspaces.save_settings("acme", WorkspaceSettings(cio_id=False, track_opens=False))
    sending = RewriteService(
        campaigns=InMemoryCampaignRepository(),
        workspaces=workspaces,
        base_urls=FixedBaseUrl(BASE),
        short_links=InMemoryShortLinkRepository(),
        get_sealer=lambda: SEALER,
        now=lambda: NOW,
    )
    asked = {
        "workspace": "acme",
        "campaign": CAMPAIGN,
        "content": {"html": content},
        "liquid": liquid,
        "recipients": [{"delivery": "d"}],
    }
    return sending.create_renderer(validate_rewrite_request(asked), NOW)


def stamped(ready: MessageRenderer, person: Person, name: str = "Ada") -> str:
    """A message for one more recipient."""
    recipient = RewriteRecipient(
        delivery=person.delivery, person=person.person, data={"name": name}
    )
    (delivery,) = ready.render_recipients([recipient])
    return str(cast("Delivery", delivery)["content"]["html"])


def never_seen(html: str, person: Person, *, liquid: bool = False) -> str:
    """A message for one recipient, of which nothing is remembered."""
    forget()
    return stamped(mailing(html, liquid=liquid), person)


def forget() -> None:
    """Empty every cache of rewriting and sending."""
    for empty in _caches():
        empty()


@cache
def _caches() -> list[Callable[[], None]]:
    """What empties them. Looking for them takes longer than rewriting, so it is done once."""
    modules = [module for name, module in sys.modules.items() if name.startswith(_CACHING)]
    values = {id(value): value for module in modules for value in vars(module).values()}
    return [value.cache_clear for value in values.values() if hasattr(value, "cache_clear")]
