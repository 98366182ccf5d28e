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

from waypost.domains import events
from waypost.domains.events import Announcer
from waypost.domains.hostnames import within
from waypost.domains.model import (
    STACK,
    STACK_NAME,
    Sending,
    Targets,
    TrackingDomain,
    Use,
    code_of,
    new_domain,
)
from waypost.domains.schemas import AddDomain, ChangeDomain
from waypost.domains.status import DomainList, DomainStatus, status_of
from waypost.errors import Clash, InvalidRequest, MalformedItem, NotFound
from waypost.repositories.corrupt_items import tell_damaged
from waypost.repositories.domains import DomainStore

MAX_DOMAINS: Final = 50
"""Of one workspace: each costs a tenant and a certificate, of which an account has few."""


@dataclass(frozen=True, slots=True)
class Manager:
    domains: DomainStore
    targets: Targets
    announcer: Announcer
    now: Callable[[], datetime]

    def add(self, workspace: str, body: AddDomain) -> DomainStatus:
        """Add a domain, or take up again one that is being removed; gives its status.

        Raises InvalidRequest for a host of our own, Clash where it is taken or one too many.
        """
        self._refuse_our_own(body.host)
        _refuse_the_stack(workspace, body.host)
        code = code_of(workspace)
        known = self.domains.get(code, body.host)
        if known is not None and known.use == "removed":
            return self._status(self._saved(known, self._put_to(self._with(known, body), "on")))
        if len(self.domains.of_workspace(code)) >= MAX_DOMAINS:
            raise Clash("tracking domain", body.host, f"a workspace has at most {MAX_DOMAINS}")
        parent = body.host.partition(".")[2]
        domain = new_domain(code, workspace, body.host, parent, token_hex(16), self.now())
        domain = self._with(domain, body)
        self.domains.add(domain)
        return self._status(domain)

    def list(self, workspace: str) -> DomainList:
        """All domains of a workspace that can be read, oldest first; those being removed too."""
        domains = self.domains.of_workspace(code_of(workspace))
        told = [self._status_if_any(domain) for domain in domains]
        return DomainList(domains=[status for status in told if status is not None])

    def show(self, workspace: str, host: str) -> DomainStatus:
        """One domain's status. Raises NotFound."""
        return self._status(self._read(workspace, host))

    def change(self, workspace: str, host: str, body: ChangeDomain) -> DomainStatus:
        """Change the keys given; gives the status after. Raises NotFound, Clash, Conflict."""
        _refuse_the_stack(workspace, host)
        domain = self._read(workspace, host)
        if domain.use == "removed":
            raise Clash("tracking domain", host, "is being removed; add it again to keep it")
        changed = self._with(domain, body)
        if body.reverted is not None:
            changed = self._put_to(changed, "reverted" if body.reverted else "on")
        return self._status(self._saved(domain, changed))

    def remove(self, workspace: str, host: str) -> DomainStatus:
        """Stop using a domain at once. It is let go of once its DNS no longer points at us, so
        that links already sent keep working until then. Raises NotFound, Conflict.
        """
        _refuse_the_stack(workspace, host)
        domain = self._read(workspace, host)
        return self._status(self._saved(domain, self._put_to(domain, "removed")))

    def ensure_default_host(self) -> None:
        """Have the stack's own default host among the domains that are checked.

        Raises MalformedItem, or Clash, where it is there and cannot be read, or only its claim is.
        """
        host = self.targets.default_host
        if host and self.domains.get(STACK, host) is None:
            self.domains.add(new_domain(STACK, STACK_NAME, host, host, token_hex(16), self.now()))

    def _read(self, workspace: str, host: str) -> TrackingDomain:
        domain = self.domains.get(code_of(workspace), host.strip().lower())
        if domain is None:
            raise NotFound("tracking domain", host)
        return domain

    def _with(self, domain: TrackingDomain, body: ChangeDomain) -> TrackingDomain:
        """The domain with sending and apps as the body says; to be checked at once if the
        sending domain is another or is vouched for otherwise.
        """
        sending = domain.sending
        if body.sending_domain not in (None, sending.domain):
            sending = Sending(str(body.sending_domain))
        if body.sending_verified is not None:
            vouched = body.sending_verified
            sending = Sending(sending.domain, vouched, by_operator=vouched, since=self.now())
        if body.role is not None:
            domain = replace(domain, role=body.role)
        if body.app_links is not None:
            domain = replace(domain, app_links=body.app_links.value())
        if sending == domain.sending:
            return domain
        now = self.now()
        return replace(domain.with_sending(sending, now, "by its owner"), due=now)

    def _put_to(self, domain: TrackingDomain, use: Use) -> TrackingDomain:
        if use == domain.use:
            return domain
        moved = domain.moved(self.now(), domain.use, use, "by its owner")
        return replace(moved, use=use, due=self.now())

    def _saved(self, before: TrackingDomain, after: TrackingDomain) -> TrackingDomain:
        if after == before:
            return before
        saved = self.domains.save(after)
        events.announce(self.announcer, saved, saved.changes_since(before))
        return saved

    def _refuse_our_own(self, host: str) -> None:
        for name in (self.targets.default_host, self.targets.endpoint):
            if name and within(host, name):
                raise InvalidRequest.of("host", f"{name} is the stack's own")

    def _status(self, domain: TrackingDomain) -> DomainStatus:
        return status_of(domain, self.targets.shown(domain))

    def _status_if_any(self, domain: TrackingDomain) -> DomainStatus | None:
        try:
            return self._status(domain)
        except MalformedItem as why:
            tell_damaged("domain", why, host=domain.host)
            return None


def _refuse_the_stack(workspace: str, host: str) -> None:
    if workspace == STACK_NAME:
        raise Clash("tracking domain", host, "the stack's own host is a parameter of the stack")
