"""What the redirect function answers below ``/.well-known/``: our own probes, and apps' files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from waypost.domains.app_links import ANDROID_PATH, APPLE_PATH, NO_APPS, AppLinks, app_file
from waypost.domains.probe_token import PATH, probe_answer
from waypost.errors import MalformedItem, StoreUnavailable
from waypost.repositories.domains import DomainStore
from waypost.responses import Response
from waypost.tokens.signer import Keyring

FOLDER: Final = "/.well-known/"


def answer(
    path: str, host: str, keyring: Callable[[], Keyring], domains: Callable[[], DomainStore]
) -> Response | None:
    """The answer to a path on a host; None where there is nothing of ours.

    ``host`` is the one that the viewer asked. What is not needed is not fetched. Raises
    StoreUnavailable, where what is stored cannot be read as well.
    """
    if path.startswith(PATH):
        return probe_answer(keyring(), path.removeprefix(PATH))
    if path in (APPLE_PATH, ANDROID_PATH):
        return app_file(path, _apps(domains(), host.lower().partition(":")[0]))
    return None


def _apps(domains: DomainStore, host: str) -> AppLinks:
    """A phone that is told of no apps believes it for long: what cannot be read is asked for again
    once it is mended.
    """
    try:
        domain = domains.by_host(host)
    except MalformedItem as e:
        raise StoreUnavailable(f"the apps of {host} cannot be read") from e
    return domain.app_links if domain else NO_APPS
