"""How a call to a service goes wrong, and what that looks like over the wire."""

from __future__ import annotations

import json
from typing import Final

WAYS: Final = (
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
DONE: Final = frozenset({"timeout after", "malformed", "cut", "an array", "empty"})
"""Where the service did what it was asked, and only its answer is lost."""
EVER: Final = 1_000_000

BODIES: Final = {"malformed": b"<html>", "an array": b"[]", "empty": b""}
"""Answers with the status of a success that something else gave in the service's place."""
_REFUSALS: Final = {
    "throttled": (400, "ThrottlingException"),
    "failed": (500, "InternalServerError"),
    "denied": (400, "AccessDeniedException"),
}
REFUSED: Final = frozenset(_REFUSALS)
_OWN: Final = {
    ("dynamodb", "throttled"): (400, "ProvisionedThroughputExceededException"),
    ("s3", "throttled"): (503, "SlowDown"),
    ("s3", "denied"): (403, "AccessDenied"),
    ("cloudfront", "throttled"): (400, "Throttling"),
    ("cloudfront", "denied"): (403, "AccessDenied"),
    ("sesv2", "throttled"): (429, "TooManyRequestsException"),
}


def refusal(service: str, way: str) -> tuple[int, bytes]:
    """The status and body of a service's refusal, in its own protocol."""
    status, code = _OWN.get((service, way), _REFUSALS[way])
    error = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
    if service == "s3":
        return status, error.encode()
    if service == "cloudfront":
        return status, f"<ErrorResponse>{error}</ErrorResponse>".encode()
    return status, json.dumps({"__type": f"x#{code}", "message": "no"}).encode()
