"""What the management routes do: add, list, show, change, revert and remove tracking domains.

    POST   /v1/workspaces/{ws}/domains                  add, or take up again what is being removed
    GET    /v1/workspaces/{ws}/domains                  list
    GET    /v1/workspaces/{ws}/domains/{host}           show
    POST   /v1/workspaces/{ws}/domains/{host}           change, revert, take up again
    DELETE /v1/workspaces/{ws}/domains/{host}           remove
    POST   /v1/workspaces/{ws}/domains/{host}/verify    check now (``verifying``)

Nothing here touches the network or the CDN: removing only says what is wanted, and later checks
carry it out. New messages fall back at once all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_hex
from typing import Final

from waypost.domains.events import DomainEventPublisher
from waypost.domains.schemas import AddDomainRequest, ChangeDomainRequest
from waypost.domains.status import DomainList, DomainStatus, build_domain_status
from waypost.errors import AlreadyExists, CorruptItem, InvalidRequest, NotFound
from waypost.models.tracking_domain import (
    STACK_WORKSPACE,
    STACK_WORKSPACE_NAME,
    CnameTargets,
    DomainUse,
    SendingDomain,
    TrackingDomain,
    create_domain,
    is_in_domain,
    resolve_workspace_id,
)
from waypost.repositories.corrupt_items import log_corrupt_item
from waypost.repositories.domains import DomainRepository

MAX_WORKSPACE_DOMAINS: Final = 50
"""Of one workspace: each costs a tenant and a certificate, of which an account has few."""


@dataclass(frozen=True, slots=True)
class DomainService:
    domains: DomainRepository
    targets: CnameTargets
    event_publisher: DomainEventPublisher
    now: Callable[[], datetime]

    def add_domain(self, workspace: str, body: AddDomainRequest) -> DomainStatus:
        """Add a domain, or take up again one that is being removed; gives its status.

        Raises InvalidRequest for a host of our own, Clash where it is taken or one too many.
        """
        self._reject_stack_host(body.host)
        _reject_stack_workspace(workspace, body.host)
        code = resolve_workspace_id(workspace)
        known = self.domains.get(code, body.host)
        if known is not None and known.use == "removed":
            return self._build_status(
                self._save_and_publish(known, self._set_use(self._apply_changes(known, body), "on"))
            )
        if len(self.domains.list_by_workspace(code)) >= MAX_WORKSPACE_DOMAINS:
            raise AlreadyExists(
                "tracking domain", body.host, f"a workspace has at most {MAX_WORKSPACE_DOMAINS}"
            )
        parent = body.host.partition(".")[2]
        domain = create_domain(code, workspace, body.host, parent, token_hex(16), self.now())
        domain = self._apply_changes(domain, body)
        self.domains.add(domain)
        return self._build_status(domain)

    def list_domains(self, workspace: str) -> DomainList:
        """All domains of a workspace that can be read, oldest first; those being removed too."""
        domains = self.domains.list_by_workspace(resolve_workspace_id(workspace))
        told = [self._build_status_or_none(domain) for domain in domains]
        return DomainList(domains=[status for status in told if status is not None])

    def get_domain(self, workspace: str, host: str) -> DomainStatus:
        """One domain's status. Raises NotFound."""
        return self._build_status(self._load_domain(workspace, host))

    def change_domain(self, workspace: str, host: str, body: ChangeDomainRequest) -> DomainStatus:
        """Change the keys given; gives the status after. Raises NotFound, Clash, Conflict."""
        _reject_stack_workspace(workspace, host)
        domain = self._load_domain(workspace, host)
        if domain.use == "removed":
            raise AlreadyExists(
                "tracking domain", host, "is being removed; add it again to keep it"
            )
        changed = self._apply_changes(domain, body)
        if body.reverted is not None:
            changed = self._set_use(changed, "reverted" if body.reverted else "on")
        return self._build_status(self._save_and_publish(domain, changed))

    def remove_domain(self, workspace: str, host: str) -> DomainStatus:
        """Stop using a domain at once. It is let go of once its DNS no longer points at us, so
        that links already sent keep working until then. Raises NotFound, Conflict.
        """
        _reject_stack_workspace(workspace, host)
        domain = self._load_domain(workspace, host)
        return self._build_status(self._save_and_publish(domain, self._set_use(domain, "removed")))

    def ensure_default_host(self) -> None:
        """Have the stack's own default host among the domains that are checked.

        Raises MalformedItem, or Clash, where it is there and cannot be read, or only its claim is.
        """
        host = self.targets.default_host
        if host and self.domains.get(STACK_WORKSPACE, host) is None:
            self.domains.add(
                create_domain(
                    STACK_WORKSPACE, STACK_WORKSPACE_NAME, host, host, token_hex(16), self.now()
                )
            )

    def _load_domain(self, workspace: str, host: str) -> TrackingDomain:
        domain = self.domains.get(resolve_workspace_id(workspace), host.strip().lower())
        if domain is None:
            raise NotFound("tracking domain", host)
        return domain

    def _apply_changes(self, domain: TrackingDomain, body: ChangeDomainRequest) -> TrackingDomain:
        """The domain with sending and apps as the body says; to be checked at once if the
        sending domain is another or is vouched for otherwise.
        """
        sending = domain.sending
        if body.sending_domain not in (None, sending.domain):
            sending = SendingDomain(str(body.sending_domain))
        if body.sending_verified is not None:
            vouched = body.sending_verified
            sending = SendingDomain(sending.domain, vouched, by_operator=vouched, since=self.now())
        if body.role is not None:
            domain = replace(domain, role=body.role)
        if body.app_links is not None:
            domain = replace(domain, app_links=body.app_links.to_app_links())
        if sending == domain.sending:
            return domain
        now = self.now()
        return replace(domain.with_sending_domain(sending, now, "by its owner"), due=now)

    def _set_use(self, domain: TrackingDomain, use: DomainUse) -> TrackingDomain:
        if use == domain.use:
            return domain
        moved = domain.with_change(self.now(), domain.use, use, "by its owner")
        return replace(moved, use=use, due=self.now())

    def _save_and_publish(self, before: TrackingDomain, after: TrackingDomain) -> TrackingDomain:
        if after == before:
            return before
        saved = self.domains.save(after)
        self.event_publisher.publish(saved, saved.get_changes_since(before))
        return saved

    def _reject_stack_host(self, host: str) -> None:
        for name in (self.targets.default_host, self.targets.endpoint):
            if name and is_in_domain(host, name):
                raise InvalidRequest.from_field("host", f"{name} is the stack's own")

    def _build_status(self, domain: TrackingDomain) -> DomainStatus:
        return build_domain_status(domain, self.targets.get_primary_target(domain))

    def _build_status_or_none(self, domain: TrackingDomain) -> DomainStatus | None:
        try:
            return self._build_status(domain)
        except CorruptItem as why:
            log_corrupt_item("domain", why, host=domain.host)
            return None


def _reject_stack_workspace(workspace: str, host: str) -> None:
    if workspace == STACK_WORKSPACE_NAME:
        raise AlreadyExists(
            "tracking domain", host, "the stack's own host is a parameter of the stack"
        )
