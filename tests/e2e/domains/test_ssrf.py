"""Hosts that resolve to private addresses are unsafe, and get no request.

The address rule is the real one; a server at every forbidden address records requests.
"""

from __future__ import annotations

import pytest

from tests.e2e.domains.conftest import HOST, PROOF, PROXY_ADDRESS, DomainFixture
from tests.e2e.domains.internet import respond_to_probe
from waypost.domains import probe_token

FORBIDDEN = [
    ("A", "127.0.0.1"),
    ("A", "10.0.0.8"),
    ("A", "172.20.0.1"),
    ("A", "192.168.0.1"),
    ("A", "100.64.0.1"),
    ("A", "169.254.169.254"),
    ("A", "0.0.0.0"),
    ("AAAA", "::1"),
    ("AAAA", "fd00:ec2::254"),
    ("AAAA", "fe80::1"),
    ("AAAA", "::ffff:7f00:1"),
    ("AAAA", "::ffff:a9fe:a9fe"),
    ("AAAA", "64:ff9b::a9fe:a9fe"),
    ("AAAA", "2002:7f00:1::1"),
]


def add_proof_record(world: DomainFixture) -> None:
    world.dns.add_record(f"_waypost.{HOST}", "TXT", f'"waypost={PROOF}"')


@pytest.mark.parametrize(("record_type", "address"), FORBIDDEN)
def test_host_at_a_private_address_is_unsafe_and_gets_no_request(
    world: DomainFixture, record_type: str, address: str
) -> None:
    add_proof_record(world)
    world.dns.add_record(HOST, record_type, address)
    sites = [world.internet.serve(address, port, respond_to_probe) for port in (80, 443)]
    result = world.check_host()
    assert (result.http.outcome, result.https.outcome) == ("unsafe", "unsafe")
    assert world.internet.connections == []
    assert not any(site.requests for site in sites)


@pytest.mark.parametrize(("record_type", "address"), FORBIDDEN)
def test_host_with_one_private_address_among_public_ones_is_unsafe(
    world: DomainFixture, record_type: str, address: str
) -> None:
    add_proof_record(world)
    world.dns.add_record(HOST, "A", PROXY_ADDRESS)
    addresses = (PROXY_ADDRESS, address) if record_type == "A" else (address,)
    world.dns.add_record(HOST, record_type, *addresses)
    assert world.check_host().http.outcome == "unsafe"
    assert world.internet.connections == []


def test_cname_to_a_private_address_is_unsafe(world: DomainFixture) -> None:
    add_proof_record(world)
    world.dns.add_record(HOST, "CNAME", "internal.evil.example")
    world.dns.add_record("internal.evil.example", "A", "169.254.169.254")
    assert world.check_host().http.outcome == "unsafe"
    assert world.internet.connections == []


def test_dns_rebinding_after_resolution_reaches_no_private_address(world: DomainFixture) -> None:
    """The first DNS answer is public; later answers lead to the metadata service."""
    add_proof_record(world)
    world.dns.add_record(HOST, "A", PROXY_ADDRESS)
    world.internet.serve(PROXY_ADDRESS, 80, respond_to_probe)
    metadata = world.internet.serve("169.254.169.254", 80, respond_to_probe)
    connect = world.internet.connect

    def rebind_and_connect(address: str, port: int, seconds: float) -> object:
        world.dns.add_record(HOST, "A", "169.254.169.254")
        return connect(address, port, seconds)

    world.internet.connect = rebind_and_connect  # type: ignore[method-assign,assignment]
    prober, path = world.checker.prober, probe_token.PROBE_PATH + probe_token.create_nonce()
    assert prober.probe("http", HOST, path, lambda _body: True).outcome == "ours"
    assert world.internet.connections == [(PROXY_ADDRESS, 80)]
    assert prober.probe("http", HOST, path, lambda _body: True).outcome == "unsafe"
    assert metadata.requests == []


def test_parent_at_a_private_address_is_not_asked_for_hsts(world: DomainFixture) -> None:
    add_proof_record(world)
    world.dns.add_record(HOST, "A", PROXY_ADDRESS)
    world.dns.add_record("acme.com", "A", "127.0.0.1")
    world.internet.serve(PROXY_ADDRESS, 80, respond_to_probe)
    assert world.check_host().http.outcome == "ours"
    assert {address for address, _ in world.internet.connections} == {PROXY_ADDRESS}
