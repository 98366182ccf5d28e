"""Calls of a service by their low-level names, and what a refusal looks like."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from waypost.errors import SettingsError
from waypost.lean.connection import Connection
from waypost.lean.signing import Credentials, Signer

Answer = dict[str, Any]  # the service's own shapes


class _Protocol(NamedTuple):
    target: str
    version: str


_PROTOCOLS: Final = {
    "dynamodb": _Protocol("DynamoDB_20120810", "1.0"),
    "secretsmanager": _Protocol("secretsmanager", "1.1"),
    "sqs": _Protocol("AmazonSQS", "1.0"),
}
_BUSY: Final = frozenset({429, 500, 502, 503, 504})


class ServiceError(Exception):
    """The service answered, and refused. ``response`` has the shape that botocore gives it:
    ``{"Error": {"Code", "Message"}, …}`` and what else the service said.
    """

    def __init__(self, operation: str, response: Answer) -> None:
        error = response["Error"]
        super().__init__(f"{operation}: {error['Code']}: {error['Message']}")
        self.response = response


class LeanClient:
    """A client of ``dynamodb``, ``secretsmanager`` or ``sqs``.

    Any operation is a method: ``client.put_item(TableName=…, …)`` posts ``PutItem`` with the
    keywords as they are, and gives the answer as it is. Raises ServiceError for a refusal and
    OSError where the answer was not there in ``timeout`` seconds, and as many for a connection
    where one had to be made; both only after ``attempts``, where another attempt could help.
    Region, credentials and endpoint come from the environment, under the names that AWS' own tools
    read; without an endpoint, it is the region's in the partition ``aws``. Bytes do not fit into
    JSON: binary attributes are strings in base64 here. ``clock`` gives seconds since 1970, which
    signatures carry.
    """

    def __init__(
        self,
        service: str,
        *,
        timeout: float,
        attempts: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if not region:
            raise SettingsError("AWS_REGION")
        self._target, version = _PROTOCOLS[service]
        self._content_type = f"application/x-amz-json-{version}"
        self._signer = Signer(Credentials.from_env(os.environ), region, service)
        self._connection = Connection(_endpoint(service, region), timeout)
        self._attempts = attempts
        self._clock = clock

    def close(self) -> None:
        self._connection.close()

    def __getattr__(self, name: str) -> Callable[..., Answer]:
        if name.startswith("_"):
            raise AttributeError(name)
        operation = "".join(word.capitalize() for word in name.split("_"))
        return partial(self._call, operation)

    def _call(self, operation: str, **request: object) -> Answer:
        body = json.dumps(request, separators=(",", ":")).encode()
        for left in range(self._attempts - 1, -1, -1):
            try:
                status, answer = self._post(operation, body)
                if status == 200:
                    return _answered(answer)
            except OSError:
                if not left:
                    raise
                continue
            if status not in _BUSY or not left:
                raise ServiceError(operation, _refusal(status, answer))
        raise AssertionError("unreachable")

    def _post(self, operation: str, body: bytes) -> tuple[int, bytes]:
        headers = self._signer.headers(
            self._connection.host,
            self._content_type,
            f"{self._target}.{operation}",
            body,
            time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock())),
        )
        return self._connection.post(headers, body)


def _endpoint(service: str, region: str) -> str:
    own = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}")
    given = own or os.environ.get("AWS_ENDPOINT_URL")
    return given or f"https://{service}.{region}.amazonaws.com"


def _answered(answer: bytes) -> Answer:
    """What a call gave. Something between us and the service may answer in its place: each of the
    three answers every call with an object, if an empty one.
    """
    try:
        return _object(answer)
    except ValueError as e:
        raise ConnectionAbortedError("the answer is no object of JSON") from e


def _object(answer: bytes) -> Answer:
    try:
        value = json.loads(answer)
    except RecursionError as e:
        raise ValueError("nested too deeply") from e
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value


def _refusal(status: int, answer: bytes) -> Answer:
    """What a service says when it refuses; a proxy's page in its place is told by its status."""
    try:
        said = _object(answer)
    except ValueError:
        said = {}
    code = str(said.get("__type", status)).rpartition("#")[2]
    message = said.get("message") or said.get("Message") or ""
    return {**said, "Error": {"Code": code, "Message": message}}
