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
from typing import Final, Literal, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from waypost.domains.hostnames import iter_parent_domains
from waypost.domains.network import is_public_address
from waypost.models.domain_check import MAX_RESULT_VALUES, CaaResult, DnsResult, DnsVerdict

RecordType = Literal["A", "AAAA", "CNAME", "TXT", "CAA", "NS"]
DnsStatus = Literal["ok", "empty", "nxdomain", "timeout", "failed"]


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """What DNS says about one kind of record at one name. ``records`` in presentation form, names
    in lower case without the dot at the end.
    """

    status: DnsStatus
    records: tuple[str, ...] = ()


def build_dns_query(
    name: str, record_type: RecordType, *, recursive: bool
) -> dns.message.Message | None:
    """A question; None about a name that is too long for anybody to have."""
    try:
        made = dns.message.make_query(parse_absolute_name(name), record_type)
    except dns.name.NameTooLong:
        return None
    if not recursive:
        made.flags &= ~dns.flags.RD
    return made


def parse_dns_response(response: dns.message.Message, record_type: RecordType) -> DnsAnswer:
    """What a response says about one kind of record, wherever CNAMEs led."""
    wanted = dns.rdatatype.from_text(record_type)
    found = {
        _format_record(record)
        for rrset in response.answer
        if rrset.rdtype == wanted
        for record in rrset
    }
    if found:
        return DnsAnswer("ok", tuple(sorted(found)))
    if response.rcode() == dns.rcode.NXDOMAIN:
        return DnsAnswer("nxdomain")
    return DnsAnswer("empty" if response.rcode() == dns.rcode.NOERROR else "failed")


def parse_absolute_name(name: str) -> dns.name.Name:
    """A name that no search list is added to."""
    return dns.name.from_text(name, origin=dns.name.root)


def _format_record(record: object) -> str:
    """A record as text: TXT as its strings joined, names without the dot at the end."""
    strings = getattr(record, "strings", None)
    if strings is not None:
        return b"".join(strings).decode("utf-8", "replace")
    return str(record).lower().removesuffix(".")


DNS_TIMEOUT_SECONDS: Final = 2.0
"""Time for one question to one server."""
MAX_NAMESERVERS: Final = 3
"""Name servers of a zone that are asked."""


class DnsResolver:
    """Asks with dnspython. ``servers`` are recursive resolvers, those of the system by default.

    ``allowed`` judges the addresses of a zone's name servers, which its owner chose.
    """

    def __init__(
        self,
        servers: Sequence[str] = (),
        *,
        port: int = 53,
        timeout_seconds: float = DNS_TIMEOUT_SECONDS,
        is_allowed: Callable[[str], bool] = is_public_address,
    ) -> None:
        self.clock: Callable[[], float] = time.monotonic
        self._resolver = dns.resolver.Resolver(configure=not servers)
        if servers:
            self._resolver.nameservers = list(servers)
        self._resolver.port = port
        self._resolver.lifetime = timeout_seconds
        self._resolver.cache = None
        self._port = port
        self._timeout_seconds = timeout_seconds
        self.expires_at = math.inf
        self._is_allowed = is_allowed

    def with_time_limit(self, seconds: float) -> Self:
        bounded = copy.copy(self)
        bounded.expires_at = min(self.expires_at, self.clock() + seconds)
        return bounded

    def lookup(self, name: str, record_type: RecordType) -> DnsAnswer:
        answer = DnsAnswer("failed")
        for server in self._resolver.nameservers:
            answer = self._query_server(str(server), name, record_type)
            if answer.status not in ("timeout", "failed"):
                break
        return answer

    def lookup_authoritative(self, name: str, record_type: RecordType) -> Sequence[DnsAnswer]:
        servers = self._find_nameservers(name)
        return [
            self._query_server(address, name, record_type, recursive=False) for address in servers
        ]

    def _find_nameservers(self, name: str) -> list[str]:
        try:
            zone = dns.resolver.zone_for_name(
                parse_absolute_name(name),
                resolver=self._resolver,
                lifetime=self._get_remaining_seconds(),
            )
        except (dns.exception.DNSException, OSError):
            return []
        servers = self.lookup(zone.to_text(omit_final_dot=True), "NS").records[:MAX_NAMESERVERS]
        addresses = [self.lookup(server, "A").records[:1] for server in servers]
        return [address for found in addresses for address in found if self._is_allowed(address)]

    def _get_remaining_seconds(self) -> float:
        """Seconds for one more question; 0 where there is no time for any."""
        return max(0, min(self._timeout_seconds, self.expires_at - self.clock()))

    def _query_server(
        self, server: str, name: str, record_type: RecordType, *, recursive: bool = True
    ) -> DnsAnswer:
        message = build_dns_query(name, record_type, recursive=recursive)
        if message is None:
            return DnsAnswer("nxdomain")
        left = self._get_remaining_seconds()
        if left <= 0:
            return DnsAnswer("timeout")
        try:
            response, _ = dns.query.udp_with_fallback(
                message,
                server,
                timeout=left,
                port=self._port,
                one_rr_per_rrset=True,  # else a second CNAME, which is an error, replaces the first
            )
        except dns.exception.Timeout:
            return DnsAnswer("timeout")
        except (dns.exception.DNSException, OSError):
            return DnsAnswer("failed")
        return parse_dns_response(response, record_type)


MAX_CNAME_HOPS: Final = 8
"""CNAMEs that are followed; resolvers give up at 8 to 16."""

_FAILURE_VERDICTS: Final[dict[DnsStatus, DnsVerdict]] = {"timeout": "timeout", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class CnameChain:
    """A chain of CNAMEs, and how it ended: ``cname`` at one of our names, ``elsewhere`` where it
    just ends, or what went wrong.
    """

    verdict: DnsVerdict
    chain: tuple[str, ...]


def build_proof_name(host: str) -> str:
    """The name of the TXT record that proves a host."""
    return f"_waypost.{host}"


def build_proof_value(proof: str) -> str:
    """The text of that record."""
    return f"waypost={proof}"


def check_dns_records(
    resolver: DnsResolver, host: str, proof: str, targets: Collection[str]
) -> DnsResult:
    """Find out where a host leads. ``targets`` are our names, in canonical form."""
    found = _check_host(resolver, host, proof, targets)
    return replace(found, addresses=found.addresses[:MAX_RESULT_VALUES])


def _check_host(
    resolver: DnsResolver, host: str, proof: str, targets: Collection[str]
) -> DnsResult:
    trail = follow_cnames(resolver, host, targets)
    if trail.verdict == "cname":
        return DnsResult(
            "cname",
            trail.chain,
            _resolve_addresses(resolver, host),
            proof=_has_proof(resolver, host, proof),
            settled=_is_propagated(resolver, trail.chain),
        )
    if trail.verdict != "elsewhere":
        return DnsResult(trail.verdict, trail.chain)
    found = _check_addresses(resolver, trail, proof, targets)
    return (
        found if found.is_correct else replace(found, wildcard=_is_wildcard(resolver, host, found))
    )


def follow_cnames(resolver: DnsResolver, host: str, targets: Collection[str]) -> CnameChain:
    """Follow CNAMEs one by one, so that a loop or a wrong turn can be shown."""
    chain: tuple[str, ...] = (host,)
    while len(chain) <= MAX_CNAME_HOPS:
        answer = resolver.lookup(chain[-1], "CNAME")
        if answer.status != "ok":
            return CnameChain(_classify_chain_end(answer), chain)
        if len(answer.records) > 1:
            return CnameChain("conflict", (*chain, *answer.records[:MAX_RESULT_VALUES]))
        target = answer.records[0]
        if target in targets:
            return CnameChain("cname", (*chain, target))
        if target in chain:
            return CnameChain("loop", (*chain, target))
        chain = (*chain, target)
    return CnameChain("too_long", chain)


def _classify_chain_end(answer: DnsAnswer) -> DnsVerdict:
    if answer.status == "nxdomain":
        return "missing"
    return _FAILURE_VERDICTS.get(answer.status, "elsewhere")


def _check_addresses(
    resolver: DnsResolver, trail: CnameChain, proof: str, targets: Collection[str]
) -> DnsResult:
    """Judge a host without a CNAME to us by its addresses and its proof."""
    host = trail.chain[0]
    answers = [resolver.lookup(host, kind) for kind in ("A", "AAAA")]
    addresses = tuple(record for answer in answers for record in answer.records)
    if not addresses:
        troubles = [
            _FAILURE_VERDICTS[answer.status]
            for answer in answers
            if answer.status in _FAILURE_VERDICTS
        ]
        return DnsResult(troubles[0] if troubles else "missing", trail.chain)
    if not _has_proof(resolver, host, proof):
        return DnsResult("elsewhere", trail.chain, addresses)
    ours = {address for target in targets for address in _resolve_addresses(resolver, target)}
    # A CDN answers with different addresses in different places: one in common is enough.
    verdict: DnsVerdict = "flattened" if ours & set(addresses) else "proxied"
    return DnsResult(verdict, trail.chain, addresses, proof=True)


def _has_proof(resolver: DnsResolver, host: str, proof: str) -> bool:
    return build_proof_value(proof) in resolver.lookup(build_proof_name(host), "TXT").records


def _resolve_addresses(resolver: DnsResolver, name: str) -> tuple[str, ...]:
    return resolver.lookup(name, "A").records + resolver.lookup(name, "AAAA").records


def _is_propagated(resolver: DnsResolver, chain: tuple[str, ...]) -> bool:
    """Whether all of the zone's own name servers that answer give the first CNAME of the chain."""
    answers = resolver.lookup_authoritative(chain[0], "CNAME")
    heard = [answer for answer in answers if answer.status not in _FAILURE_VERDICTS]
    return all(answer.records == (chain[1],) for answer in heard)


def _is_wildcard(resolver: DnsResolver, host: str, result: DnsResult) -> bool:
    """Whether a name that nobody would create, beside the host, gets the same answer."""
    beside = f"waypost-{token_hex(6)}.{host.partition('.')[2]}"
    if len(result.chain) > 1:
        return resolver.lookup(beside, "CNAME").records == (result.chain[1],)
    return bool(result.addresses) and set(_resolve_addresses(resolver, beside)) == set(
        result.addresses
    )


AMAZON_CAA_ISSUERS: Final = frozenset(
    {"amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"}
)
"""The identifiers that Amazon's authority accepts, as the manual of ACM lists them."""

_CAA_RECORD: Final = re.compile(r'(?P<flags>\d+) (?P<tag>\w+) "?(?P<value>[^"]*)"?')


def check_caa(resolver: DnsResolver, host: str) -> CaaResult:
    """Look for the CAA records that decide for a host. CNAMEs are followed by the resolver."""
    for name in (host, *iter_parent_domains(host)):
        answer = resolver.lookup(name, "CAA")
        if answer.status in ("timeout", "failed"):
            return CaaResult("unknown", name)
        if answer.records:
            return _evaluate_records(name, answer.records)
    return CaaResult("yes")


def _evaluate_records(name: str, records: tuple[str, ...]) -> CaaResult:
    properties = [match for match in map(_CAA_RECORD.fullmatch, records) if match]
    issuers = tuple(
        match["value"].partition(";")[0].strip() for match in properties if match["tag"] == "issue"
    )
    if not issuers:  # only issuewild or iodef: plain names are not restricted
        return CaaResult("yes", name)
    return CaaResult(
        "yes" if AMAZON_CAA_ISSUERS.intersection(issuers) else "no",
        name,
        issuers[:MAX_RESULT_VALUES],
    )
