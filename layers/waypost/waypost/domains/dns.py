"""Where a host leads: chains of CNAMEs, flattened records, proofs, wildcards.

Right is a host whose CNAMEs reach one of our names. Where no CNAME can stand (the provider
flattens it, or a proxy of the customer's own is in between), a TXT record with the domain's proof
says that its owner means it, since addresses of a CDN are everybody's.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Final

from waypost.domains.check_results import MOST_KEPT, Dns, DnsVerdict
from waypost.domains.network.questions import Answer, Status
from waypost.domains.network.resolving import Resolver

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
