"""Calls of a service by their low-level names, and what a refusal looks like.

One connection to one host, kept open between calls.

Servers close connections that idle, and a frozen function does not see it happen. So a call whose
connection breaks, where that one was used before, is repeated once on a new one; every call made
here may be repeated.

Signature Version 4 of one shape of request: a POST to "/" whose headers are known beforehand.

The algorithm is described in "Create a signed AWS API request" of the IAM user guide. Tests compare
every header with what botocore signs.
"""

from __future__ import annotations

import hmac
import json
import os
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from hashlib import sha256
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

from waypost.errors import ConfigurationError
from waypost.retry import call_with_retry

AMAZON_ROOTS_PATH: Final = str(Path(__file__).parent / "amazon_roots.pem")
"""The roots that endpoints of AWS chain to: https://www.amazontrust.com/repository/. Reading these
five instead of all that a system trusts saves most of what setting TLS up costs. Should they not
do one day, the system's are taken.
"""
SYSTEM_ROOTS: Final = None


class PersistentConnection:
    """Posts to a host, by ``https`` or ``http`` as its URL says. For one thread.

    ``timeout`` is in seconds and holds for connecting, and again for asking and the whole answer.
    """

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc
        self._secure = parts.scheme == "https"
        self._timeout = timeout
        self._idle_connection: HTTPConnection | None = None

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError where there is none."""
        if self._idle_connection is not None:
            try:
                return self._post(self._idle_connection, headers, body)
            except (ConnectionError, ssl.SSLEOFError):
                pass  # it was closed meanwhile
        return self._post(self._open(), headers, body)

    def close(self) -> None:
        """End the connection; the next call opens another."""
        if self._idle_connection is not None:
            self._idle_connection.close()
            self._idle_connection = None

    def _post(
        self, connection: HTTPConnection, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        self._idle_connection = None  # half an answer must not become the next one's
        try:
            response, answer = self._exchange(connection.sock, headers, body)
        except OSError:
            connection.close()
            raise
        except HTTPException as e:
            connection.close()
            raise ConnectionAbortedError("the answer is not whole") from e
        if response.will_close:
            connection.close()
        else:
            self._idle_connection = connection
        return response.status, answer

    def _exchange(
        self, sock: socket.socket, headers: Mapping[str, str], body: bytes
    ) -> tuple[HTTPResponse, bytes]:
        until = time.monotonic() + self._timeout
        lines = ["POST / HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        lines += [f"content-length: {len(body)}", "", ""]
        sock.settimeout(self._timeout)
        sock.sendall("\r\n".join(lines).encode() + body)  # at once: one packet
        incoming: Any = _DeadlineReader(sock, until)
        with HTTPResponse(incoming, method="POST") as response:
            response.begin()
            return response, response.read()

    def _open(self) -> HTTPConnection:
        if not self._secure:
            return _connect(HTTPConnection(self.host, timeout=self._timeout))
        own = os.environ.get("AWS_CA_BUNDLE")  # the name that AWS' own tools read
        if own:
            return self._open_tls(own)
        try:
            return self._open_tls(AMAZON_ROOTS_PATH)
        except ssl.SSLCertVerificationError:
            return self._open_tls(SYSTEM_ROOTS)

    def _open_tls(self, roots: str | None) -> HTTPConnection:
        return _connect(
            HTTPSConnection(self.host, timeout=self._timeout, context=_create_tls_context(roots))
        )


class _DeadlineReader(RawIOBase):
    """What comes in on a socket until a moment of the monotonic clock: a socket's own timeout
    begins anew with each byte. Looks like a socket as far as an HTTPResponse does.
    """

    def __init__(self, sock: socket.socket, expires_at: float) -> None:
        self._sock = sock
        self._expires_at = expires_at

    def makefile(self, _mode: str) -> BufferedReader:
        return BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        left = self._expires_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._sock.settimeout(left)
        return self._sock.recv_into(buffer)


def _connect(connection: HTTPConnection) -> HTTPConnection:
    try:
        connection.connect()
    except OSError:
        connection.close()
        raise
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return connection


@cache
def _create_tls_context(roots: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=roots)


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """Whose calls they are. ``token`` is empty where the key is one of a user."""

    key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """What Lambda puts into a function's environment; they live as long as the process.

        Raises SettingsError naming the variable that is not there.
        """
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            if not environment.get(variable):
                raise ConfigurationError(variable)
        return cls(
            environment["AWS_ACCESS_KEY_ID"],
            environment["AWS_SECRET_ACCESS_KEY"],
            environment.get("AWS_SESSION_TOKEN", ""),
        )


class SigV4Signer:
    """Signs requests to one service in one region. The day's key is derived once a day."""

    def __init__(self, credentials: AwsCredentials, region: str, service: str) -> None:
        self._credentials = credentials
        self._region = region
        self._service = service
        self._day = ""
        self._key = b""

    def sign_headers(
        self, host: str, content_type: str, target: str, body: bytes, now: str
    ) -> dict[str, str]:
        """The headers of a signed request. ``now`` is UTC as ``20261122T104500Z``."""
        headers = {  # in the order that they are signed in
            "content-type": content_type,
            "host": host,
            "x-amz-date": now,
            "x-amz-security-token": self._credentials.token,
            "x-amz-target": target,
        }
        if not self._credentials.token:
            del headers["x-amz-security-token"]
        names = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        request = f"POST\n/\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
        scope = f"{now[:8]}/{self._region}/{self._service}/aws4_request"
        digest = sha256(request.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{digest}"
        signature = _compute_hmac(self._get_signing_key(now[:8]), text).hex()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._credentials.key_id}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return headers

    def _get_signing_key(self, day: str) -> bytes:
        if day != self._day:
            key = f"AWS4{self._credentials.secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = _compute_hmac(key, part)
            self._day, self._key = day, key
        return self._key


def _compute_hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


ServiceResponse = dict[str, Any]  # the service's own shapes


class _JsonProtocol(NamedTuple):
    target: str
    version: str


_PROTOCOLS: Final = {
    "dynamodb": _JsonProtocol("DynamoDB_20120810", "1.0"),
    "secretsmanager": _JsonProtocol("secretsmanager", "1.1"),
    "sqs": _JsonProtocol("AmazonSQS", "1.0"),
}
_RETRYABLE_STATUSES: Final = frozenset({429, 500, 502, 503, 504})


class AwsServiceError(Exception):
    """The service answered, and refused. ``response`` has the shape that botocore gives it:
    ``{"Error": {"Code", "Message"}, …}`` and what else the service said.
    """

    def __init__(self, operation: str, response: ServiceResponse) -> None:
        error = response["Error"]
        super().__init__(f"{operation}: {error['Code']}: {error['Message']}")
        self.response = response


class _TransientServiceError(AwsServiceError):
    """A refusal that another attempt may not meet."""


class MinimalClient:
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
            raise ConfigurationError("AWS_REGION")
        self._target, version = _PROTOCOLS[service]
        self._content_type = f"application/x-amz-json-{version}"
        self._signer = SigV4Signer(AwsCredentials.from_env(os.environ), region, service)
        self._connection = PersistentConnection(_get_endpoint(service, region), timeout)
        self._attempts = attempts
        self._clock = clock

    def close(self) -> None:
        self._connection.close()

    def __getattr__(self, name: str) -> Callable[..., ServiceResponse]:
        if name.startswith("_"):
            raise AttributeError(name)
        operation = "".join(word.capitalize() for word in name.split("_"))
        return partial(self._call, operation)

    def _call(self, operation: str, **request: object) -> ServiceResponse:
        body = json.dumps(request, separators=(",", ":")).encode()
        return call_with_retry(
            partial(self._call_once, operation, body),
            attempts=self._attempts,
            retry_on=(OSError, _TransientServiceError),
        )

    def _call_once(self, operation: str, body: bytes) -> ServiceResponse:
        status, answer = self._post(operation, body)
        if status == 200:
            return _parse_response(answer)
        error = _TransientServiceError if status in _RETRYABLE_STATUSES else AwsServiceError
        raise error(operation, _parse_error(status, answer))

    def _post(self, operation: str, body: bytes) -> tuple[int, bytes]:
        headers = self._signer.sign_headers(
            self._connection.host,
            self._content_type,
            f"{self._target}.{operation}",
            body,
            time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock())),
        )
        return self._connection.post(headers, body)


def _get_endpoint(service: str, region: str) -> str:
    own = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}")
    given = own or os.environ.get("AWS_ENDPOINT_URL")
    return given or f"https://{service}.{region}.amazonaws.com"


def _parse_response(answer: bytes) -> ServiceResponse:
    """What a call gave. Something between us and the service may answer in its place: each of the
    three answers every call with an object, if an empty one.
    """
    try:
        return _parse_json_object(answer)
    except ValueError as e:
        raise ConnectionAbortedError("the answer is no object of JSON") from e


def _parse_json_object(answer: bytes) -> ServiceResponse:
    try:
        value = json.loads(answer)
    except RecursionError as e:
        raise ValueError("nested too deeply") from e
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value


def _parse_error(status: int, answer: bytes) -> ServiceResponse:
    """What a service says when it refuses; a proxy's page in its place is told by its status."""
    try:
        said = _parse_json_object(answer)
    except ValueError:
        said = {}
    code = str(said.get("__type", status)).rpartition("#")[2]
    message = said.get("message") or said.get("Message") or ""
    return {**said, "Error": {"Code": code, "Message": message}}
