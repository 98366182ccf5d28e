import pytest

from waypost.domains.checker import MAX_HSTS_PARENTS, check_hsts, parse_hsts_header
from waypost.models.domain_check import HstsResult


def nobody(_parent: str) -> None:
    return None


@pytest.mark.parametrize(
    ("header", "force"),
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
def test_a_header_is_read_as_browsers_read_it(header: str | None, force: tuple[bool, bool]) -> None:
    assert parse_hsts_header(header) == force


def test_the_hosts_own_header_counts_with_or_without_subdomains() -> None:
    assert check_hsts("links.acme.com", "max-age=60", nobody) == HstsResult("own", "links.acme.com")


def test_a_parents_header_counts_only_with_subdomains() -> None:
    headers = {"mail.acme.com": "max-age=60", "acme.com": "max-age=60; includeSubDomains"}
    assert check_hsts("links.mail.acme.com", None, headers.get) == HstsResult("parent", "acme.com")


def test_the_list_that_browsers_ship_counts_without_any_header() -> None:
    assert check_hsts("links.acme.dev", None, nobody) == HstsResult("preload", "links.acme.dev")
    assert check_hsts("links.github.com", None, nobody) == HstsResult("preload", "links.github.com")


def test_without_any_of_them_plain_http_is_allowed() -> None:
    assert check_hsts("links.acme.com", "max-age=0", nobody) == HstsResult()


def test_a_deep_name_does_not_make_us_ask_without_end() -> None:
    asked: list[str] = []

    def header_of(parent: str) -> None:
        asked.append(parent)

    check_hsts("a.b.c.d.e.f.g.acme.com", None, header_of)
    assert len(asked) == MAX_HSTS_PARENTS


def test_of_many_parents_the_outermost_are_asked() -> None:
    """It is the domain itself that has a policy for all below it, however deep the host is."""
    asked: list[str] = []

    def header_of(parent: str) -> str | None:
        asked.append(parent)
        return "max-age=60; includeSubDomains" if parent == "acme.com" else None

    assert check_hsts("links.a.b.c.acme.com", None, header_of) == HstsResult("parent", "acme.com")
    assert asked == ["b.c.acme.com", "c.acme.com", "acme.com"]
