"""The API's routes for tracking domains: add, list, show, change, confirm, revert and remove.

    POST   /v1/workspaces/{ws}/domains                  add, or restore a domain being removed
    GET    /v1/workspaces/{ws}/domains                  list
    GET    /v1/workspaces/{ws}/domains/{host}           show
    POST   /v1/workspaces/{ws}/domains/{host}           change, revert, restore
    DELETE /v1/workspaces/{ws}/domains/{host}           remove
    POST   /v1/workspaces/{ws}/domains/{host}/verify    check now (``verification``)
    POST   /v1/operator/workspaces/{ws}/domains/{host}  confirm the sending domain (operators)

IAM permits routes by their paths, so operators have a path outside of the workspaces' own.

This module does not use the network or the CDN: removal is only noted, and later checks carry it
out. New messages use the default host at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_hex
from typing import Final

from waypost.domains.events import DomainEventPublisher
from waypost.domains.schemas import (
    AddDomainRequest,
    ChangeDomainRequest,
    ConfirmSendingRequest,
)
from waypost.domains.status import DomainList, DomainStatus, build_domain_status
from waypost.errors import (
    AlreadyExists,
    CorruptItem,
    InvalidRequest,
    NotFound,
    OperatorRequired,
)
from waypost.models.tracking_domain import (
    STACK_WORKSPACE,
    STACK_WORKSPACE_NAME,
    CnameTargets,
    DomainUse,
    SendingDomain,
    TrackingDomain,
    create_domain,
    is_in_domain,
)
from waypost.repositories.corrupt_items import log_corrupt_item
from waypost.repositories.domains import DomainRepository, resolve_owner_id
from waypost.repositories.workspaces import WorkspaceRepository

MAX_WORKSPACE_DOMAINS: Final = 50
"""Per workspace: each domain needs a tenant and a certificate, and an account has few."""


@dataclass(frozen=True, slots=True)
class DomainService:
    """Manages a workspace's tracking domains.

    Methods with a workspace raise AlreadyExists if its id belongs to another name.
    """

    domains: DomainRepository
    workspaces: WorkspaceRepository
    targets: CnameTargets
    event_publisher: DomainEventPublisher
    now: Callable[[], datetime]

    def add_domain(self, workspace: str, body: AddDomainRequest) -> DomainStatus:
        """Add a domain, or restore one that is being removed; return its status.

        Raises InvalidRequest for a host of the stack, OperatorRequired for ``sending_verified``,
        AlreadyExists if the host is in use or the workspace has the maximum.
        """
        _reject_confirmation(body)
        self._reject_stack_host(body.host)
        _reject_stack_workspace(workspace, body.host)
        workspace_id = self.workspaces.resolve_id(workspace)
        existing = self.domains.get(workspace_id, body.host)
        if existing is not None and existing.use == "removed":
            restored = self._set_use(self._apply_changes(existing, body), "on")
            return self._build_status(self._save_and_publish(existing, restored))
        if len(self.domains.list_by_workspace(workspace_id)) >= MAX_WORKSPACE_DOMAINS:
            raise AlreadyExists(
                "tracking domain", body.host, f"a workspace has at most {MAX_WORKSPACE_DOMAINS}"
            )
        parent = body.host.partition(".")[2]
        domain = create_domain(
            workspace_id, workspace, body.host, parent, token_hex(16), self.now()
        )
        domain = self._apply_changes(domain, body)
        self.workspaces.claim_id(workspace)
        self.domains.add(domain)
        return self._build_status(domain)

    def list_domains(self, workspace: str) -> DomainList:
        """List the readable domains of a workspace, oldest first, including those being removed."""
        domains = self.domains.list_by_workspace(resolve_owner_id(self.workspaces, workspace))
        statuses = [self._build_status_or_none(domain) for domain in domains]
        return DomainList(domains=[status for status in statuses if status is not None])

    def get_domain(self, workspace: str, host: str) -> DomainStatus:
        """Return one domain's status. Raises NotFound."""
        return self._build_status(self._load_domain(workspace, host))

    def change_domain(self, workspace: str, host: str, body: ChangeDomainRequest) -> DomainStatus:
        """Change the given keys; return the new status.

        Raises OperatorRequired for ``sending_verified``, NotFound, AlreadyExists or WriteConflict.
        """
        _reject_confirmation(body)
        domain = self._load_changeable_domain(workspace, host)
        changed = self._apply_changes(domain, body)
        if body.reverted is not None:
            changed = self._set_use(changed, "reverted" if body.reverted else "on")
        return self._build_status(self._save_and_publish(domain, changed))

    def confirm_sending(
        self, workspace: str, host: str, body: ConfirmSendingRequest
    ) -> DomainStatus:
        """Confirm the sending domain for an operator, or withdraw that; return the new status.

        Raises NotFound, AlreadyExists or WriteConflict.
        """
        domain = self._load_changeable_domain(workspace, host)
        sending = SendingDomain(
            body.sending_domain or domain.sending.domain,
            body.sending_verified,
            by_operator=body.sending_verified,
            since=self.now(),
        )
        changed = self._set_sending(domain, sending, "by the operator")
        return self._build_status(self._save_and_publish(domain, changed))

    def remove_domain(self, workspace: str, host: str) -> DomainStatus:
        """Stop using a domain at once; return its status.

        The host is served until its DNS no longer points to the stack, so links already sent work
        until then. Raises NotFound or WriteConflict.
        """
        _reject_stack_workspace(workspace, host)
        domain = self._load_domain(workspace, host)
        return self._build_status(self._save_and_publish(domain, self._set_use(domain, "removed")))

    def ensure_default_host(self) -> None:
        """Add the stack's own default host to the domains that are checked.

        Raises CorruptItem if its item cannot be read, AlreadyExists if only its claim exists.
        """
        host = self.targets.default_host
        if host and self.domains.get(STACK_WORKSPACE, host) is None:
            self.domains.add(
                create_domain(
                    STACK_WORKSPACE, STACK_WORKSPACE_NAME, host, host, token_hex(16), self.now()
                )
            )

    def _load_domain(self, workspace: str, host: str) -> TrackingDomain:
        workspace_id = resolve_owner_id(self.workspaces, workspace)
        domain = self.domains.get(workspace_id, host.strip().lower())
        if domain is None:
            raise NotFound("tracking domain", host)
        return domain

    def _load_changeable_domain(self, workspace: str, host: str) -> TrackingDomain:
        """Load a domain that is neither the stack's own nor being removed."""
        _reject_stack_workspace(workspace, host)
        domain = self._load_domain(workspace, host)
        if domain.use == "removed":
            raise AlreadyExists(
                "tracking domain", host, "is being removed; add it again to keep it"
            )
        return domain

    def _apply_changes(self, domain: TrackingDomain, body: ChangeDomainRequest) -> TrackingDomain:
        """Return the domain with the sending domain, role and apps of the body."""
        sending = domain.sending
        if body.sending_domain not in (None, sending.domain):
            sending = SendingDomain(str(body.sending_domain))
        if body.role is not None:
            domain = replace(domain, role=body.role)
        if body.app_links is not None:
            domain = replace(domain, app_links=body.app_links.to_app_links())
        return self._set_sending(domain, sending, "by its owner")

    def _set_sending(
        self, domain: TrackingDomain, sending: SendingDomain, reason: str
    ) -> TrackingDomain:
        """Return the domain with this sending domain, due at once if that is a change."""
        if sending == domain.sending:
            return domain
        now = self.now()
        return replace(domain.with_sending_domain(sending, now, reason), due=now)

    def _set_use(self, domain: TrackingDomain, use: DomainUse) -> TrackingDomain:
        if use == domain.use:
            return domain
        changed = domain.with_change(self.now(), domain.use, use, "by its owner")
        return replace(changed, use=use, due=self.now())

    def _save_and_publish(self, before: TrackingDomain, after: TrackingDomain) -> TrackingDomain:
        if after == before:
            return before
        self.workspaces.claim_id(after.workspace_name)
        saved = self.domains.save(after)
        self.event_publisher.publish(saved, saved.get_changes_since(before))
        return saved

    def _reject_stack_host(self, host: str) -> None:
        for name in (self.targets.default_host, self.targets.endpoint):
            if name and is_in_domain(host, name):
                raise InvalidRequest.from_field(
                    "host", f"{name} is the stack's own; use another host"
                )

    def _build_status(self, domain: TrackingDomain) -> DomainStatus:
        return build_domain_status(domain, self.targets.get_primary_target(domain))

    def _build_status_or_none(self, domain: TrackingDomain) -> DomainStatus | None:
        try:
            return self._build_status(domain)
        except CorruptItem as e:
            log_corrupt_item("domain", e, host=domain.host)
            return None


def _reject_confirmation(body: ChangeDomainRequest) -> None:
    if body.sending_verified is not None:
        raise OperatorRequired(
            "sending_verified", "POST /v1/operator/workspaces/{workspace}/domains/{host}"
        )


def _reject_stack_workspace(workspace: str, host: str) -> None:
    if workspace == STACK_WORKSPACE_NAME:
        raise AlreadyExists(
            "tracking domain", host, "the stack's own host is a parameter of the stack"
        )
