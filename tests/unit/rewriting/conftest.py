"""Rewriting one message, and reading what became of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.fakes import MemoryCampaigns, MemoryShortLinks, MemoryWorkspaces
from tests.unit.sending.conftest import NOW
from waypost.ids import workspace_code
from waypost.models.workspace import WorkspaceSettings
from waypost.rewrite.schemas import from_value
from waypost.rewrite.service import Answer, OneBaseUrl, Sending
from waypost.tokens import Keyring, Sealer

BASE = "https://e.example.com"
LINK = re.compile(re.escape(BASE) + r"/e/c/([\w\-]+/[\w\-]+)")
SEALER = Sealer(Keyring((b"a test key of thirty-two bytes !",)))


@dataclass
class Desk:
    """A pipeline's view of a workspace without a pixel and, unless told so, without parameters."""

    campaigns: MemoryCampaigns = field(default_factory=MemoryCampaigns)
    workspaces: MemoryWorkspaces = field(default_factory=MemoryWorkspaces)

    def settle(self, **changes: Any) -> None:
        now = self.workspaces.settings(workspace_code("acme"))
        self.workspaces.save("acme", replace(now, **changes))

    def answer(self, **body: Any) -> Answer:
        sending = Sending(
            campaigns=self.campaigns,
            workspaces=self.workspaces,
            base_urls=OneBaseUrl(BASE),
            short_links=MemoryShortLinks(),
            sealer=lambda: SEALER,
            now=lambda: NOW,
        )
        recipients = [{"delivery": "d1", "person": "p1"}]
        return sending.rewrite(
            from_value({"workspace": "acme", "campaign": "sale", "recipients": recipients, **body})
        )

    def content(self, form: str, source: object, **body: Any) -> Any:
        """What becomes of one form of content for the first recipient."""
        answer = self.answer(content={form: source}, **body)
        assert not answer["failed"]
        return answer["deliveries"][0]["content"][form]


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.workspaces.save("acme", WorkspaceSettings(cio_id=False, track_opens=False))
    return made


def shown(text: str, show: Callable[[str], str] = lambda href: f"[{href}]") -> str:
    """A text with its tracking links shown by where they lead."""
    return LINK.sub(lambda link: show(SEALER.open(link[1]).href), text)
