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
    LoopbackInternet,
    Zones,
    respond_to_probe,
    start_dns_server,
)
from waypost.domains.checker import DomainChecker
from waypost.domains.dns import DnsResolver
from waypost.domains.http_probe import HttpProber
from waypost.domains.network import create_browser_tls_context
from waypost.models.domain_check import CheckResult
from waypost.tokens.keyring import KeyringSource
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
class FakeKeyringSource(KeyringSource):
    """The checker's keys; a reload returns ``next_keyring``."""

    keyring: Keyring = KEYRING
    next_keyring: Keyring | None = None

    def get_keyring(self) -> Keyring:
        return self.keyring

    def reload_keyring(self) -> Keyring | None:
        return self.next_keyring


@dataclass
class DomainFixture:
    """A customer's DNS, the CDN, and a checker that reaches both over real sockets."""

    dns: Zones
    nameservers: list[Zones]
    internet: LoopbackInternet
    authority: trustme.CA
    checker: DomainChecker
    resolver: DnsResolver

    def check_host(self, host: str = HOST) -> CheckResult:
        return self.checker.check(host, PROOF, (DEFAULT_HOST, ENDPOINT))

    def issue_certificate(
        self,
        *hosts: str,
        authority: trustme.CA | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = (authority or self.authority).issue_cert(
            *hosts, not_before=not_before, not_after=not_after
        )
        certificate.configure_cert(context)
        return context

    def add_cname(self) -> None:
        """Add the expected CNAME at every DNS server of the zone."""
        for zones in (self.dns, *self.nameservers):
            zones.add_record(HOST, "CNAME", DEFAULT_HOST)

    def add_proxy_records(self) -> None:
        self.dns.add_record(HOST, "A", PROXY_ADDRESS)
        self.dns.add_record(f"_waypost.{HOST}", "TXT", f'"waypost={PROOF}"')

    def serve_https(self, address: str = EDGE_ADDRESS, *hosts: str) -> None:
        self.internet.serve(
            address, 443, respond_to_probe, self.issue_certificate(*(hosts or (HOST,)))
        )


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def world(authority: trustme.CA, socket_enabled: None) -> Iterator[DomainFixture]:
    zones, nameservers = Zones(), [Zones() for _ in NAMESERVERS]
    internet = LoopbackInternet()
    servers = [start_dns_server(zones, RECURSIVE)]
    port = servers[0].server.server_address[1]
    servers += [
        start_dns_server(nameserver, address, port)
        for nameserver, address in zip(nameservers, NAMESERVERS, strict=True)
    ]
    resolver = DnsResolver(
        [RECURSIVE], port=port, timeout_seconds=DNS_SECONDS, is_allowed=lambda a: a in NAMESERVERS
    )
    tls = create_browser_tls_context()
    authority.configure_trust(tls)
    checker = DomainChecker(
        resolver,
        HttpProber(
            resolver,
            tls,
            connect=lambda *target: internet.connect(*target),
            timeout_seconds=WEB_SECONDS,
        ),
        FakeKeyringSource(),
    )
    _add_public_names(zones)
    yield DomainFixture(zones, nameservers, internet, authority, checker, resolver)
    internet.close()
    for server in servers:
        server.server.shutdown()
        server.server.server_close()


def _add_public_names(zones: Zones) -> None:
    """Add the stack's names, and the customer's zone with two real name servers."""
    zones.add_record(DEFAULT_HOST, "CNAME", ENDPOINT)
    zones.add_record(ENDPOINT, "A", EDGE_ADDRESS)
    zones.add_record("acme.com", "SOA", "ns1.acme.com. admin.acme.com. 1 60 60 60 60")
    zones.add_record("acme.com", "NS", *(f"ns{i}.acme.com" for i in range(len(NAMESERVERS))))
    for i, address in enumerate(NAMESERVERS):
        zones.add_record(f"ns{i}.acme.com", "A", address)
