"""Roles of tracking domains: hosts for short links and hosts for all other links."""

from tests.fakes import InMemoryDomainRepository
from tests.unit.domains.builders import make_domain
from waypost.domains.base_url import DomainBaseUrlResolver
from waypost.ids import derive_workspace_id
from waypost.models.tracking_domain import (
    DomainRole,
    SendingDomain,
    TrackingDomain,
    domain_from_item,
    domain_to_item,
)

ADDRESS = "https://api.example.com"
ACME = derive_workspace_id("acme")


def build_working_domain(host: str, role: DomainRole, **changes: object) -> TrackingDomain:
    sending = SendingDomain("acme.com", verified=True)
    return make_domain(host=host, role=role, stage="https", sending=sending, **changes)


def build_resolver(*domains: TrackingDomain) -> DomainBaseUrlResolver:
    store = InMemoryDomainRepository()
    for domain in domains:
        store.add(domain)
    return DomainBaseUrlResolver(store, ADDRESS)


def test_short_host_is_used_only_for_short_links() -> None:
    resolver = build_resolver(
        build_working_domain("links.acme.com", "links"),
        build_working_domain("go.acme.com", "short"),
    )
    assert resolver.resolve_short_base(ACME, "+15550100") == "https://go.acme.com"
    assert resolver.resolve_base(ACME, "news@acme.com").url == "https://links.acme.com"


def test_workspace_with_only_a_short_host_uses_the_default_for_other_links() -> None:
    resolver = build_resolver(build_working_domain("go.acme.com", "short"))
    assert resolver.resolve_short_base(ACME, None) == "https://go.acme.com"
    assert resolver.resolve_base(ACME, "news@acme.com").url == ADDRESS


def test_short_link_uses_the_links_host_if_there_is_no_short_host() -> None:
    assert build_resolver(build_working_domain("links.acme.com", "links")).resolve_short_base(
        ACME, None
    ) == ("https://links.acme.com")
    assert build_resolver().resolve_short_base(ACME, None) == ADDRESS


def test_short_host_that_does_not_work_is_not_used() -> None:
    broken = make_domain(host="go.acme.com", role="short", stage="waiting")
    reverted = build_working_domain("get.acme.com", "short", use="reverted")
    resolver = build_resolver(broken, reverted, build_working_domain("links.acme.com", "links"))
    assert resolver.resolve_short_base(ACME, None) == "https://links.acme.com"


def test_role_survives_storage_and_a_domain_without_role_is_for_links() -> None:
    short = build_working_domain("go.acme.com", "short")
    assert domain_from_item(domain_to_item(short)).role == "short"
    stored = domain_to_item(build_working_domain("links.acme.com", "links"))
    text = str(stored["domain"]["S"])
    old = stored | {"domain": {"S": text.replace('"role": "links", ', "")}}
    assert '"role"' not in str(old["domain"])
    assert domain_from_item(old).role == "links"
