"""Questions to DNS servers, and what an answer can be.

Two ways to ask: the recursive resolver that everybody asks, and the name servers of the zone
itself, which know of a change before caches do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from waypost.domains.network.connecting import is_public

RecordKind = Literal["A", "AAAA", "CNAME", "TXT", "CAA", "NS"]
Status = Literal["ok", "empty", "nxdomain", "timeout", "failed"]

SECONDS: Final = 2.0
"""Time for one question to one server."""
MAX_NAMESERVERS: Final = 3
"""Name servers of a zone that are asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS says about one kind of record at one name. ``records`` in presentation form, names
    in lower case without the dot at the end.
    """

    status: Status
    records: tuple[str, ...] = ()


class Resolver(Protocol):
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
        self._resolver = dns.resolver.Resolver(configure=not servers)
        if servers:
            self._resolver.nameservers = list(servers)
        self._resolver.port = port
        self._resolver.lifetime = seconds
        self._resolver.cache = None
        self._port = port
        self._seconds = seconds
        self._allowed = allowed

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
            zone = dns.resolver.zone_for_name(absolute(name), resolver=self._resolver)
        except (dns.exception.DNSException, OSError):
            return []
        servers = self.lookup(zone.to_text(omit_final_dot=True), "NS").records[:MAX_NAMESERVERS]
        addresses = [self.lookup(server, "A").records[:1] for server in servers]
        return [address for found in addresses for address in found if self._allowed(address)]

    def _ask(self, server: str, name: str, kind: RecordKind, *, recursive: bool = True) -> Answer:
        query = _query(name, kind, recursive=recursive)
        if query is None:
            return Answer("nxdomain")
        try:
            response, _ = dns.query.udp_with_fallback(
                query,
                server,
                timeout=self._seconds,
                port=self._port,
                one_rr_per_rrset=True,  # else a second CNAME, which is an error, replaces the first
            )
        except dns.exception.Timeout:
            return Answer("timeout")
        except (dns.exception.DNSException, OSError):
            return Answer("failed")
        return _read(response, kind)


def _query(name: str, kind: RecordKind, *, recursive: bool) -> dns.message.Message | None:
    """A question; None about a name that is too long for anybody to have."""
    try:
        query = dns.message.make_query(absolute(name), kind)
    except dns.name.NameTooLong:
        return None
    if not recursive:
        query.flags &= ~dns.flags.RD
    return query


def _read(response: dns.message.Message, kind: RecordKind) -> Answer:
    """What a response says about one kind of record, wherever CNAMEs led."""
    wanted = dns.rdatatype.from_text(kind)
    found = {
        _text(record) for rrset in response.answer if rrset.rdtype == wanted for record in rrset
    }
    if found:
        return Answer("ok", tuple(sorted(found)))
    if response.rcode() == dns.rcode.NXDOMAIN:
        return Answer("nxdomain")
    return Answer("empty" if response.rcode() == dns.rcode.NOERROR else "failed")


def absolute(name: str) -> dns.name.Name:
    """A name that no search list is added to."""
    return dns.name.from_text(name, origin=dns.name.root)


def _text(record: object) -> str:
    """A record as text: TXT as its strings joined, names without the dot at the end."""
    strings = getattr(record, "strings", None)
    if strings is not None:
        return b"".join(strings).decode("utf-8", "replace")
    return str(record).lower().removesuffix(".")
