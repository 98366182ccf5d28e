"""What a message and its workspace decide together: where links point, and which are tracked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from waypost.domains.base_url import Base
from waypost.errors import TokenError
from waypost.models.short_link import read_code
from waypost.models.workspace import WorkspaceSettings
from waypost.rewrite.link_rules import Rules
from waypost.rewrite.schemas import Message
from waypost.rewrite.short_links import PATH as SHORT
from waypost.tokens import Sealer
from waypost.tokens.paths import CLICKS
from waypost.urls import authority_of

_SHORTENED: Final = ("sms", "whatsapp")


class BaseUrls(Protocol):
    """Where the tracking links of a message point to."""

    def base(self, workspace: str, sender: str | None) -> Base:
        """Scheme and host, without a slash at the end, and which links open in an app."""
        ...

    def short(self, workspace: str, sender: str | None) -> str:
        """The same for short links: a host of their own, where the workspace has one."""
        ...


@dataclass(frozen=True, slots=True)
class OneBaseUrl:
    """The same base URL for every message."""

    base_url: str

    def base(self, workspace: str, sender: str | None) -> Base:  # noqa: ARG002
        return Base(self.base_url)

    def short(self, workspace: str, sender: str | None) -> str:  # noqa: ARG002
        return self.base_url


def short_base(base_urls: BaseUrls, request: Message, settings: WorkspaceSettings) -> str:
    """Scheme and host of the message's short links; empty where its links are not shortened."""
    if request.channel in _SHORTENED and getattr(settings.shorten, request.channel):
        return base_urls.short(request.workspace, request.sender)
    return ""


def rules_of(request: Message, settings: WorkspaceSettings, sealer: Sealer, *bases: str) -> Rules:
    """What this message and its workspace decided about links."""
    return Rules(
        track=request.track,
        url_params=request.url_params,
        own_authorities=frozenset(filter(None, map(authority_of, bases))),
        is_own_link=lambda href: _is_ours(href, sealer),
        schemes=frozenset(scheme.lower() for scheme in settings.schemes),
        secret_links=settings.secret_links,
        never_track=settings.never_track,
        track_opens=request.track_opens and settings.track_opens,
        honeypot=request.honeypot,
        is_own_pixel=lambda token: _opens(sealer.opens.open, token),
    )


def _is_ours(href: str, sealer: Sealer) -> bool:
    """Whether a link is one of ours, on whatever host. No other path looks like a short one."""
    _, found, token = href.partition(CLICKS)
    if found:
        return _opens(sealer.open, token)
    host, found, code = href.partition(SHORT)
    return bool(found) and host.count("/") == 2 and read_code(code) is not None


def _opens(open_: Callable[[str], object], token: str) -> bool:
    try:
        open_(token)
    except TokenError:
        return False
    return True
