"""Faults of a call to a service, and their responses over HTTP."""

from __future__ import annotations

import json
from typing import Final

CALL_FAULTS: Final = (
    "timeout before",
    "timeout after",
    "throttled",
    "failed",
    "denied",
    "malformed",
    "cut",
    "an array",
    "empty",
    "hung up",
)
FAULTS_AFTER_SUCCESS: Final = frozenset({"timeout after", "malformed", "cut", "an array", "empty"})
"""Faults after which the service has done its work, and only the response is lost."""
ALWAYS: Final = 1_000_000

CORRUPT_BODIES: Final = {"malformed": b"<html>", "an array": b"[]", "empty": b""}
"""Bodies with a status of success that another server sent in place of the service."""
_REFUSAL_CODES: Final = {
    "throttled": (400, "ThrottlingException"),
    "failed": (500, "InternalServerError"),
    "denied": (400, "AccessDeniedException"),
}
REFUSAL_FAULTS: Final = frozenset(_REFUSAL_CODES)
_SERVICE_REFUSAL_CODES: Final = {
    ("dynamodb", "throttled"): (400, "ProvisionedThroughputExceededException"),
    ("s3", "throttled"): (503, "SlowDown"),
    ("s3", "denied"): (403, "AccessDenied"),
    ("cloudfront", "throttled"): (400, "Throttling"),
    ("cloudfront", "denied"): (403, "AccessDenied"),
    ("sesv2", "throttled"): (429, "TooManyRequestsException"),
}


def build_refusal(service: str, fault: str) -> tuple[int, bytes]:
    """Return the status and body of a service's refusal, in its protocol."""
    status, code = _SERVICE_REFUSAL_CODES.get((service, fault), _REFUSAL_CODES[fault])
    error = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
    if service == "s3":
        return status, error.encode()
    if service == "cloudfront":
        return status, f"<ErrorResponse>{error}</ErrorResponse>".encode()
    return status, json.dumps({"__type": f"x#{code}", "message": "no"}).encode()
