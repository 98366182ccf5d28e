"""Links of a message use the current tracking domain of its sender."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

from tests.fakes import (
    InMemoryDomainRepository,
)
from tests.rewrite_harness import create_rewrite_service
from tests.unit.domains.builders import HOST, make_domain
from waypost.domains.base_url import DomainBaseUrlResolver
from waypost.models.tracking_domain import AppLinks, DomainUse
from waypost.rewrite import schemas
from waypost.tokens import Keyring, TokenSealer

ADDRESS = "https://api.example.com"
SEALER = TokenSealer(Keyring((b"k" * 32,)))
APPS = AppLinks(ios=("ABCDE12345.com.acme.app",), urls=("https://acme.com/shop/*",))
HTML = '<a href="https://acme.com/shop/shoes">a</a> <a href="https://acme.com/blog">b</a>'


class MessageRewriter:
    def __init__(self) -> None:
        self.domains = InMemoryDomainRepository()
        self.domains.add(make_domain(stage="https", app_links=APPS))
        self.service = create_rewrite_service(
            base_urls=DomainBaseUrlResolver(self.domains, ADDRESS),
            get_sealer=lambda: SEALER,
            now=lambda: datetime(2026, 11, 21, tzinfo=UTC),
        )

    def rewrite_links(self, sender: str = "news@acme.com") -> list[str]:
        request = schemas.validate_rewrite_request(
            {
                "workspace": "acme",
                "campaign": "sale",
                "kind": "campaign",
                "channel": "email",
                "from": sender,
                "content": {"html": HTML},
                "recipients": [{"delivery": "d1", "person": "p1", "data": {}}],
            }
        )
        content = self.service.rewrite(request)["deliveries"][0]["content"]
        return re.findall(r'href="([^"]+)"', str(content["html"]))

    def set_use(self, use: DomainUse) -> None:
        stored = self.domains.get_by_host(HOST)
        assert stored is not None
        self.domains.save(replace(stored, use=use))


def test_message_links_use_the_tracking_domain_of_the_sender() -> None:
    rewriter = MessageRewriter()
    assert all(link.startswith(f"https://{HOST}/") for link in rewriter.rewrite_links())
    assert all(
        link.startswith(f"{ADDRESS}/e/c/") for link in rewriter.rewrite_links("news@other.example")
    )


def test_message_links_follow_revert_and_removal_at_once() -> None:
    rewriter = MessageRewriter()
    uses: tuple[DomainUse, ...] = ("reverted", "on", "removed")
    for use in uses:
        rewriter.set_use(use)
        expected = f"https://{HOST}/" if use == "on" else f"{ADDRESS}/"
        assert all(link.startswith(expected) for link in rewriter.rewrite_links()), use


def test_message_link_has_the_app_path_only_if_the_app_opens_it() -> None:
    shop, blog = MessageRewriter().rewrite_links()
    assert shop.startswith(f"https://{HOST}/app/e/c/")
    assert blog.startswith(f"https://{HOST}/e/c/")
    for link, destination in (
        (shop, "https://acme.com/shop/shoes"),
        (blog, "https://acme.com/blog"),
    ):
        opened = SEALER.open(link.partition("/e/c/")[2])
        assert opened.href.startswith(destination)


def test_message_link_on_the_default_address_has_no_app_path() -> None:
    assert not [
        link for link in MessageRewriter().rewrite_links("news@other.example") if "/app/" in link
    ]
