import pytest

from waypost.domains.check_results import Hsts
from waypost.domains.checker import MAX_PARENTS, in_force, judge


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
    assert in_force(header) == force


def test_the_hosts_own_header_counts_with_or_without_subdomains() -> None:
    assert judge("links.acme.com", "max-age=60", nobody) == Hsts("own", "links.acme.com")


def test_a_parents_header_counts_only_with_subdomains() -> None:
    headers = {"mail.acme.com": "max-age=60", "acme.com": "max-age=60; includeSubDomains"}
    assert judge("links.mail.acme.com", None, headers.get) == Hsts("parent", "acme.com")


def test_the_list_that_browsers_ship_counts_without_any_header() -> None:
    assert judge("links.acme.dev", None, nobody) == Hsts("preload", "links.acme.dev")
    assert judge("links.github.com", None, nobody) == Hsts("preload", "links.github.com")


def test_without_any_of_them_plain_http_is_allowed() -> None:
    assert judge("links.acme.com", "max-age=0", nobody) == Hsts()


def test_a_deep_name_does_not_make_us_ask_without_end() -> None:
    asked: list[str] = []

    def header_of(parent: str) -> None:
        asked.append(parent)

    judge("a.b.c.d.e.f.g.acme.com", None, header_of)
    assert len(asked) == MAX_PARENTS


def test_of_many_parents_the_outermost_are_asked() -> None:
    """It is the domain itself that has a policy for all below it, however deep the host is."""
    asked: list[str] = []

    def header_of(parent: str) -> str | None:
        asked.append(parent)
        return "max-age=60; includeSubDomains" if parent == "acme.com" else None

    assert judge("links.a.b.c.acme.com", None, header_of) == Hsts("parent", "acme.com")
    assert asked == ["b.c.acme.com", "c.acme.com", "acme.com"]
