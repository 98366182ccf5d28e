"""Who asked for what was done to a person, as a line of the log that names no person.

The person stands there as the hash that an opt-out is kept under: whoever knows the person can
tell that it was they, nobody else can. The caller is who signed the request; the access log has
the same id of the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_lambda_powertools.event_handler.request import Request

from waypost.observability import create_logger

AUDIT_LOG: Final = create_logger("audit")
AUDIT_LOG.setLevel("INFO")  # kept, however little else an operator wants logged


@dataclass(frozen=True, slots=True)
class RequestAudit:
    """Notes what one request did."""

    caller: str | None
    request_id: str

    def __call__(self, action: str, *, workspace: str, person: str) -> None:
        AUDIT_LOG.info(
            "person %s",
            action,
            extra={
                "workspace_code": workspace,
                "person_hash": person,
                "caller": self.caller,
                "api_request": self.request_id,
            },
        )


def create_request_audit(request: Request) -> RequestAudit:
    """The audit of a request over HTTP."""
    context = request.resolved_event.raw_event["requestContext"]
    signed = (context.get("authorizer") or {}).get("iam") or {}
    return RequestAudit(signed.get("userArn"), str(context["requestId"]))
