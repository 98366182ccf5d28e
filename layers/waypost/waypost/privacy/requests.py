"""Opt out, opt in and erase people within the time of a request, with an audit log.

An erasure may take longer than a request. It then stops after a correct step and returns
``done: false``; the caller repeats the request until it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Final, Literal, Protocol

from pydantic import BaseModel

from waypost.models.attributes import format_rfc3339
from waypost.models.workspace import person_hash
from waypost.privacy.erasure import Erasure, ErasureProgress
from waypost.repositories.workspaces import WorkspaceRepository

ERASURE_SECONDS: Final = 15
"""Of the 30 s that API Gateway waits; the last step may exceed it."""


class OptOutAnswer(BaseModel):
    """The opt-out of a person: whether their clicks are counted under an alias, and since when."""

    opted_out: bool
    since: str | None


class ErasureAnswer(BaseModel):
    """The ``clicks`` and ``campaigns`` that this request anonymized, and the ``links`` that it
    erased: definitions, stored destinations and short links that only this person had.

    While ``done`` is false, repeat the request after ``again_in`` seconds. ``searched`` names the
    searched records: a campaign sent by a release without lists is found only while the ledger has
    clicks of the person in it.
    """

    done: bool
    clicks: int
    campaigns: int
    links: int
    again_in: int
    searched: Literal["listed campaigns and clicks in the ledger"] = (
        "listed campaigns and clicks in the ledger"
    )


class AuditLog(Protocol):
    """Logs a privacy action; ``person`` is the hash under which the opt-out is stored."""

    def __call__(self, action: str, *, workspace: str, person: str) -> None: ...


@dataclass(frozen=True, slots=True)
class PrivacyRequests:
    """Privacy requests of the API. ``monotonic`` is a monotonic clock in seconds.

    Methods raise AlreadyExists if the workspace's id belongs to another name.
    """

    workspaces: WorkspaceRepository
    erasure: Erasure
    now: Callable[[], datetime]
    monotonic: Callable[[], float]

    def get_opt_out(self, workspace: str, person: str) -> OptOutAnswer:
        """Return the opt-out of a person."""
        key = (self.workspaces.resolve_id(workspace), person)
        opt_out = self.workspaces.get_opt_outs([key]).get(key)
        if opt_out is None or not opt_out.is_active:
            return OptOutAnswer(opted_out=False, since=None)
        return OptOutAnswer(opted_out=True, since=format_rfc3339(opt_out.since))

    def opt_out(self, workspace: str, person: str, audit: AuditLog) -> OptOutAnswer:
        """Count the person's clicks under an alias from now on. Safe to repeat."""
        workspace_id = self.workspaces.claim_id(workspace)
        opt_out = self.workspaces.opt_out(workspace_id, person, self.now())
        audit("opted out", workspace=workspace_id, person=opt_out.person_hash)
        return OptOutAnswer(opted_out=True, since=format_rfc3339(opt_out.since))

    def opt_in(self, workspace: str, person: str, audit: AuditLog) -> OptOutAnswer:
        """End the person's opt-out. Safe to repeat."""
        workspace_id = self.workspaces.claim_id(workspace)
        self.workspaces.opt_in(workspace_id, person, self.now())
        audit("opted in", workspace=workspace_id, person=person_hash(workspace_id, person))
        return OptOutAnswer(opted_out=False, since=None)

    def erase(self, workspace: str, person: str, audit: AuditLog) -> ErasureAnswer:
        """Erase a person, up to the time limit."""
        workspace_id = self.workspaces.claim_id(workspace)
        deadline = self.monotonic() + ERASURE_SECONDS
        now = self.now()
        progress = self.erasure.erase(
            workspace_id, person, now, lambda: self.monotonic() >= deadline
        )
        again_in = _retry_after_seconds(progress, now)
        action = "erased in part" if again_in else "erased"
        audit(action, workspace=workspace_id, person=person_hash(workspace_id, person))
        return ErasureAnswer(
            done=not again_in,
            clicks=progress.clicks,
            campaigns=progress.campaigns,
            links=progress.links,
            again_in=again_in,
        )


def _retry_after_seconds(progress: ErasureProgress, now: datetime) -> int:
    """Return the seconds until the request should be repeated, 0 if the erasure is final."""
    if not progress.is_complete:
        return 1
    return max(0, ceil((progress.final_at - now).total_seconds()))
