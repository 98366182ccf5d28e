"""The redirect service over in-memory repositories."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field

from aws_lambda_powertools.logging import Logger

from tests.click_factory import NOON, SAFARI
from tests.fakes import (
    InMemoryClickRepository,
    InMemoryShortLinkRepository,
    InMemoryWorkspaceRepository,
)
from waypost.clicks.fallback_queue import FallbackQueue
from waypost.clicks.request import ClickRequest
from waypost.clicks.settings_cache import SettingsCache
from waypost.ids import derive_campaign_id
from waypost.models.attributes import to_milliseconds
from waypost.models.click import Click
from waypost.redirect.service import LinkResolver, RedirectService, TokenVerifier
from waypost.tokens import OpenTokenSealer, TokenSealer
from waypost.tokens.keyring import KeyringSource

CAMPAIGN = derive_campaign_id("acme", "spring-sale")


class FakeSecrets:
    def get_secret_value(self, *, SecretId: str) -> dict[str, object]:  # noqa: N803
        return {"SecretString": json.dumps({"seed": "of these tests, thirty-two or more"})}


class FakeFallbackQueue(FallbackQueue):
    def __init__(self) -> None:
        super().__init__(lambda: None, "")
        self.clicks: list[Click] = []

    def send(self, click: Click) -> None:
        self.clicks.append(click)


@dataclass
class RedirectHarness:
    """The redirect service and its dependencies, which tests inspect and break."""

    short_links: InMemoryShortLinkRepository = field(default_factory=InMemoryShortLinkRepository)
    clicks: InMemoryClickRepository = field(default_factory=InMemoryClickRepository)
    fallback_queue: FakeFallbackQueue = field(default_factory=FakeFallbackQueue)
    now: float = NOON.timestamp()

    def __post_init__(self) -> None:
        keys = KeyringSource(FakeSecrets(), "keyring")
        self.sealer = TokenSealer(keys.get_keyring())
        self.open_sealer = OpenTokenSealer(keys.get_keyring())
        self.link_resolver = LinkResolver(self.short_links, clock=lambda: self.now)
        self.redirect_service = RedirectService(
            token_verifier=TokenVerifier(keys),
            clicks=self.clicks,
            fallback_queue=self.fallback_queue,
            settings_cache=SettingsCache(InMemoryWorkspaceRepository()),
            link_resolver=self.link_resolver,
            retention_days=400,
            logger=Logger(service="redirect-test", stream=io.StringIO()),
        )


def make_request(
    method: str = "GET", *, request_id: str = "request-1", prefetch: bool = False
) -> ClickRequest:
    return ClickRequest(
        id=request_id,
        time=to_milliseconds(NOON),
        method=method,
        agent=SAFARI,
        address="203.0.113.7",
        country="DE",
        asn=3320,
        is_prefetch=prefetch,
    )
