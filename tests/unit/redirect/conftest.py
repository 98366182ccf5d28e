"""Fixtures of the redirect's unit tests."""

from __future__ import annotations

import pytest

from tests.click_factory import NOON
from tests.redirect_harness import CAMPAIGN, RedirectHarness
from waypost.ids import derive_link_id
from waypost.tokens import ClickToken


@pytest.fixture
def harness() -> RedirectHarness:
    return RedirectHarness()


@pytest.fixture
def token() -> ClickToken:
    link = derive_link_id(CAMPAIGN, "https://example.com/sale")
    return ClickToken(link, "d1", "p1", 1, int(NOON.timestamp()) - 3600, "https://example.com/sale")
