"""Tracking domains in memory: the twin of ``dynamodb.domains``."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from threading import Lock

from waypost.codes import WorkspaceCode
from waypost.domains.domain import TrackingDomain
from waypost.errors import Clash, Conflict


class MemoryDomains:
    """``waypost.store.domains.DomainStore``."""

    def __init__(self) -> None:
        self._domains: dict[str, TrackingDomain] = {}
        self._lock = Lock()

    def add(self, domain: TrackingDomain) -> None:
        with self._lock:
            if domain.host in self._domains:
                raise Clash("tracking domain", domain.host, "is taken already")
            self._domains[domain.host] = domain

    def get(self, workspace: WorkspaceCode, host: str) -> TrackingDomain | None:
        domain = self._domains.get(host)
        return domain if domain and domain.workspace == workspace else None

    def by_host(self, host: str) -> TrackingDomain | None:
        return self._domains.get(host)

    def of_workspace(self, workspace: WorkspaceCode) -> list[TrackingDomain]:
        found = [d for d in self._domains.values() if d.workspace == workspace]
        return sorted(found, key=lambda domain: (domain.added, domain.host))

    def save(self, domain: TrackingDomain) -> TrackingDomain:
        with self._lock:
            self._unchanged(domain)
            saved = replace(domain, version=domain.version + 1)
            self._domains[domain.host] = saved
            return saved

    def delete(self, domain: TrackingDomain) -> None:
        with self._lock:
            self._unchanged(domain)
            del self._domains[domain.host]

    def due(self, now: datetime, limit: int) -> list[tuple[WorkspaceCode, str]]:
        waiting = sorted((d.due, d.host, d.workspace) for d in self._domains.values())
        return [(code, host) for due, host, code in waiting if due <= now][:limit]

    def _unchanged(self, domain: TrackingDomain) -> None:
        kept = self._domains.get(domain.host)
        if kept is None or kept.version != domain.version:
            raise Conflict(f"domain {domain.host} changed")
