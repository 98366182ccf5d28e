"""HSTS policies of hosts, parents and the preload list."""

import pytest

from waypost.domains.checker import MAX_HSTS_PARENTS, check_hsts, parse_hsts_header
from waypost.models.domain_check import HstsResult


def get_no_header(_parent: str) -> None:
    return None


@pytest.mark.parametrize(
    ("header", "policy"),
    [
        ("max-age=31536000", (True, False)),
        ("max-age=31536000; includeSubDomains; preload", (True, True)),
        ('MAX-AGE="600" ; INCLUDESUBDOMAINS', (True, True)),
        ("includeSubDomains;max-age=1", (True, True)),
        ("max-age=0; includeSubDomains", (False, False)),
        ("includeSubDomains", (False, False)),
        ("max-age=soon", (False, False)),
        ("max-age=-1", (False, False)),
        ("max-age=" + "9" * 5000 + "; includeSubDomains", (True, True)),
        ("max-age=" + "0" * 5000, (False, False)),
        ("", (False, False)),
        (None, (False, False)),
    ],
)
def test_hsts_header_is_parsed_as_browsers_parse_it(
    header: str | None, policy: tuple[bool, bool]
) -> None:
    assert parse_hsts_header(header) == policy


def test_hsts_header_of_the_host_counts_without_include_subdomains() -> None:
    assert check_hsts("links.acme.com", "max-age=60", get_no_header) == HstsResult(
        "own", "links.acme.com"
    )


def test_hsts_header_of_a_parent_counts_only_with_include_subdomains() -> None:
    headers = {"mail.acme.com": "max-age=60", "acme.com": "max-age=60; includeSubDomains"}
    assert check_hsts("links.mail.acme.com", None, headers.get) == HstsResult("parent", "acme.com")


def test_hsts_preload_list_counts_without_any_header() -> None:
    assert check_hsts("links.acme.dev", None, get_no_header) == HstsResult(
        "preload", "links.acme.dev"
    )
    assert check_hsts("links.github.com", None, get_no_header) == HstsResult(
        "preload", "links.github.com"
    )


def test_plain_http_is_allowed_without_header_parent_or_preload_entry() -> None:
    assert check_hsts("links.acme.com", "max-age=0", get_no_header) == HstsResult()


def test_hsts_check_of_a_deep_host_asks_a_limited_number_of_parents() -> None:
    requested_parents: list[str] = []

    def get_header(parent: str) -> None:
        requested_parents.append(parent)

    check_hsts("a.b.c.d.e.f.g.acme.com", None, get_header)
    assert len(requested_parents) == MAX_HSTS_PARENTS


def test_hsts_check_of_a_deep_host_asks_the_outermost_parents() -> None:
    """A policy for all subdomains is set at the registered domain, at any depth of the host."""
    requested_parents: list[str] = []

    def get_header(parent: str) -> str | None:
        requested_parents.append(parent)
        return "max-age=60; includeSubDomains" if parent == "acme.com" else None

    assert check_hsts("links.a.b.c.acme.com", None, get_header) == HstsResult("parent", "acme.com")
    assert requested_parents == ["b.c.acme.com", "c.acme.com", "acme.com"]
