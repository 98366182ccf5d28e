"""The base URL for a message's links.

A tracking domain is used if its sending domain is the sender's domain or a parent of it and is
verified, if its last checks say that its links work, and if its owner has not reverted it. All
other messages use the stack's default host. Domains are read for every message, so reverting and
removing take effect at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from waypost.domains.hostnames import extract_sender_domain
from waypost.ids import WorkspaceId
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
    """Scheme and host of a message's links, and the links that open in an app."""

    url: str
    app_links: AppLinks = NO_APP_LINKS


@dataclass(frozen=True, slots=True)
class DomainBaseUrlResolver:
    """Chooses base URLs.

    ``api_url`` is the tracking API's own URL, which works before the stack's default host does.
    ``default_host`` is empty if the stack has none.
    """

    domains: DomainRepository
    api_url: str
    default_host: str = ""

    def resolve_base(self, workspace: WorkspaceId, sender: str | None) -> BaseUrl:
        """Choose the base for a message of a workspace from a sender (a From value or a number).

        The URL has no slash at the end. Raises StoreUnavailable.
        """
        domains = self.domains.list_by_workspace(workspace)
        chosen = choose_domain(domains, extract_sender_domain(sender))
        if chosen is not None:
            return BaseUrl(chosen.base_url, chosen.app_links)
        return BaseUrl(self.resolve_default_url())

    def resolve_short_base(self, workspace: WorkspaceId, sender: str | None) -> str:
        """Choose the base URL of short links: the workspace's short host, else as for all links."""
        domains = self.domains.list_by_workspace(workspace)
        chosen = choose_domain(domains, None, role="short") or choose_domain(
            domains, extract_sender_domain(sender)
        )
        return chosen.base_url if chosen is not None else self.resolve_default_url()

    def resolve_default_url(self) -> str:
        """Return the stack's own base URL: its default host once HTTPS has worked there.

        Raises CorruptItem if the default host's stage cannot be read, because the links of a sent
        message cannot be changed later.
        """
        host = self.default_host
        if host and self.domains.get_stage(STACK_WORKSPACE, host) == "https":
            return f"https://{host}"
        return self.api_url


def choose_domain(
    domains: Iterable[TrackingDomain], sender_domain: str | None, role: DomainRole = "links"
) -> TrackingDomain | None:
    """Choose the domain of a role for a sender.

    The nearest sending domain wins, then HTTPS before HTTP, then the oldest. A sender without a
    domain (a number) belongs to every sending domain.
    """
    usable = [
        domain
        for domain in domains
        if domain.role == role
        if domain.is_usable
        and (not sender_domain or is_in_domain(sender_domain, domain.sending.domain))
    ]
    return min(usable, key=lambda domain: _domain_priority(domain, sender_domain), default=None)


def _domain_priority(
    domain: TrackingDomain, sender_domain: str | None
) -> tuple[int, int, float, str]:
    nearness = domain.sending.domain.count(".") if sender_domain else 0
    scheme = 0 if domain.stage == "https" else 1
    return (-nearness, scheme, domain.added.timestamp(), domain.host)
