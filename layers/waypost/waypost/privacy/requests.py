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

from waypost.ids import workspace_code
from waypost.models.attributes import rfc3339
from waypost.models.workspace import person_hash
from waypost.privacy.erasure import Erased, Erasing
from waypost.repositories.workspaces import WorkspaceStore

SECONDS: Final = 15
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


class Audit(Protocol):
    """Notes what was done to whom; ``person`` is the hash that an opt-out is kept under."""

    def __call__(self, action: str, *, workspace: str, person: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Forgetting:
    """``now`` is the time, ``monotonic`` a monotonic clock in seconds."""

    workspaces: WorkspaceStore
    erasing: Erasing
    now: Callable[[], datetime]
    monotonic: Callable[[], float]

    def told(self, workspace: str, person: str) -> OptOutAnswer:
        """Whether the person opted out."""
        code = workspace_code(workspace)
        wish = self.workspaces.opted_out([(code, person)]).get((code, person))
        return OptOutAnswer(opted_out=wish is not None, since=rfc3339(wish.since) if wish else None)

    def opt_out(self, workspace: str, person: str, audit: Audit) -> OptOutAnswer:
        """Count the person's clicks without identity from now on. Repeated, it changes nothing."""
        code = workspace_code(workspace)
        wish = self.workspaces.opt_out(code, person, self.now())
        audit("opted out", workspace=code, person=wish.person_hash)
        return OptOutAnswer(opted_out=True, since=rfc3339(wish.since))

    def opt_in(self, workspace: str, person: str, audit: Audit) -> OptOutAnswer:
        """Take an opt-out back. Repeated, it changes nothing."""
        code = workspace_code(workspace)
        self.workspaces.opt_in(code, person)
        audit("opted in", workspace=code, person=person_hash(code, person))
        return OptOutAnswer(opted_out=False, since=None)

    def erase(self, workspace: str, person: str, audit: Audit) -> ErasureAnswer:
        """Erase a person, as far as the time reaches."""
        code = workspace_code(workspace)
        deadline = self.monotonic() + SECONDS
        now = self.now()
        erased = self.erasing.erase(code, person, now, lambda: self.monotonic() >= deadline)
        again_in = _again_in(erased, now)
        said = "erased in part" if again_in else "erased"
        audit(said, workspace=code, person=person_hash(code, person))
        return ErasureAnswer(
            done=not again_in, clicks=erased.clicks, campaigns=erased.campaigns, again_in=again_in
        )


def _again_in(erased: Erased, now: datetime) -> int:
    """After how many seconds there is something to ask for; 0 where the person is gone for good."""
    if not erased.clean:
        return 1
    return max(0, ceil((erased.final - now).total_seconds()))
