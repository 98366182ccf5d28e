"""A host for short links alone, and which messages it serves."""

from tests.fakes import MemoryDomains
from tests.unit.domains.builders import domain
from waypost.domains.base_url import BaseUrls
from waypost.domains.item_mapping import from_item, to_item
from waypost.domains.model import Role, Sending, TrackingDomain
from waypost.ids import workspace_code

ADDRESS = "https://api.example.com"
ACME = workspace_code("acme")


def working(host: str, role: Role, **changes: object) -> TrackingDomain:
    sending = Sending("acme.com", verified=True)
    return domain(host=host, role=role, stage="https", sending=sending, **changes)


def base_urls(*domains: TrackingDomain) -> BaseUrls:
    store = MemoryDomains()
    for each in domains:
        store.add(each)
    return BaseUrls(store, ADDRESS)


def test_short_links_get_the_short_host_and_others_never_do() -> None:
    urls = base_urls(working("links.acme.com", "links"), working("go.acme.com", "short"))
    assert urls.short("acme", "+15550100") == "https://go.acme.com"
    assert urls.for_message("acme", "news@acme.com") == "https://links.acme.com"


def test_a_short_host_alone_serves_no_other_links() -> None:
    urls = base_urls(working("go.acme.com", "short"))
    assert urls.short("acme", None) == "https://go.acme.com"
    assert urls.for_message("acme", "news@acme.com") == ADDRESS


def test_without_a_short_host_short_links_point_where_all_do() -> None:
    assert base_urls(working("links.acme.com", "links")).short("acme", None) == (
        "https://links.acme.com"
    )
    assert base_urls().short("acme", None) == ADDRESS


def test_a_short_host_that_does_not_work_is_not_used() -> None:
    broken = domain(host="go.acme.com", role="short", stage="waiting")
    reverted = working("get.acme.com", "short", use="reverted")
    urls = base_urls(broken, reverted, working("links.acme.com", "links"))
    assert urls.short("acme", None) == "https://links.acme.com"


def test_a_role_is_kept_and_a_domain_stored_before_there_were_roles_is_for_links() -> None:
    short = working("go.acme.com", "short")
    assert from_item(to_item(short)).role == "short"
    stored = to_item(working("links.acme.com", "links"))
    text = str(stored["domain"]["S"])
    old = stored | {"domain": {"S": text.replace('"role": "links", ', "")}}
    assert '"role"' not in str(old["domain"])
    assert from_item(old).role == "links"
