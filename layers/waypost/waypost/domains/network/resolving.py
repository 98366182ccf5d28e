"""Questions to DNS servers: whom to ask, and for how long.

Two ways to ask: the recursive resolver that everybody asks, and the name servers of the zone
itself, which know of a change before caches do.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol, Self

import dns.exception
import dns.query
import dns.resolver

from waypost.domains.network import is_public, questions
from waypost.domains.network.questions import Answer, RecordKind

SECONDS: Final = 2.0
"""Time for one question to one server."""
MAX_NAMESERVERS: Final = 3
"""Name servers of a zone that are asked."""


class Resolver(Protocol):
    def within(self, seconds: float) -> Self:
        """The same for so long from now on; whatever is asked after that has timed out."""
        ...

    def lookup(self, name: str, kind: RecordKind) -> Answer:
        """Ask the recursive resolver; CNAMEs are followed for every kind but CNAME."""
        ...

    def authoritative(self, name: str, kind: RecordKind) -> Sequence[Answer]:
        """Ask name servers of the name's zone, each for itself; empty where none is known."""
        ...


class DnsResolver:
    """Asks with dnspython. ``servers`` are recursive resolvers, those of the system by default.

    ``allowed`` judges the addresses of a zone's name servers, which its owner chose.
    """

    def __init__(
        self,
        servers: Sequence[str] = (),
        *,
        port: int = 53,
        seconds: float = SECONDS,
        allowed: Callable[[str], bool] = is_public,
    ) -> None:
        self.clock: Callable[[], float] = time.monotonic
        self._resolver = dns.resolver.Resolver(configure=not servers)
        if servers:
            self._resolver.nameservers = list(servers)
        self._resolver.port = port
        self._resolver.lifetime = seconds
        self._resolver.cache = None
        self._port = port
        self._seconds = seconds
        self.until = math.inf
        self._allowed = allowed

    def within(self, seconds: float) -> Self:
        bounded = copy.copy(self)
        bounded.until = min(self.until, self.clock() + seconds)
        return bounded

    def lookup(self, name: str, kind: RecordKind) -> Answer:
        answer = Answer("failed")
        for server in self._resolver.nameservers:
            answer = self._ask(str(server), name, kind)
            if answer.status not in ("timeout", "failed"):
                break
        return answer

    def authoritative(self, name: str, kind: RecordKind) -> Sequence[Answer]:
        servers = self._nameservers(name)
        return [self._ask(address, name, kind, recursive=False) for address in servers]

    def _nameservers(self, name: str) -> list[str]:
        try:
            zone = dns.resolver.zone_for_name(
                questions.absolute(name), resolver=self._resolver, lifetime=self._left()
            )
        except (dns.exception.DNSException, OSError):
            return []
        servers = self.lookup(zone.to_text(omit_final_dot=True), "NS").records[:MAX_NAMESERVERS]
        addresses = [self.lookup(server, "A").records[:1] for server in servers]
        return [address for found in addresses for address in found if self._allowed(address)]

    def _left(self) -> float:
        """Seconds for one more question; 0 where there is no time for any."""
        return max(0, min(self._seconds, self.until - self.clock()))

    def _ask(self, server: str, name: str, kind: RecordKind, *, recursive: bool = True) -> Answer:
        query = questions.query(name, kind, recursive=recursive)
        if query is None:
            return Answer("nxdomain")
        left = self._left()
        if left <= 0:
            return Answer("timeout")
        try:
            response, _ = dns.query.udp_with_fallback(
                query,
                server,
                timeout=left,
                port=self._port,
                one_rr_per_rrset=True,  # else a second CNAME, which is an error, replaces the first
            )
        except dns.exception.Timeout:
            return Answer("timeout")
        except (dns.exception.DNSException, OSError):
            return Answer("failed")
        return questions.read(response, kind)
