"""A domain read, changed by what a look saw, and kept, while others write to it as well."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from waypost.domains.model import TrackingDomain
from waypost.errors import Conflict, NotFound
from waypost.ids import WorkspaceCode
from waypost.repositories.domains import DomainStore

_ATTEMPTS: Final = 3


def known(store: DomainStore, workspace: WorkspaceCode, host: str) -> TrackingDomain:
    """The domain as it is kept. Raises NotFound."""
    domain = store.get(workspace, host)
    if domain is None:
        raise NotFound("tracking domain", host)
    return domain


def kept(
    store: DomainStore,
    domain: TrackingDomain,
    begun: datetime,
    change: Callable[[TrackingDomain], TrackingDomain],
) -> tuple[TrackingDomain, TrackingDomain]:
    """The domain before and after the change that a look makes which began then. What another look
    saw meanwhile stands, and is both: two at one moment are one, and would count one failure twice.

    Raises NotFound, and Conflict where others keep writing to it.
    """
    for _ in range(_ATTEMPTS):
        try:
            return domain, store.save(change(domain))
        except Conflict:  # reverted or removed meanwhile: change what is there now
            domain = known(store, domain.workspace, domain.host)
            if domain.checked is not None and domain.checked >= begun:
                return domain, domain
    raise Conflict(f"domain {domain.host} keeps changing")
