"""Answer well-known paths of tracking hosts: the probe of a domain, and the files of apps."""

from __future__ import annotations

from collections.abc import Callable

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


def handle_well_known_request(
    path: str,
    host: str,
    get_keyring: Callable[[], Keyring],
    get_domains: Callable[[], DomainRepository],
) -> Response | None:
    """Answer a path on the viewer's ``host``; return None for an unknown path.

    The keyring and the domains are loaded only if the path needs them. Raises StoreUnavailable,
    also for a corrupt domain.
    """
    if path.startswith(PROBE_PATH):
        return build_probe_response(get_keyring(), path.removeprefix(PROBE_PATH))
    if path in (APPLE_APP_LINKS_PATH, ANDROID_APP_LINKS_PATH):
        app_links = _load_app_links(get_domains(), host.lower().partition(":")[0])
        return build_app_links_response(path, app_links)
    return None


def _load_app_links(domains: DomainRepository, host: str) -> AppLinks:
    """Load the apps of a host; never an empty file on errors.

    A phone caches the file for long.
    """
    try:
        domain = domains.get_by_host(host)
    except CorruptItem as e:
        raise StoreUnavailable(f"app links of {host}: corrupt domain") from e
    return domain.app_links if domain else NO_APP_LINKS
