"""An invocation of a function, and its result."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Final

PAYLOAD_BYTES: Final = 6 * 1024 * 1024  # Lambda's limit for synchronous events and responses


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """A response of a function; ``error`` is Lambda's X-Amz-Function-Error, None on success."""

    payload: bytes
    error: str | None = None

    @classmethod
    def from_error(cls, error_type: str, message: str) -> InvocationResult:
        """Build the result of an invocation that failed in the runtime."""
        return cls(
            json.dumps({"errorType": error_type, "errorMessage": message}).encode(), "Unhandled"
        )


@dataclass(eq=False, slots=True)
class Invocation:
    """An invocation; ``deadline`` is its timeout in epoch seconds, set when it runs."""

    id: str
    payload: bytes
    client_context: str | None
    result: asyncio.Future[InvocationResult]
    deadline: float = 0.0

    def complete(self, result: InvocationResult) -> bool:
        """Set the result; return False if it was set before."""
        if self.result.done():
            return False
        self.result.set_result(result)
        return True
