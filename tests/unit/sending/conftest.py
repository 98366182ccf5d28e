"""Rewriting over the in-memory twins, and following what it wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.fakes import MemoryCampaigns, MemoryShortLinks, MemoryWorkspaces
from waypost.domains.base_url import Base
from waypost.ids import workspace_code
from waypost.models.workspace import WorkspaceSettings
from waypost.redirect.service import Lookup
from waypost.rewrite.schemas import from_value
from waypost.rewrite.service import Answer, Sending
from waypost.tokens import Keyring, Sealer

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BASE = "https://e.example.com"
SHORT = "https://l.acme.com"
SHORT_LINK = re.compile(re.escape(SHORT) + r"/s/([0-9a-z]+)")


@dataclass
class Bases:
    """A host for links, and one for short links."""

    def base(self, workspace: str, sender: str | None) -> Base:
        return Base(BASE)

    def short(self, workspace: str, sender: str | None) -> str:
        return SHORT


@dataclass
class Office:
    """A pipeline's view of the stack."""

    short_links: Any = field(default_factory=MemoryShortLinks)
    workspaces: MemoryWorkspaces = field(default_factory=MemoryWorkspaces)
    sealer: Sealer = field(
        default_factory=lambda: Sealer(Keyring((b"a test key of thirty-two bytes !",)))
    )

    def settle(self, **changes: Any) -> None:
        now = self.workspaces.settings(workspace_code("acme"))
        self.workspaces.save("acme", replace(now, **changes))

    def rewrite(self, *, people: int = 1, **body: Any) -> Answer:
        sending = Sending(
            campaigns=MemoryCampaigns(),
            workspaces=self.workspaces,
            base_urls=Bases(),
            short_links=self.short_links,
            sealer=lambda: self.sealer,
            now=lambda: NOW,
        )
        recipients = [{"delivery": f"d{n}", "person": f"p{n}"} for n in range(people)]
        asked = {"workspace": "acme", "campaign": "sale", "recipients": recipients, **body}
        return sending.rewrite(from_value(asked))

    def destination(self, code: str) -> str:
        """Where a short link leads."""
        lookup = Lookup(self.short_links, clock=NOW.timestamp)
        return lookup.destination(self.sealer.open(lookup.token(code)))


@pytest.fixture
def office() -> Office:
    made = Office()
    made.workspaces.save("acme", WorkspaceSettings(cio_id=False))
    return made


def texts(answer: Answer, form: str = "text") -> list[str]:
    return [str(delivery["content"][form]) for delivery in answer["deliveries"]]
