"""DNS queries, and the checks of a host's CNAMEs, addresses, ownership proof and CAA records.

A host is correct if its CNAMEs reach one of the stack's names. If it cannot have a CNAME (the
provider flattens it, or the customer's own proxy is in between), a TXT record with the domain's
proof confirms that its owner wants it, because many customers share a CDN's addresses.

There are two kinds of lookup: the recursive resolver, and the zone's own name servers, which have a
change before caches do.
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
    """The records of one type at one name.

    ``records`` are in presentation form, names in lower case without the dot at the end.
    """

    status: DnsStatus
    records: tuple[str, ...] = ()


def build_dns_query(
    name: str, record_type: RecordType, *, recursive: bool
) -> dns.message.Message | None:
    """Build a query; return None for a name that is too long to exist."""
    try:
        query = dns.message.make_query(parse_absolute_name(name), record_type)
    except dns.name.NameTooLong:
        return None
    if not recursive:
        query.flags &= ~dns.flags.RD
    return query


def parse_dns_response(response: dns.message.Message, record_type: RecordType) -> DnsAnswer:
    """Collect the records of one type from a response, after any CNAMEs."""
    record_class = dns.rdatatype.from_text(record_type)
    records = {
        _format_record(record)
        for rrset in response.answer
        if rrset.rdtype == record_class
        for record in rrset
    }
    if records:
        return DnsAnswer("ok", tuple(sorted(records)))
    if response.rcode() == dns.rcode.NXDOMAIN:
        return DnsAnswer("nxdomain")
    return DnsAnswer("empty" if response.rcode() == dns.rcode.NOERROR else "failed")


def parse_absolute_name(name: str) -> dns.name.Name:
    """Parse a name without a search list."""
    return dns.name.from_text(name, origin=dns.name.root)


def _format_record(record: object) -> str:
    """Format a record: TXT as its joined strings, names without the dot at the end."""
    strings = getattr(record, "strings", None)
    if strings is not None:
        return b"".join(strings).decode("utf-8", "replace")
    return str(record).lower().removesuffix(".")


DNS_TIMEOUT_SECONDS: Final = 2.0
"""Time for one query to one server."""
MAX_NAMESERVERS: Final = 3
"""Maximum of a zone's name servers to query."""


class DnsResolver:
    """Queries DNS servers. ``servers`` are recursive resolvers, by default the system's.

    ``is_allowed`` decides about the addresses of a zone's name servers, which the zone's owner
    chose.
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
        """Return a resolver that answers every query after that time with a timeout."""
        bounded = copy.copy(self)
        bounded.expires_at = min(self.expires_at, self.clock() + seconds)
        return bounded

    def lookup(self, name: str, record_type: RecordType) -> DnsAnswer:
        """Query the recursive resolver, which follows CNAMEs for every type but CNAME."""
        answer = DnsAnswer("failed")
        for server in self._resolver.nameservers:
            answer = self._query_server(str(server), name, record_type)
            if answer.status not in ("timeout", "failed"):
                break
        return answer

    def lookup_authoritative(self, name: str, record_type: RecordType) -> Sequence[DnsAnswer]:
        """Query each of the zone's own name servers; empty if none is known."""
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
        return [address for each in addresses for address in each if self._is_allowed(address)]

    def _get_remaining_seconds(self) -> float:
        """Return the seconds for one more query, 0 if the time is over."""
        return max(0, min(self._timeout_seconds, self.expires_at - self.clock()))

    def _query_server(
        self, server: str, name: str, record_type: RecordType, *, recursive: bool = True
    ) -> DnsAnswer:
        message = build_dns_query(name, record_type, recursive=recursive)
        if message is None:
            return DnsAnswer("nxdomain")
        timeout = self._get_remaining_seconds()
        if timeout <= 0:
            return DnsAnswer("timeout")
        try:
            response, _ = dns.query.udp_with_fallback(
                message,
                server,
                timeout=timeout,
                port=self._port,
                one_rr_per_rrset=True,  # else a second CNAME (an error) replaces the first
            )
        except dns.exception.Timeout:
            return DnsAnswer("timeout")
        except (dns.exception.DNSException, OSError):
            return DnsAnswer("failed")
        return parse_dns_response(response, record_type)


MAX_CNAME_HOPS: Final = 8
"""Maximum of CNAMEs to follow; resolvers give up at 8 to 16."""

_FAILURE_VERDICTS: Final[dict[DnsStatus, DnsVerdict]] = {"timeout": "timeout", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class CnameChain:
    """A chain of CNAMEs and its end: ``cname`` at one of the stack's names, or the problem."""

    verdict: DnsVerdict
    names: tuple[str, ...]


def build_proof_name(host: str) -> str:
    """Build the name of the TXT record that proves the ownership of a host."""
    return f"_waypost.{host}"


def build_proof_value(proof: str) -> str:
    """Build the text of the TXT record that proves the ownership of a host."""
    return f"waypost={proof}"


def check_dns_records(
    resolver: DnsResolver, host: str, proof: str, targets: Collection[str]
) -> DnsResult:
    """Check the DNS records of a host. ``targets`` are the stack's names, in canonical form."""
    result = _check_host(resolver, host, proof, targets)
    return replace(result, addresses=result.addresses[:MAX_RESULT_VALUES])


def _check_host(
    resolver: DnsResolver, host: str, proof: str, targets: Collection[str]
) -> DnsResult:
    chain = follow_cnames(resolver, host, targets)
    if chain.verdict == "cname":
        return DnsResult(
            "cname",
            chain.names,
            _resolve_addresses(resolver, host),
            proof=_has_proof(resolver, host, proof),
            settled=_is_propagated(resolver, chain.names),
        )
    if chain.verdict != "elsewhere":
        return DnsResult(chain.verdict, chain.names)
    result = _check_addresses(resolver, chain, proof, targets)
    if result.is_correct:
        return result
    return replace(result, wildcard=_is_wildcard(resolver, host, result))


def follow_cnames(resolver: DnsResolver, host: str, targets: Collection[str]) -> CnameChain:
    """Follow CNAMEs one by one, so that the status can show a loop or a wrong target."""
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
    resolver: DnsResolver, chain: CnameChain, proof: str, targets: Collection[str]
) -> DnsResult:
    """Check the addresses and the proof of a host without a CNAME to the stack."""
    host = chain.names[0]
    answers = [resolver.lookup(host, kind) for kind in ("A", "AAAA")]
    addresses = tuple(record for answer in answers for record in answer.records)
    if not addresses:
        failures = [
            _FAILURE_VERDICTS[answer.status]
            for answer in answers
            if answer.status in _FAILURE_VERDICTS
        ]
        return DnsResult(failures[0] if failures else "missing", chain.names)
    if not _has_proof(resolver, host, proof):
        return DnsResult("elsewhere", chain.names, addresses)
    target_addresses = {
        address for target in targets for address in _resolve_addresses(resolver, target)
    }
    # A CDN has different addresses in different places: one in common is enough.
    verdict: DnsVerdict = "flattened" if target_addresses & set(addresses) else "proxied"
    return DnsResult(verdict, chain.names, addresses, proof=True)


def _has_proof(resolver: DnsResolver, host: str, proof: str) -> bool:
    return build_proof_value(proof) in resolver.lookup(build_proof_name(host), "TXT").records


def _resolve_addresses(resolver: DnsResolver, name: str) -> tuple[str, ...]:
    return resolver.lookup(name, "A").records + resolver.lookup(name, "AAAA").records


def _is_propagated(resolver: DnsResolver, chain: tuple[str, ...]) -> bool:
    """Return True if all of the zone's name servers that answer have the same first CNAME."""
    answers = resolver.lookup_authoritative(chain[0], "CNAME")
    responses = [answer for answer in answers if answer.status not in _FAILURE_VERDICTS]
    return all(answer.records == (chain[1],) for answer in responses)


def _is_wildcard(resolver: DnsResolver, host: str, result: DnsResult) -> bool:
    """Return True if a random name beside the host gets the same answer."""
    random_name = f"waypost-{token_hex(6)}.{host.partition('.')[2]}"
    if len(result.chain) > 1:
        return resolver.lookup(random_name, "CNAME").records == (result.chain[1],)
    return bool(result.addresses) and set(_resolve_addresses(resolver, random_name)) == set(
        result.addresses
    )


AMAZON_CAA_ISSUERS: Final = frozenset(
    {"amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"}
)
"""The identifiers that Amazon's certificate authority accepts, as in the manual of ACM."""

_CAA_RECORD: Final = re.compile(r'(?P<flags>\d+) (?P<tag>\w+) "?(?P<value>[^"]*)"?')


def check_caa(resolver: DnsResolver, host: str) -> CaaResult:
    """Find the CAA records that decide for a host, and check if they allow Amazon (RFC 8659).

    The nearest records decide, from the host upwards. Without records, every authority may issue.
    The resolver follows CNAMEs.
    """
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
    if not issuers:  # only issuewild or iodef, which do not restrict this host
        return CaaResult("yes", name)
    return CaaResult(
        "yes" if AMAZON_CAA_ISSUERS.intersection(issuers) else "no",
        name,
        issuers[:MAX_RESULT_VALUES],
    )
