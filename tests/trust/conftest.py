"""Fixtures of the trust tests. ``make soak`` makes many more attempts with other seeds."""

from __future__ import annotations

import os
from random import Random

import pytest

from tests.redirect_harness import RedirectHarness
from waypost.ids import derive_campaign_id, derive_link_id
from waypost.tokens import ClickToken


@pytest.fixture(autouse=True)
def disable_sockets(socket_disabled: None) -> None:
    """Disable sockets; tests/e2e tests everything that needs one."""


@pytest.fixture
def seed() -> int:
    """The seed of random values: WAYPOST_SEED, or a constant."""
    return int(os.environ.get("WAYPOST_SEED", "1"))


@pytest.fixture
def random(seed: int) -> Random:
    return Random(seed)


@pytest.fixture
def harness() -> RedirectHarness:
    return RedirectHarness()


@pytest.fixture
def token() -> ClickToken:
    link = derive_link_id(derive_campaign_id("acme", "spring-sale"), "https://example.com/sale")
    return ClickToken(link, "d1", "p1", 1, 1_790_000_000, "https://example.com/sale")
