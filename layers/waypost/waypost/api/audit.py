"""Log who changed or exported a person's data, without naming the person.

A line contains the hash under which an opt-out is stored: someone who knows the person can compute
it, but no one can reverse it. The caller is the IAM identity that signed the request. The API
Gateway access log has the same request id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_lambda_powertools.event_handler.request import Request

from waypost.observability import create_logger

AUDIT_LOG: Final = create_logger("audit")
AUDIT_LOG.setLevel("INFO")  # audit lines are logged at every configured level


@dataclass(frozen=True, slots=True)
class RequestAudit:
    """Audit log of one request."""

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
    """Create the audit log of an HTTP request."""
    context = request.resolved_event.raw_event["requestContext"]
    identity = (context.get("authorizer") or {}).get("iam") or {}
    return RequestAudit(identity.get("userArn"), str(context["requestId"]))
