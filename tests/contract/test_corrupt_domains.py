"""A corrupt domain or claim does not affect the others, in either repository."""

from __future__ import annotations

import pytest

from tests.contract.corrupt_domains import corrupt_domain_item, put_domain_item
from tests.contract.domain_repositories import ACME, GLOBEX, build_domain_with_history, store
from tests.fakes import InMemoryWorkspaceRepository
from tests.unit.domains.builders import HOST, MINUTE, NOW, make_domain
from waypost.domains.base_url import DomainBaseUrlResolver
from waypost.domains.events import DomainEventPublisher
from waypost.domains.service import DomainService
from waypost.errors import AlreadyExists, CorruptItem
from waypost.models import tracking_domain
from waypost.models.attributes import Item
from waypost.models.tracking_domain import (
    STACK_WORKSPACE,
    STACK_WORKSPACE_NAME,
    CnameTargets,
    TrackingDomain,
    create_domain,
)
from waypost.repositories.domains import DomainRepository

__all__ = ["store"]

DEFAULT_HOST = "e.waypost.example"
ADDRESS = "https://api.example.com"


INVALID_VALUES = [
    ("host", "other.acme.com"),
    ("host", None),
    ("workspace_name", 7),
    ("sending", "acme.com"),
    ("sending.verified", "false"),
    ("sending.since", "yesterday"),
    ("added", "2026-11-21T10:00:00"),
    ("added", 7),
    ("role", "all"),
    ("use", True),
    ("stage", "working"),
    ("stage", None),
    ("failures", "2"),
    ("failures", True),
    ("proven", 1),
    ("findings", []),
    ("findings.dns", None),
    ("findings.dns.chain", "links.acme.com"),
    ("findings.dns.verdict", "right"),
    ("findings.dns.addresses", [4]),
    ("findings.http.outcome", 200),
    ("findings.caa.issuers", {"amazon.com": True}),
    ("lit", [["dns", "green"]]),
    ("lit", {}),
    ("certificate", "issued"),
    ("certificate.status", 1),
    ("app_links", ["com.acme.app"]),
    ("app_links.ios", "ABCDE12345.com.acme.app"),
    ("app_links.android", [["com.acme.app"]]),
    ("app_links.urls", [1]),
    ("due", {}),
    ("history", "none"),
    ("history.0.at", 0),
]
INVALID_FIELDS: list[Item] = [
    {},
    {"version": {"N": "3"}},
    {"domain": {"M": {}}, "version": {"N": "1"}},
    {"domain": {"S": "{"}, "version": {"N": "1"}},
    {"domain": {"S": "[]"}, "version": {"N": "1"}},
    {"domain": {"S": "null"}, "version": {"N": "1"}},
    {"domain": {"S": "[" * 100_000}, "version": {"N": "1"}},
    {"domain": tracking_domain.domain_to_item(make_domain())["domain"], "version": {"S": "one"}},
    {"domain": tracking_domain.domain_to_item(make_domain())["domain"], "version": {"BOOL": True}},
]
CORRUPT_ITEMS: list[Item] = [
    *(
        corrupt_domain_item(build_domain_with_history(), path, value)
        for path, value in INVALID_VALUES
    ),
    *(tracking_domain.build_domain_key(ACME, HOST) | fields for fields in INVALID_FIELDS),
]


@pytest.mark.parametrize("corrupt_item", CORRUPT_ITEMS)
def test_corrupt_domain_is_logged_and_left_out_of_lists(
    store: DomainRepository, corrupt_item: Item, caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    store.add(make_domain())
    store.add(make_domain(host="second.acme.com"))
    put_domain_item(store, corrupt_item)
    for read in (lambda: store.get(ACME, HOST), lambda: store.get_by_host(HOST)):
        with pytest.raises(CorruptItem, match=HOST):
            read()
    log_fields = vars(caplog.records[0])
    assert (log_fields["row"], log_fields["host"]) == ("domain", HOST)
    assert '"RowDamaged":1' in capsys.readouterr().out
    assert [domain.host for domain in store.list_by_workspace(ACME)] == ["second.acme.com"]
    assert len(store.list_due(NOW, 10)) == 2  # its claim is valid; the check reports the problem


INVALID_CLAIMS: list[Item] = [
    {},
    {"workspace": {"S": ACME}},
    {"workspace": {"S": ACME}, "due": {"S": "soon"}},
    {"workspace": {"S": ACME}, "due": {"S": "2026-11-21T10:00:00"}},
    {"workspace": {"S": ACME}, "due": {"N": "0"}},
    {"workspace": {"BOOL": True}, "due": {"S": NOW.isoformat()}},
    {"due": {"S": NOW.isoformat()}},
]


@pytest.mark.parametrize("fields", INVALID_CLAIMS)
def test_corrupt_claim_does_not_block_checks_of_other_domains(
    store: DomainRepository, fields: Item, caplog: pytest.LogCaptureFixture
) -> None:
    store.add(make_domain(due=NOW - MINUTE))
    store.add(make_domain(host="links.globex.com", workspace=GLOBEX))
    put_domain_item(store, tracking_domain.build_claim_key(HOST) | fields)
    assert store.list_due(NOW, 10) == [(GLOBEX, "links.globex.com")]
    log_fields = vars(caplog.records[0])
    assert (log_fields["row"], log_fields["host"]) == ("claim", HOST)
    assert store.get(ACME, HOST) == make_domain(due=NOW - MINUTE)
    with pytest.raises(AlreadyExists):
        store.add(make_domain(workspace=GLOBEX))


def test_saving_a_domain_repairs_its_corrupt_claim(store: DomainRepository) -> None:
    store.add(make_domain())
    put_domain_item(store, tracking_domain.build_claim_key(HOST))
    with pytest.raises(CorruptItem, match=HOST):
        store.get_by_host(HOST)
    store.save(make_domain())
    assert store.list_due(NOW, 10) == [(ACME, HOST)]


def test_unknown_fields_of_a_newer_version_are_ignored(store: DomainRepository) -> None:
    domain = build_domain_with_history()
    store.add(domain)
    for path in ("findings.dns.dnssec", "findings.http.protocol", "sending.dkim"):
        put_domain_item(store, corrupt_domain_item(domain, path, True))
        assert store.get(ACME, HOST) == domain


def test_messages_use_another_domain_of_the_workspace_if_one_is_corrupt(
    store: DomainRepository,
) -> None:
    store.add(make_domain(stage="https"))
    store.add(make_domain(host="second.acme.com", stage="https", added=NOW + MINUTE))
    base_urls = DomainBaseUrlResolver(store, ADDRESS)
    assert base_urls.resolve_base(ACME, "news@acme.com").url == f"https://{HOST}"
    put_domain_item(store, corrupt_domain_item(make_domain(stage="https"), "failures", "none"))
    assert base_urls.resolve_base(ACME, "news@acme.com").url == "https://second.acme.com"


def build_default_domain() -> TrackingDomain:
    return create_domain(
        STACK_WORKSPACE, STACK_WORKSPACE_NAME, DEFAULT_HOST, DEFAULT_HOST, "f00d", NOW
    )


def test_default_host_needs_only_a_readable_stage(store: DomainRepository) -> None:
    store.add(build_default_domain())
    base_urls = DomainBaseUrlResolver(store, ADDRESS, DEFAULT_HOST)
    assert base_urls.resolve_default_url() == ADDRESS
    put_domain_item(
        store,
        corrupt_domain_item(build_default_domain(), "failures", "none") | {"version": {"S": "x"}},
    )
    assert base_urls.resolve_default_url() == ADDRESS
    working = corrupt_domain_item(build_default_domain(), "stage", "https")
    put_domain_item(store, working | {"version": {"S": "x"}})
    assert base_urls.resolve_default_url() == f"https://{DEFAULT_HOST}"


@pytest.mark.parametrize("value", [7, "working", None])
def test_unreadable_stage_of_the_default_host_raises_instead_of_a_guess(
    store: DomainRepository, value: object
) -> None:
    store.add(build_default_domain())
    put_domain_item(store, corrupt_domain_item(build_default_domain(), "stage", value))
    store.add(make_domain(stage="https"))
    base_urls = DomainBaseUrlResolver(store, ADDRESS, DEFAULT_HOST)
    with pytest.raises(CorruptItem, match=DEFAULT_HOST):
        base_urls.resolve_base(GLOBEX, "news@globex.com")
    assert base_urls.resolve_base(ACME, "news@acme.com").url == f"https://{HOST}"


def test_list_leaves_out_a_domain_with_invalid_app_links(
    store: DomainRepository, caplog: pytest.LogCaptureFixture
) -> None:
    store.add(make_domain())
    store.add(make_domain(host="second.acme.com"))
    put_domain_item(store, corrupt_domain_item(make_domain(), "app_links.ios", ["no app"]))
    service = DomainService(
        store,
        InMemoryWorkspaceRepository(),
        CnameTargets("edge.example.net"),
        DomainEventPublisher(),
        lambda: NOW,
    )
    assert [status.host for status in service.list_domains("acme").domains] == ["second.acme.com"]
    assert vars(caplog.records[0])["host"] == HOST
    with pytest.raises(CorruptItem, match=HOST):
        service.get_domain("acme", HOST)
