"""Rewriting with Waypost: for the first recipient of a message, and for the next."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import cast

from bench.rewriters.alternatives import CAMPAIGN, KEY, BenchRecipient
from tests.fakes import (
    InMemoryWorkspaceRepository,
)
from tests.rewrite_harness import create_rewrite_service
from waypost.models.workspace import WorkspaceSettings
from waypost.rewrite.renderer import MessageRenderer
from waypost.rewrite.schemas import Delivery, RewriteRecipient, validate_rewrite_request
from waypost.tokens import Keyring, TokenSealer

NOW = datetime(2026, 11, 21, tzinfo=UTC)
_CACHED_PACKAGES = ("waypost.rewrite", "waypost.urls")
SEALER = TokenSealer(Keyring((KEY,)))


def prepare_message(content: str, *, liquid: bool = False) -> MessageRenderer:
    """Compile a message, for a workspace that adds no parameters to links."""
    workspaces = InMemoryWorkspaceRepository()
    workspaces.save_settings("acme", WorkspaceSettings(cio_id=False, track_opens=False))
    service = create_rewrite_service(
        workspaces=workspaces, get_sealer=lambda: SEALER, now=lambda: NOW
    )
    request = {
        "workspace": "acme",
        "campaign": CAMPAIGN,
        "content": {"html": content},
        "liquid": liquid,
        "recipients": [{"delivery": "d"}],
    }
    return service.create_renderer(validate_rewrite_request(request), NOW)


def render_recipient(renderer: MessageRenderer, person: BenchRecipient, name: str = "Ada") -> str:
    """Render a message for one more recipient."""
    recipient = RewriteRecipient(
        delivery=person.delivery, person=person.person, data={"name": name}
    )
    (delivery,) = renderer.render_recipients([recipient])
    return str(cast("Delivery", delivery)["content"]["html"])


def rewrite_uncached(html: str, recipient: BenchRecipient, *, liquid: bool = False) -> str:
    """Rewrite a message for one recipient with empty caches."""
    clear_caches()
    return render_recipient(prepare_message(html, liquid=liquid), recipient)


def clear_caches() -> None:
    """Empty every cache of rewriting."""
    for clear in _list_cache_clearers():
        clear()


@cache
def _list_cache_clearers() -> list[Callable[[], None]]:
    """List the functions that empty caches, once: the search takes longer than rewriting."""
    modules = [module for name, module in sys.modules.items() if name.startswith(_CACHED_PACKAGES)]
    values = {id(value): value for module in modules for value in vars(module).values()}
    return [value.cache_clear for value in values.values() if hasattr(value, "cache_clear")]
