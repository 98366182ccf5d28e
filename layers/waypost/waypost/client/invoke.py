"""One call of the rewrite function: when it is tried again, and what its refusals are as errors.

Calling again is always safe: nothing is counted before an answer is ready, and a batch's
idempotency key keeps it from being counted twice. Work on a file goes on where it stopped.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from waypost.errors import CallFailed, InvalidRequest, Problem, TooLarge

if TYPE_CHECKING:
    from waypost.rewrite.service import Answer
    from waypost.rewrite_files.schemas import FileProgress, FileReport

ATTEMPTS: Final = 6
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 20.0

_PLACE = re.compile(r"recipients\[(\d+)\]")


class Invoker(Protocol):
    """What is needed of boto3's Lambda client."""

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, Any]: ...  # noqa: N803


class _Passing(Exception):
    """What went wrong may be over in a moment. Its text says what it was."""


def called(
    invoker: Invoker,
    function: str,
    payload: bytes,
    places: Sequence[int],
    sleep: Callable[[float], None],
) -> Answer:
    """The function's answer; ``places`` are the caller's, of each recipient.

    :raises InvalidRequest: with the fields as the caller numbers them.
    :raises TooLarge: when the message, or the answer (``deliveries``), is.
    :raises CallFailed: when there is no answer after all attempts, or another refusal.
    """
    return cast("Answer", _tried(invoker, function, payload, sleep, "deliveries", places))


def called_for_a_file(
    invoker: Invoker, function: str, payload: bytes, sleep: Callable[[float], None]
) -> FileProgress | FileReport:
    """How far one invocation came, or the report at the end. Raises as ``called``."""
    told = _tried(invoker, function, payload, sleep, "done", ())
    return cast("FileProgress | FileReport", told)


def _tried(
    invoker: Invoker,
    function: str,
    payload: bytes,
    sleep: Callable[[float], None],
    answer: str,
    places: Sequence[int],
) -> dict[str, Any]:
    """What the function says, once that has the key ``answer``."""
    for attempt in range(ATTEMPTS):
        try:
            told = _invoked(invoker, function, payload)
            if answer in told:
                return told
            raise _refusal(told, function, places)
        except _Passing as passing:
            if attempt == ATTEMPTS - 1:
                raise CallFailed(function, str(passing)) from passing
        longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt)
        sleep(random.uniform(0, longest))  # noqa: S311  keeps callers apart, guards nothing
    raise AssertionError("the last attempt returns or raises")


def _invoked(invoker: Invoker, function: str, payload: bytes) -> dict[str, Any]:
    from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

    try:
        response = invoker.invoke(FunctionName=function, Payload=payload)
        told: dict[str, Any] = json.loads(response["Payload"].read())
    except (HTTPClientError, IncompleteReadError) as error:  # no answer, not in time or not whole
        raise _Passing(str(error)) from error
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status == 429 or status >= 500:
            raise _Passing(str(error)) from error
        raise CallFailed(function, str(error), status) from error
    if "FunctionError" in response:  # it crashed, or ran out of time or memory
        raise _Passing(str(told.get("errorMessage", told)))
    return told


def _refusal(told: dict[str, Any], function: str, places: Sequence[int]) -> Exception:
    """What the function said instead of an answer, as an error."""
    status, detail = int(told.get("status", 0)), str(told.get("detail", told))
    if status == 503:
        return _Passing(detail)
    if status == 413 and "limit" in told:
        return TooLarge(str(told["field"]), int(told["size"]), int(told["limit"]))
    if problems := told.get("errors"):
        return InvalidRequest(*(_placed(each, places) for each in problems))
    return CallFailed(function, detail, status)


def _placed(told: Mapping[str, str], places: Sequence[int]) -> Problem:
    def place(match: re.Match[str]) -> str:
        at = int(match[1])  # a name that the caller made up may look like a place
        return f"recipients[{places[at]}]" if at < len(places) else match[0]

    return Problem(_PLACE.sub(place, told["field"]), _PLACE.sub(place, told["reason"]))
