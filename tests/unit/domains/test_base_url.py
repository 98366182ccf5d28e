"""Selection of the base URL for the links of a message."""

from dataclasses import replace

import pytest

from tests.fakes import InMemoryDomainRepository
from tests.unit.domains.builders import HOST, MINUTE, NOW, TARGET, make_domain
from waypost.domains.base_url import DomainBaseUrlResolver
from waypost.ids import derive_workspace_id
from waypost.models.tracking_domain import (
    STACK_WORKSPACE,
    STACK_WORKSPACE_NAME,
    SendingDomain,
    TrackingDomain,
    create_domain,
)

ADDRESS = "https://api.execute-api.example.com"
ACME, GLOBEX = derive_workspace_id("acme"), derive_workspace_id("globex")


def build_resolver(*domains: TrackingDomain, default_host: str = "") -> DomainBaseUrlResolver:
    store = InMemoryDomainRepository()
    for domain in domains:
        store.add(domain)
    return DomainBaseUrlResolver(store, ADDRESS, default_host)


def resolve_url(*domains: TrackingDomain, sender: str | None = "news@acme.com") -> str:
    return build_resolver(*domains).resolve_base(ACME, sender).url


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"stage": "https"}, f"https://{HOST}"),
        ({"stage": "http"}, f"http://{HOST}"),
        ({"stage": "blocked"}, ADDRESS),
        ({"stage": "fallen_back"}, ADDRESS),
        ({"stage": "waiting"}, ADDRESS),
        ({"stage": "issuing"}, ADDRESS),
        ({"stage": "https", "use": "reverted"}, ADDRESS),
        ({"stage": "https", "use": "removed"}, ADDRESS),
        ({"stage": "https", "sending": SendingDomain("acme.com")}, ADDRESS),
        ({"stage": "https", "failures": 1}, f"https://{HOST}"),
    ],
)
def test_base_url_follows_the_state_of_the_domain(
    changes: dict[str, object], expected: str
) -> None:
    assert resolve_url(make_domain(**changes)) == expected


@pytest.mark.parametrize(
    ("sender", "is_used"),
    [
        ("news@acme.com", True),
        ("Acme <news@acme.com>", True),
        ("news@MAIL.acme.com", True),
        ("news@notacme.com", False),
        ("news@acme.com.evil.example", False),
        ("acme.com@evil.example", False),
        ('"news@acme.com" <x@evil.example>', False),
        ("+15550100", True),
        (None, True),
    ],
)
def test_domain_is_used_for_senders_at_or_below_its_sending_domain(
    sender: str | None, is_used: bool
) -> None:
    expected = f"https://{HOST}" if is_used else ADDRESS
    assert resolve_url(make_domain(stage="https"), sender=sender) == expected


def test_nearest_sending_domain_wins_over_https_and_age() -> None:
    wide = make_domain(stage="https")
    near = make_domain(
        host="links.mail.acme.com",
        stage="http",
        added=NOW + MINUTE,
        sending=SendingDomain("mail.acme.com", verified=True),
    )
    assert resolve_url(wide, near, sender="news@mail.acme.com") == "http://links.mail.acme.com"
    assert resolve_url(wide, near, sender="news@acme.com") == f"https://{HOST}"


def test_https_wins_and_then_age_among_domains_of_one_sender() -> None:
    old_http = make_domain(stage="http")
    https = make_domain(host="a.acme.com", stage="https", added=NOW + MINUTE)
    younger = make_domain(host="b.acme.com", stage="https", added=NOW + 2 * MINUTE)
    assert resolve_url(old_http, younger, https) == "https://a.acme.com"


@pytest.mark.parametrize(
    ("sending", "proven", "is_used"),
    [
        (SendingDomain("acme.com", verified=True), False, True),
        (SendingDomain("mail.acme.com", verified=True), False, False),
        (SendingDomain("evil.example", verified=True), False, False),
        (SendingDomain("evil.example", verified=True), True, True),
        (SendingDomain("other.example", verified=True, by_operator=True), False, True),
    ],
)
def test_host_outside_its_sending_domain_needs_a_proof_or_the_operators_mark(
    sending: SendingDomain, proven: bool, is_used: bool
) -> None:
    host = make_domain(stage="https", sending=sending, proven=proven)
    expected = f"https://{HOST}" if is_used else ADDRESS
    assert resolve_url(host, sender=f"news@{sending.domain}") == expected


def test_domain_of_another_workspace_is_never_used_for_links() -> None:
    resolver = build_resolver(make_domain(stage="https"))
    assert resolver.resolve_base(GLOBEX, "news@acme.com").url == ADDRESS


def test_reverted_domain_is_unused_from_the_next_message() -> None:
    store = InMemoryDomainRepository()
    store.add(make_domain(stage="https"))
    resolver = DomainBaseUrlResolver(store, ADDRESS)
    assert resolver.resolve_base(ACME, "news@acme.com").url == f"https://{HOST}"
    stored = store.get(make_domain().workspace, HOST)
    assert stored is not None
    store.save(replace(stored, use="reverted"))
    assert resolver.resolve_base(ACME, "news@acme.com").url == ADDRESS


def build_default_host(**changes: object) -> TrackingDomain:
    host = create_domain(STACK_WORKSPACE, STACK_WORKSPACE_NAME, TARGET, TARGET, "beef", NOW)
    return replace(host, **changes)  # type: ignore[arg-type]


def test_default_host_is_used_once_its_https_has_worked() -> None:
    waiting = build_resolver(build_default_host(), default_host=TARGET)
    assert waiting.resolve_base(ACME, None).url == ADDRESS
    plain = build_resolver(build_default_host(stage="http"), default_host=TARGET)
    assert plain.resolve_base(ACME, None).url == ADDRESS
    working = build_resolver(build_default_host(stage="https", failures=7), default_host=TARGET)
    assert working.resolve_base(ACME, None).url == f"https://{TARGET}"
