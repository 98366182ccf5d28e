"""What the redirect function answers below ``/.well-known/``: our own probes, and apps' files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from waypost.domains.app_links import (
    ANDROID_APP_LINKS_PATH,
    APPLE_APP_LINKS_PATH,
    build_app_links_response,
)
from waypost.domains.probe_token import PROBE_PATH, build_probe_response
from waypost.errors import CorruptItem, StoreUnavailable
from waypost.models.tracking_domain import NO_APP_LINKS, AppLinks
from waypost.repositories.domains import DomainRepository
from waypost.responses import Response
from waypost.tokens.signer import Keyring

WELL_KNOWN_PREFIX: Final = "/.well-known/"


def handle_well_known_request(
    path: str, host: str, keyring: Callable[[], Keyring], domains: Callable[[], DomainRepository]
) -> Response | None:
    """The answer to a path on a host; None where there is nothing of ours.

    ``host`` is the one that the viewer asked. What is not needed is not fetched. Raises
    StoreUnavailable, where what is stored cannot be read as well.
    """
    if path.startswith(PROBE_PATH):
        return build_probe_response(keyring(), path.removeprefix(PROBE_PATH))
    if path in (APPLE_APP_LINKS_PATH, ANDROID_APP_LINKS_PATH):
        return build_app_links_response(
            path, _load_app_links(domains(), host.lower().partition(":")[0])
        )
    return None


def _load_app_links(domains: DomainRepository, host: str) -> AppLinks:
    """A phone that is told of no apps believes it for long: what cannot be read is asked for again
    once it is mended.
    """
    try:
        domain = domains.get_by_host(host)
    except CorruptItem as e:
        raise StoreUnavailable(f"the apps of {host} cannot be read") from e
    return domain.app_links if domain else NO_APP_LINKS
