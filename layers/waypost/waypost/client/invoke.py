"""Invoke the rewrite function: retry what may pass, and raise refusals as errors.

A retry is always safe: deliveries are counted when the response is ready, and a batch's idempotency
key prevents a second count. Work on a file continues from its checkpoint.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from waypost.errors import CallFailed, InvalidRequest, Problem, TooLarge
from waypost.retry import Backoff, call_with_retry

if TYPE_CHECKING:
    from waypost.rewrite.service import RewriteResponse
    from waypost.rewrite_files.schemas import FileProgress, FileReport

MAX_CALL_ATTEMPTS: Final = 6
_FIRST_DELAY_SECONDS: Final = 0.5
_MAX_DELAY_SECONDS: Final = 20.0

_RECIPIENT_INDEX = re.compile(r"recipients\[(\d+)\]")


class Invoker(Protocol):
    """The method of boto3's Lambda client that is used."""

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, Any]: ...  # noqa: N803


class _TransientError(Exception):
    """A failure that a retry may resolve."""


class RewriteFunction:
    """The deployed function. ``sleep`` takes the seconds to wait before a retry."""

    def __init__(self, name: str, invoker: Invoker, sleep: Callable[[float], None]) -> None:
        self._name = name
        self._invoker = invoker
        self._backoff = Backoff(_FIRST_DELAY_SECONDS, _MAX_DELAY_SECONDS, sleep=sleep)

    def rewrite(self, payload: bytes, indexes: Sequence[int]) -> RewriteResponse:
        """Rewrite a batch; ``indexes`` are its recipients' among all.

        :raises InvalidRequest: with the caller's indexes in the fields.
        :raises TooLarge: if the message, or the response (``deliveries``), exceeds a limit.
        :raises CallFailed: if no attempt succeeds, or the function refuses for another reason.
        """
        return cast("RewriteResponse", self._call(payload, "deliveries", indexes))

    def rewrite_file(self, payload: bytes) -> FileProgress | FileReport:
        """Continue the work on a file. Raises as ``rewrite``."""
        return cast("FileProgress | FileReport", self._call(payload, "done", ()))

    def _call(self, payload: bytes, result_key: str, indexes: Sequence[int]) -> dict[str, Any]:
        """Return a response that has the key ``result_key``, after as many attempts as allowed."""
        try:
            return call_with_retry(
                partial(self._attempt, payload, result_key, indexes),
                attempts=MAX_CALL_ATTEMPTS,
                retry_on=_TransientError,
                before_retry=self._backoff.wait,
            )
        except _TransientError as error:
            raise CallFailed(self._name, str(error)) from error

    def _attempt(self, payload: bytes, result_key: str, indexes: Sequence[int]) -> dict[str, Any]:
        response = self._invoke(payload)
        if result_key in response:
            return response
        raise _build_error(response, self._name, indexes)

    def _invoke(self, payload: bytes) -> dict[str, Any]:
        from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

        try:
            response = self._invoker.invoke(FunctionName=self._name, Payload=payload)
            body: dict[str, Any] = json.loads(response["Payload"].read())
        except (HTTPClientError, IncompleteReadError) as error:  # no response, late or cut off
            raise _TransientError(str(error)) from error
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status == 429 or status >= 500:
                raise _TransientError(str(error)) from error
            raise CallFailed(self._name, str(error), status) from error
        if "FunctionError" in response:  # it crashed, or exceeded its time or memory
            raise _TransientError(str(body.get("errorMessage", body)))
        return body


def _build_error(response: dict[str, Any], function: str, indexes: Sequence[int]) -> Exception:
    """Build the error for the problem details (RFC 9457) of a response."""
    status, detail = int(response.get("status", 0)), str(response.get("detail", response))
    if status == 503:
        return _TransientError(detail)
    if status == 413 and "limit" in response:
        return TooLarge(str(response["field"]), int(response["size"]), int(response["limit"]))
    if problems := response.get("errors"):
        return InvalidRequest(*(_renumber_problem(each, indexes) for each in problems))
    return CallFailed(function, detail, status)


def _renumber_problem(problem: Mapping[str, str], indexes: Sequence[int]) -> Problem:
    def renumber(match: re.Match[str]) -> str:
        index = int(match[1])  # a delivery's name may look like an index
        return f"recipients[{indexes[index]}]" if index < len(indexes) else match[0]

    return Problem(
        _RECIPIENT_INDEX.sub(renumber, problem["field"]),
        _RECIPIENT_INDEX.sub(renumber, problem["reason"]),
    )
