"""Addresses that domain checks may connect to."""

import pytest

from waypost.domains.network import connect_tcp, is_public_address


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700::6810:84e5"])
def test_public_address_is_allowed(address: str) -> None:
    assert is_public_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",  # shared by carriers (RFC 6598)
        "169.254.169.254",  # instance metadata
        "169.254.170.2",  # task credentials
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",  # instance metadata
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:8.8.8.8",
        "::7f00:1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "localhost",
        "links.acme.com",
        "127.1",
        "2130706433",
        "0x7f000001",
        "",
    ],
)
def test_address_that_is_not_public_is_rejected(address: str) -> None:
    assert not is_public_address(address)


@pytest.mark.parametrize(("address", "port"), [("127.0.0.1", 80), ("8.8.8.8", 22)])
def test_connect_tcp_refuses_private_addresses_and_other_ports(address: str, port: int) -> None:
    with pytest.raises(OSError, match="not a public web address"):
        connect_tcp(address, port, 1)
