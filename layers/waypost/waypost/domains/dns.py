"""Where a host leads: chains of CNAMEs, flattened records, proofs, wildcards.

Right is a host whose CNAMEs reach one of our names. Where no CNAME can stand (the provider
flattens it, or a proxy of the customer's own is in between), a TXT record with the domain's proof
says that its owner means it, since addresses of a CDN are everybody's.

A question to a DNS server and its answer, as dnspython has them and as the rest does.

Questions to DNS servers: whom to ask, and for how long.

Two ways to ask: the recursive resolver that everybody asks, and the name servers of the zone
itself, which know of a change before caches do.

Whether a customer's DNS lets Amazon issue a certificate: CAA records, RFC 8659.

The records nearest to the host decide, searching upwards; none at all allows everybody.
"""

from __future__ import annotations

import copy
import math
import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Final, Literal, Protocol, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from waypost.domains.check_results import MOST_KEPT, Caa, Dns, DnsVerdict
from waypost.domains.hostnames import parents
from waypost.domains.network import is_public

RecordKind = Literal["A", "AAAA", "CNAME", "TXT", "CAA", "NS"]
Status = Literal["ok", "empty", "nxdomain", "timeout", "failed"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS says about one kind of record at one name. ``records`` in presentation form, names
    in lower case without the dot at the end.
    """

    status: Status
    records: tuple[str, ...] = ()


def query(name: str, kind: RecordKind, *, recursive: bool) -> dns.message.Message | None:
    """A question; None about a name that is too long for anybody to have."""
    try:
        made = dns.message.make_query(absolute(name), kind)
    except dns.name.NameTooLong:
        return None
    if not recursive:
        made.flags &= ~dns.flags.RD
    return made


def read(response: dns.message.Message, kind: RecordKind) -> Answer:
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
                absolute(name), resolver=self._resolver, lifetime=self._left()
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
        message = query(name, kind, recursive=recursive)
        if message is None:
            return Answer("nxdomain")
        left = self._left()
        if left <= 0:
            return Answer("timeout")
        try:
            response, _ = dns.query.udp_with_fallback(
                message,
                server,
                timeout=left,
                port=self._port,
                one_rr_per_rrset=True,  # else a second CNAME, which is an error, replaces the first
            )
        except dns.exception.Timeout:
            return Answer("timeout")
        except (dns.exception.DNSException, OSError):
            return Answer("failed")
        return read(response, kind)


MAX_HOPS: Final = 8
"""CNAMEs that are followed; resolvers give up at 8 to 16."""

_TROUBLE: Final[dict[Status, DnsVerdict]] = {"timeout": "timeout", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class Trail:
    """A chain of CNAMEs, and how it ended: ``cname`` at one of our names, ``elsewhere`` where it
    just ends, or what went wrong.
    """

    verdict: DnsVerdict
    chain: tuple[str, ...]


def proof_name(host: str) -> str:
    """The name of the TXT record that proves a host."""
    return f"_waypost.{host}"


def proof_value(proof: str) -> str:
    """The text of that record."""
    return f"waypost={proof}"


def look_up(resolver: Resolver, host: str, proof: str, targets: Collection[str]) -> Dns:
    """Find out where a host leads. ``targets`` are our names, in canonical form."""
    found = _found(resolver, host, proof, targets)
    return replace(found, addresses=found.addresses[:MOST_KEPT])


def _found(resolver: Resolver, host: str, proof: str, targets: Collection[str]) -> Dns:
    trail = follow(resolver, host, targets)
    if trail.verdict == "cname":
        return Dns(
            "cname",
            trail.chain,
            _addresses(resolver, host),
            proof=_proven(resolver, host, proof),
            settled=_settled(resolver, trail.chain),
        )
    if trail.verdict != "elsewhere":
        return Dns(trail.verdict, trail.chain)
    found = _by_address(resolver, trail, proof, targets)
    return found if found.right else replace(found, wildcard=_wildcard(resolver, host, found))


def follow(resolver: Resolver, host: str, targets: Collection[str]) -> Trail:
    """Follow CNAMEs one by one, so that a loop or a wrong turn can be shown."""
    chain: tuple[str, ...] = (host,)
    while len(chain) <= MAX_HOPS:
        answer = resolver.lookup(chain[-1], "CNAME")
        if answer.status != "ok":
            return Trail(_end(answer), chain)
        if len(answer.records) > 1:
            return Trail("conflict", (*chain, *answer.records[:MOST_KEPT]))
        target = answer.records[0]
        if target in targets:
            return Trail("cname", (*chain, target))
        if target in chain:
            return Trail("loop", (*chain, target))
        chain = (*chain, target)
    return Trail("too_long", chain)


def _end(answer: Answer) -> DnsVerdict:
    if answer.status == "nxdomain":
        return "missing"
    return _TROUBLE.get(answer.status, "elsewhere")


def _by_address(resolver: Resolver, trail: Trail, proof: str, targets: Collection[str]) -> Dns:
    """Judge a host without a CNAME to us by its addresses and its proof."""
    host = trail.chain[0]
    answers = [resolver.lookup(host, kind) for kind in ("A", "AAAA")]
    addresses = tuple(record for answer in answers for record in answer.records)
    if not addresses:
        troubles = [_TROUBLE[answer.status] for answer in answers if answer.status in _TROUBLE]
        return Dns(troubles[0] if troubles else "missing", trail.chain)
    if not _proven(resolver, host, proof):
        return Dns("elsewhere", trail.chain, addresses)
    ours = {address for target in targets for address in _addresses(resolver, target)}
    # A CDN answers with different addresses in different places: one in common is enough.
    verdict: DnsVerdict = "flattened" if ours & set(addresses) else "proxied"
    return Dns(verdict, trail.chain, addresses, proof=True)


def _proven(resolver: Resolver, host: str, proof: str) -> bool:
    return proof_value(proof) in resolver.lookup(proof_name(host), "TXT").records


def _addresses(resolver: Resolver, name: str) -> tuple[str, ...]:
    return resolver.lookup(name, "A").records + resolver.lookup(name, "AAAA").records


def _settled(resolver: Resolver, chain: tuple[str, ...]) -> bool:
    """Whether all of the zone's own name servers that answer give the first CNAME of the chain."""
    answers = resolver.authoritative(chain[0], "CNAME")
    heard = [answer for answer in answers if answer.status not in _TROUBLE]
    return all(answer.records == (chain[1],) for answer in heard)


def _wildcard(resolver: Resolver, host: str, found: Dns) -> bool:
    """Whether a name that nobody would create, beside the host, gets the same answer."""
    beside = f"waypost-{token_hex(6)}.{host.partition('.')[2]}"
    if len(found.chain) > 1:
        return resolver.lookup(beside, "CNAME").records == (found.chain[1],)
    return bool(found.addresses) and set(_addresses(resolver, beside)) == set(found.addresses)


AMAZON: Final = frozenset({"amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"})
"""The identifiers that Amazon's authority accepts, as the manual of ACM lists them."""

_RECORD: Final = re.compile(r'(?P<flags>\d+) (?P<tag>\w+) "?(?P<value>[^"]*)"?')


def permission(resolver: Resolver, host: str) -> Caa:
    """Look for the CAA records that decide for a host. CNAMEs are followed by the resolver."""
    for name in (host, *parents(host)):
        answer = resolver.lookup(name, "CAA")
        if answer.status in ("timeout", "failed"):
            return Caa("unknown", name)
        if answer.records:
            return _judge(name, answer.records)
    return Caa("yes")


def _judge(name: str, records: tuple[str, ...]) -> Caa:
    properties = [match for match in map(_RECORD.fullmatch, records) if match]
    issuers = tuple(
        match["value"].partition(";")[0].strip() for match in properties if match["tag"] == "issue"
    )
    if not issuers:  # only issuewild or iodef: plain names are not restricted
        return Caa("yes", name)
    return Caa("yes" if AMAZON.intersection(issuers) else "no", name, issuers[:MOST_KEPT])
