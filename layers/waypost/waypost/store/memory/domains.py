"""Tracking domains in memory: the twin of ``dynamodb.domains``, which keeps the same items."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from threading import Lock

from waypost.domains import item_mapping
from waypost.domains.model import Stage, TrackingDomain
from waypost.errors import Clash, Conflict
from waypost.ids import WorkspaceCode
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.repositories.domains import (
    due_first,
    oldest_first,
    read_domain,
    read_owner,
    read_stage,
)


class MemoryDomains:
    """``waypost.store.domains.DomainStore``."""

    def __init__(self) -> None:
        self._domains: dict[tuple[WorkspaceCode, str], Item] = {}
        self._claims: dict[str, Item] = {}
        self._lock = Lock()

    def add(self, domain: TrackingDomain) -> None:
        with self._lock:
            if domain.host in self._claims or _domain_key(domain) in self._domains:
                raise Clash("tracking domain", domain.host, "is taken already")
            self._put(domain)

    def get(self, workspace: WorkspaceCode, host: str) -> TrackingDomain | None:
        kept = self._domains.get((workspace, host))
        return read_domain(kept) if kept else None

    def stage(self, workspace: WorkspaceCode, host: str) -> Stage | None:
        kept = self._domains.get((workspace, host))
        return read_stage(kept) if kept else None

    def by_host(self, host: str) -> TrackingDomain | None:
        claim = self._claims.get(host)
        return self.get(read_owner(claim), host) if claim else None

    def of_workspace(self, workspace: WorkspaceCode) -> list[TrackingDomain]:
        return oldest_first([kept for key, kept in self._domains.items() if key[0] == workspace])

    def save(self, domain: TrackingDomain) -> TrackingDomain:
        with self._lock:
            self._unchanged(domain)
            saved = replace(domain, version=domain.version + 1)
            self._put(saved)
            return saved

    def delete(self, domain: TrackingDomain) -> None:
        with self._lock:
            self._unchanged(domain)
            del self._domains[_domain_key(domain)]
            self._claims.pop(domain.host, None)

    def due(self, now: datetime, limit: int) -> list[tuple[WorkspaceCode, str]]:
        return due_first(list(self._claims.values()), now, limit)

    def _put(self, domain: TrackingDomain) -> None:
        self._domains[_domain_key(domain)] = item_mapping.to_item(domain)
        self._claims[domain.host] = item_mapping.to_claim(domain)

    def _unchanged(self, domain: TrackingDomain) -> None:
        kept = self._domains.get(_domain_key(domain), {})
        if kept.get("version") != attributes.attribute(domain.version):
            raise Conflict(f"domain {domain.host} changed")


def _domain_key(domain: TrackingDomain) -> tuple[WorkspaceCode, str]:
    return domain.workspace, domain.host
