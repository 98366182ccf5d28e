"""Opting out and erasing as requests: answered in time, and told to the log without a name.

An erasure may take longer than a request. It then does a part, each step of which is right by
itself, and answers that it is not done: whoever asked asks again until it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Final, Literal, Protocol

from pydantic import BaseModel

from waypost.ids import derive_workspace_id
from waypost.models.attributes import format_rfc3339
from waypost.models.workspace import person_hash
from waypost.privacy.erasure import Erasure, ErasureProgress
from waypost.repositories.workspaces import WorkspaceRepository

ERASURE_SECONDS: Final = 15
"""What an erasure takes at most of the 30 that API Gateway waits; its last step comes on top."""


class OptOutAnswer(BaseModel):
    """Whether a person's clicks are counted without identity, and since when."""

    opted_out: bool
    since: str | None


class ErasureAnswer(BaseModel):
    """``clicks`` and ``campaigns`` that this request made nobody's. ``done`` is false while there
    may be more: ask again after ``again_in`` seconds. ``searched`` says where was looked: in a
    campaign that a release without lists sent only while the ledger has clicks of theirs.
    """

    done: bool
    clicks: int
    campaigns: int
    again_in: int
    searched: Literal["listed campaigns and clicks in the ledger"] = (
        "listed campaigns and clicks in the ledger"
    )


class AuditLog(Protocol):
    """Notes what was done to whom; ``person`` is the hash that an opt-out is kept under."""

    def __call__(self, action: str, *, workspace: str, person: str) -> None: ...


@dataclass(frozen=True, slots=True)
class PrivacyRequests:
    """``now`` is the time, ``monotonic`` a monotonic clock in seconds."""

    workspaces: WorkspaceRepository
    erasure: Erasure
    now: Callable[[], datetime]
    monotonic: Callable[[], float]

    def get_opt_out(self, workspace: str, person: str) -> OptOutAnswer:
        """Whether the person opted out."""
        code = derive_workspace_id(workspace)
        wish = self.workspaces.get_opt_outs([(code, person)]).get((code, person))
        return OptOutAnswer(
            opted_out=wish is not None, since=format_rfc3339(wish.since) if wish else None
        )

    def opt_out(self, workspace: str, person: str, audit: AuditLog) -> OptOutAnswer:
        """Count the person's clicks without identity from now on. Repeated, it changes nothing."""
        code = derive_workspace_id(workspace)
        wish = self.workspaces.opt_out(code, person, self.now())
        audit("opted out", workspace=code, person=wish.person_hash)
        return OptOutAnswer(opted_out=True, since=format_rfc3339(wish.since))

    def opt_in(self, workspace: str, person: str, audit: AuditLog) -> OptOutAnswer:
        """Take an opt-out back. Repeated, it changes nothing."""
        code = derive_workspace_id(workspace)
        self.workspaces.opt_in(code, person)
        audit("opted in", workspace=code, person=person_hash(code, person))
        return OptOutAnswer(opted_out=False, since=None)

    def erase(self, workspace: str, person: str, audit: AuditLog) -> ErasureAnswer:
        """Erase a person, as far as the time reaches."""
        code = derive_workspace_id(workspace)
        deadline = self.monotonic() + ERASURE_SECONDS
        now = self.now()
        erased = self.erasure.erase(code, person, now, lambda: self.monotonic() >= deadline)
        again_in = _retry_after_seconds(erased, now)
        said = "erased in part" if again_in else "erased"
        audit(said, workspace=code, person=person_hash(code, person))
        return ErasureAnswer(
            done=not again_in, clicks=erased.clicks, campaigns=erased.campaigns, again_in=again_in
        )


def _retry_after_seconds(progress: ErasureProgress, now: datetime) -> int:
    """After how many seconds there is something to ask for; 0 where the person is gone for good."""
    if not progress.is_complete:
        return 1
    return max(0, ceil((progress.final_at - now).total_seconds()))
