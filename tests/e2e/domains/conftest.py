from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest
import trustme

from tests.e2e.domains.internet import (
    KEYRING,
    NAMESERVERS,
    RECURSIVE,
    Internet,
    Zones,
    dns_server,
    ours,
)
from waypost.domains.check_results import CheckResult
from waypost.domains.checker import DomainChecker
from waypost.domains.dns import DnsResolver
from waypost.domains.http_probe import HttpProber
from waypost.domains.network import create_browser_tls_context
from waypost.tokens.signer import Keyring

HOST = "links.acme.com"
DEFAULT_HOST = "e.waypost.example"
ENDPOINT = "d111.cdn.example"
EDGE_ADDRESS = "93.184.215.14"
PROXY_ADDRESS = "93.184.215.99"
PROOF = "f00d"
DNS_SECONDS = 0.6
WEB_SECONDS = 1.0


@dataclass
class Keys:
    """The keys that the checker knows; ``renewed``: those that it finds when it reads again."""

    keyring: Keyring = KEYRING
    renewed: Keyring | None = None

    def get_keyring(self) -> Keyring:
        return self.keyring

    def reload_keyring(self) -> Keyring | None:
        return self.renewed


@dataclass
class World:
    """A customer, our edge, and a checker that looks at them over real sockets."""

    dns: Zones
    nameservers: list[Zones]
    internet: Internet
    authority: trustme.CA
    checker: DomainChecker
    resolver: DnsResolver

    def check(self, host: str = HOST) -> CheckResult:
        return self.checker.check(host, PROOF, (DEFAULT_HOST, ENDPOINT))

    def certificate(
        self,
        *hosts: str,
        authority: trustme.CA | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued = (authority or self.authority).issue_cert(
            *hosts, not_before=not_before, not_after=not_after
        )
        issued.configure_cert(context)
        return context

    def point_at_us(self) -> None:
        """The record that a customer is asked for, at every server that knows the zone."""
        for zones in (self.dns, *self.nameservers):
            zones.add(HOST, "CNAME", DEFAULT_HOST)

    def point_at_proxy(self) -> None:
        self.dns.add(HOST, "A", PROXY_ADDRESS)
        self.dns.add(f"_waypost.{HOST}", "TXT", f'"waypost={PROOF}"')

    def serve_https(self, address: str = EDGE_ADDRESS, *hosts: str) -> None:
        self.internet.serve(address, 443, ours, self.certificate(*(hosts or (HOST,))))


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def world(authority: trustme.CA, socket_enabled: None) -> Iterator[World]:
    zones, nameservers = Zones(), [Zones() for _ in NAMESERVERS]
    internet = Internet()
    servers = [dns_server(zones, RECURSIVE)]
    port = servers[0].server.server_address[1]
    servers += [
        dns_server(known, address, port)
        for known, address in zip(nameservers, NAMESERVERS, strict=True)
    ]
    resolver = DnsResolver(
        [RECURSIVE], port=port, timeout_seconds=DNS_SECONDS, is_allowed=lambda a: a in NAMESERVERS
    )
    tls = create_browser_tls_context()
    authority.configure_trust(tls)
    checker = DomainChecker(
        resolver, HttpProber(resolver, internet, tls, timeout_seconds=WEB_SECONDS), Keys()
    )
    _public_names(zones)
    yield World(zones, nameservers, internet, authority, checker, resolver)
    internet.close()
    for server in servers:
        server.server.shutdown()
        server.server.server_close()


def _public_names(zones: Zones) -> None:
    """Our own names, and the zone of the customer, whose two name servers are real ones too."""
    zones.add(DEFAULT_HOST, "CNAME", ENDPOINT)
    zones.add(ENDPOINT, "A", EDGE_ADDRESS)
    zones.add("acme.com", "SOA", "ns1.acme.com. admin.acme.com. 1 60 60 60 60")
    zones.add("acme.com", "NS", *(f"ns{i}.acme.com" for i in range(len(NAMESERVERS))))
    for i, address in enumerate(NAMESERVERS):
        zones.add(f"ns{i}.acme.com", "A", address)
