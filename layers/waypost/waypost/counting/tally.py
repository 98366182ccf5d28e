"""The tally: a batch of clicks in, counted once each; what has to be given again out."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from waypost.clicks.marks import mark_of
from waypost.clicks.settings_cache import Policies
from waypost.counting.settling import Settling
from waypost.counting.telling import Bus, Telling
from waypost.errors import StoreUnavailable
from waypost.ids import CampaignCode, workspace_of
from waypost.model.mark import Mark, click_hash
from waypost.models.click import Click
from waypost.repositories.recipients import RecipientStore
from waypost.repositories.workspaces import WorkspaceStore
from waypost.tally.service import Identities, Ledger
from waypost.tally.transactions import Policy


@dataclass(slots=True)
class Counted:
    """What became of a batch: how many clicks were counted by it, how often another writer was
    faster, and the ids of clicks to be given again, with the reasons.
    """

    fresh: int = 0
    conflicts: int = 0
    failed: set[str] = field(default_factory=set)
    reasons: set[str] = field(default_factory=set)


class Tally:
    """Counts. Safe to run side by side, to be killed anywhere, and to be given anything again."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        recipients: RecipientStore,
        workspaces: WorkspaceStore,
        bus: Bus | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._identities = Identities(workspaces, ledger, recipients)
        self._policies = Policies(workspaces)
        self._settling = Settling(recipients, sleep)
        self._telling = Telling(recipients, bus)

    def count(self, clicks: Iterable[Click]) -> Counted:
        """Count clicks. Raises StoreUnavailable where nothing could be begun."""
        by_campaign: defaultdict[CampaignCode, dict[str, Click]] = defaultdict(dict)
        known = self._identities.without(clicks)
        for click in known.clicks:
            by_campaign[click.campaign].setdefault(click.id, click)
        counted = Counted(failed=set(known.unread), reasons=set(known.unread.values()))
        for campaign, by_id in by_campaign.items():
            self._count(campaign, list(by_id.values()), counted)
        return counted

    def _count(self, campaign: CampaignCode, clicks: list[Click], counted: Counted) -> None:
        try:
            policy = self._policy(campaign)
        except StoreUnavailable as e:  # whether the bus may be told, and what a machine is, it says
            counted.failed |= {click.id for click in clicks}
            counted.reasons.add(str(e))
            return
        marks: defaultdict[str, list[Mark]] = defaultdict(list)
        for click in clicks:
            marks[click.recipient].append(mark_of(click, policy.threshold))
        settled = self._settling.settle(campaign, marks, policy)
        failed = settled.failed | self._telling.tell(campaign, clicks, settled)
        counted.fresh += settled.fresh
        counted.conflicts += settled.conflicts
        counted.failed |= {click.id for click in clicks if click_hash(click.id) in failed}
        counted.reasons |= settled.reasons if failed else set()

    def _policy(self, campaign: CampaignCode) -> Policy:
        settings = self._policies.certain(workspace_of(campaign))
        return Policy(
            threshold=settings.machine_threshold,
            events="none" if self._telling.silent else settings.events,
            new_batch=lambda: secrets.randbits(32) or 1,
        )
