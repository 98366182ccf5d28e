"""The redirect's use case over the in-memory twins."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field

import pytest
from aws_lambda_powertools.logging import Logger

from tests.clicks import NOON, SAFARI
from tests.fakes import MemoryClicks, MemoryShortLinks, MemoryWorkspaces
from waypost.clicks.request import Request
from waypost.clicks.settings_cache import Policies
from waypost.ids import campaign_code, link_code
from waypost.models.attributes import to_milliseconds
from waypost.models.click import Click
from waypost.redirect.service import Lookup, Redirecting, Tokens
from waypost.tokens import ClickToken, OpenSealer, Sealer
from waypost.tokens.keyring import KeyringSource

CAMPAIGN = campaign_code("acme", "spring-sale")


class Secrets:
    def get_secret_value(self, *, SecretId: str) -> dict[str, object]:  # noqa: N803
        return {"SecretString": json.dumps({"seed": "of these tests, thirty-two or more"})}


class Parked:
    def __init__(self) -> None:
        self.clicks: list[Click] = []

    def park(self, click: Click) -> None:
        self.clicks.append(click)


@dataclass
class Desk:
    """Everything a redirect touches, to be looked at and broken."""

    short_links: MemoryShortLinks = field(default_factory=MemoryShortLinks)
    clicks: MemoryClicks = field(default_factory=MemoryClicks)
    parked: Parked = field(default_factory=Parked)
    now: float = NOON.timestamp()

    def __post_init__(self) -> None:
        keys = KeyringSource(Secrets(), "keyring")
        self.sealer = Sealer(keys.current())
        self.open_sealer = OpenSealer(keys.current())
        self.lookup = Lookup(self.short_links, clock=lambda: self.now)
        self.redirecting = Redirecting(
            tokens=Tokens(keys),
            ledger=self.clicks,
            parking=self.parked,
            policies=Policies(MemoryWorkspaces()),
            lookup=self.lookup,
            retention_days=400,
            log=Logger(service="redirect-test", stream=io.StringIO()),
        )


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def token() -> ClickToken:
    link = link_code(CAMPAIGN, "https://example.com/sale")
    return ClickToken(link, "d1", "p1", 1, int(NOON.timestamp()) - 3600, "https://example.com/sale")


def request(method: str = "GET", *, id_: str = "request-1", prefetch: bool = False) -> Request:
    return Request(
        id=id_,
        time=to_milliseconds(NOON),
        method=method,
        agent=SAFARI,
        address="203.0.113.7",
        country="DE",
        asn=3320,
        prefetch=prefetch,
    )
