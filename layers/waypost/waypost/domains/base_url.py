"""Which base URL the links of a message get.

A tracking domain is used where its sending domain is the sender's, or stands above it, and is
verified; where its last checks say that its links work; and where its owner has not reverted it.
Anything else gets the stack's default host. Domains are read anew for every message, so that
reverting and removing take effect at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from waypost.domains.hostnames import extract_sender_domain
from waypost.ids import derive_workspace_id
from waypost.models.tracking_domain import (
    NO_APP_LINKS,
    STACK_WORKSPACE,
    AppLinks,
    DomainRole,
    TrackingDomain,
    is_in_domain,
)
from waypost.repositories.domains import DomainRepository


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """Where a message's links point: scheme and host, and which of them open in an app."""

    url: str
    app_links: AppLinks = NO_APP_LINKS


@dataclass(frozen=True, slots=True)
class DomainBaseUrlResolver:
    """Chooses base URLs. ``address`` is the tracking API's own, which always answers until the
    stack's default host works; ``default_host`` is that host, empty where a stack has none.
    """

    domains: DomainRepository
    api_url: str
    default_host: str = ""

    def resolve_base(self, workspace: str, sender: str | None) -> BaseUrl:
        """As ``for_message``, with what is needed to send links to apps."""
        domains = self.domains.list_by_workspace(derive_workspace_id(workspace))
        chosen = choose_domain(domains, extract_sender_domain(sender))
        if chosen is not None:
            return BaseUrl(chosen.base_url, chosen.app_links)
        return BaseUrl(self.resolve_default_url())

    def resolve_short_base(self, workspace: str, sender: str | None) -> str:
        """The base URL of short links: the workspace's short host, else as for all links."""
        domains = self.domains.list_by_workspace(derive_workspace_id(workspace))
        chosen = choose_domain(domains, None, role="short") or choose_domain(
            domains, extract_sender_domain(sender)
        )
        return chosen.base_url if chosen is not None else self.resolve_default_url()

    def resolve_default_url(self) -> str:
        """The stack's own base URL: its default host from the first time that HTTPS worked.

        Raises MalformedItem where it cannot be read whether it did: links that are sent stay.
        """
        host = self.default_host
        if host and self.domains.get_stage(STACK_WORKSPACE, host) == "https":
            return f"https://{host}"
        return self.api_url


def choose_domain(
    domains: Iterable[TrackingDomain], sender_domain: str | None, role: DomainRole = "links"
) -> TrackingDomain | None:
    """The domain of a role for a sender: the nearest sending domain first, HTTPS before HTTP, then
    the oldest. A sender without a domain (a number) belongs to every sending domain alike.
    """
    fitting = [
        domain
        for domain in domains
        if domain.role == role
        if domain.is_usable
        and (not sender_domain or is_in_domain(sender_domain, domain.sending.domain))
    ]
    return min(fitting, key=lambda domain: _domain_priority(domain, sender_domain), default=None)


def _domain_priority(
    domain: TrackingDomain, sender_domain: str | None
) -> tuple[int, int, float, str]:
    nearness = domain.sending.domain.count(".") if sender_domain else 0
    scheme = 0 if domain.stage == "https" else 1
    return (-nearness, scheme, domain.added.timestamp(), domain.host)
