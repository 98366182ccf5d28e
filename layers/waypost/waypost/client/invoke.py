"""One call of the rewrite function: when it is tried again, and what its refusals are as errors.

Calling again is always safe: nothing is counted before an answer is ready, and a batch's
idempotency key keeps it from being counted twice. Work on a file goes on where it stopped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from waypost.errors import CallFailed, InvalidRequest, Problem, TooLarge
from waypost.retry import Backoff, call_with_retry

if TYPE_CHECKING:
    from waypost.rewrite.service import RewriteResponse
    from waypost.rewrite_files.schemas import FileProgress, FileReport

MAX_CALL_ATTEMPTS: Final = 6
_FIRST_DELAY: Final = 0.5
_MAX_DELAY: Final = 20.0

_RECIPIENT_INDEX = re.compile(r"recipients\[(\d+)\]")


class Invoker(Protocol):
    """What is needed of boto3's Lambda client."""

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, Any]: ...  # noqa: N803


class _TransientError(Exception):
    """What went wrong may be over in a moment. Its text says what it was."""


def call_rewrite(
    invoker: Invoker,
    function: str,
    payload: bytes,
    indexes: Sequence[int],
    sleep: Callable[[float], None],
) -> RewriteResponse:
    """The function's answer; ``places`` are the caller's, of each recipient.

    :raises InvalidRequest: with the fields as the caller numbers them.
    :raises TooLarge: when the message, or the answer (``deliveries``), is.
    :raises CallFailed: when there is no answer after all attempts, or another refusal.
    """
    return cast(
        "RewriteResponse",
        _call_with_retry(invoker, function, payload, sleep, "deliveries", indexes),
    )


def call_rewrite_file(
    invoker: Invoker, function: str, payload: bytes, sleep: Callable[[float], None]
) -> FileProgress | FileReport:
    """How far one invocation came, or the report at the end. Raises as ``called``."""
    told = _call_with_retry(invoker, function, payload, sleep, "done", ())
    return cast("FileProgress | FileReport", told)


def _call_with_retry(
    invoker: Invoker,
    function: str,
    payload: bytes,
    sleep: Callable[[float], None],
    result_key: str,
    indexes: Sequence[int],
) -> dict[str, Any]:
    """What the function says, once that has the key ``answer``."""

    def call() -> dict[str, Any]:
        response = _invoke(invoker, function, payload)
        if result_key in response:
            return response
        raise _build_error(response, function, indexes)

    try:
        return call_with_retry(
            call,
            attempts=MAX_CALL_ATTEMPTS,
            retry_on=_TransientError,
            before_retry=Backoff(_FIRST_DELAY, _MAX_DELAY, sleep=sleep).wait,
        )
    except _TransientError as error:
        raise CallFailed(function, str(error)) from error


def _invoke(invoker: Invoker, function: str, payload: bytes) -> dict[str, Any]:
    from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

    try:
        response = invoker.invoke(FunctionName=function, Payload=payload)
        told: dict[str, Any] = json.loads(response["Payload"].read())
    except (HTTPClientError, IncompleteReadError) as error:  # no answer, not in time or not whole
        raise _TransientError(str(error)) from error
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status == 429 or status >= 500:
            raise _TransientError(str(error)) from error
        raise CallFailed(function, str(error), status) from error
    if "FunctionError" in response:  # it crashed, or ran out of time or memory
        raise _TransientError(str(told.get("errorMessage", told)))
    return told


def _build_error(response: dict[str, Any], function: str, indexes: Sequence[int]) -> Exception:
    """What the function said instead of an answer, as an error."""
    status, detail = int(response.get("status", 0)), str(response.get("detail", response))
    if status == 503:
        return _TransientError(detail)
    if status == 413 and "limit" in response:
        return TooLarge(str(response["field"]), int(response["size"]), int(response["limit"]))
    if problems := response.get("errors"):
        return InvalidRequest(*(_renumber_problem(each, indexes) for each in problems))
    return CallFailed(function, detail, status)


def _renumber_problem(problem: Mapping[str, str], indexes: Sequence[int]) -> Problem:
    def place(match: re.Match[str]) -> str:
        at = int(match[1])  # a name that the caller made up may look like a place
        return f"recipients[{indexes[at]}]" if at < len(indexes) else match[0]

    return Problem(
        _RECIPIENT_INDEX.sub(place, problem["field"]),
        _RECIPIENT_INDEX.sub(place, problem["reason"]),
    )
