"""An invocation of a function, and what comes of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Final

PAYLOAD_BYTES: Final = 6 * 1024 * 1024  # Lambda's limit for synchronous events and for answers


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """``error`` is Lambda's X-Amz-Function-Error, None when the function answered."""

    payload: bytes
    error: str | None = None

    @classmethod
    def from_error(cls, error_type: str, message: str) -> InvocationResult:
        return cls(
            json.dumps({"errorType": error_type, "errorMessage": message}).encode(), "Unhandled"
        )


@dataclass(eq=False, slots=True)
class Invocation:
    """``deadline`` in seconds since the epoch; known once a process has taken the invocation."""

    id: str
    payload: bytes
    client_context: str | None
    result: asyncio.Future[InvocationResult]
    deadline: float = 0.0

    def complete(self, result: InvocationResult) -> bool:
        """Answers whoever waits; False when they were answered before."""
        if self.result.done():
            return False
        self.result.set_result(result)
        return True
