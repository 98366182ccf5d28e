"""Whether a customer's DNS lets Amazon issue a certificate: CAA records, RFC 8659.

The records nearest to the host decide, searching upwards; none at all allows everybody.
"""

from __future__ import annotations

import re
from typing import Final

from waypost.domains.check_results import MOST_KEPT, Caa
from waypost.domains.hostnames import parents
from waypost.domains.network.resolving import Resolver

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
