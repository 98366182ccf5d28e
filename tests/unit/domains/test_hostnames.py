"""Host names: normalization, validation and parents."""

import pytest

from waypost.domains.hostnames import (
    extract_sender_domain,
    iter_parent_domains,
    parse_host_name,
    parse_tracking_host,
)
from waypost.errors import InvalidRequest


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("links.acme.com", "links.acme.com"),
        (" Links.ACME.com. ", "links.acme.com"),
        ("a.b.c.acme.co.uk", "a.b.c.acme.co.uk"),
        ("xn--bcher-kva.example.org", "xn--bcher-kva.example.org"),
    ],
)
def test_tracking_host_is_normalized(text: str, host: str) -> None:
    assert parse_tracking_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acme.com",
        "localhost",
        "links",
        "127.0.0.1",
        "10.1.2.3",
        "[::1]",
        "2130706433",
        "links.acme.local",
        "instance-data.ec2.internal",
        "1.0.0.127.in-addr.arpa",
        "links..acme.com",
        ".links.acme.com",
        "-links.acme.com",
        "links_.acme.com",
        "*.acme.com",
        "links.acme.com:8080",
        "https://links.acme.com",
        "links.acme.com/path",
        "links.acme.com\r\nx: y",
        "user@links.acme.com",
        "bücher.acme.com",
        "a" * 64 + ".acme.com",
        ".".join(["a" * 60] * 5) + ".com",
    ],
)
def test_tracking_host_that_is_not_a_public_subdomain_is_rejected(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_tracking_host(text)


def test_sending_domain_may_be_a_registered_domain() -> None:
    assert parse_host_name("ACME.com") == "acme.com"


@pytest.mark.parametrize(
    ("sender", "domain"),
    [
        ("News <news@Bücher.example>", "xn--bcher-kva.example"),
        ("news@mail.xn--bcher-kva.example", "mail.xn--bcher-kva.example"),
        ("news@" + "ü" * 80 + ".example", "ü" * 80 + ".example"),  # not a valid host
    ],
)
def test_international_sender_domain_is_converted_to_punycode(sender: str, domain: str) -> None:
    assert extract_sender_domain(sender) == domain


def test_parent_domains_end_at_two_labels() -> None:
    assert list(iter_parent_domains("a.b.acme.com")) == ["b.acme.com", "acme.com"]
    assert list(iter_parent_domains("acme.com")) == []
