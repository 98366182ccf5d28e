"""Fixtures of the rewrite's unit tests."""

from __future__ import annotations

import pytest

from tests.message_harness import MessageHarness
from tests.rewrite_harness import RewriteHarness
from waypost.models.workspace import WorkspaceSettings


@pytest.fixture
def messages() -> MessageHarness:
    harness = MessageHarness()
    harness.workspaces.save_settings("acme", WorkspaceSettings(cio_id=False, track_opens=False))
    return harness


@pytest.fixture
def harness() -> RewriteHarness:
    harness = RewriteHarness()
    harness.workspaces.save_settings("acme", WorkspaceSettings(cio_id=False))
    return harness
