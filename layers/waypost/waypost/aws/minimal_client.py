"""A small client of DynamoDB, SQS and Secrets Manager over one persistent connection.

Servers close idle connections, and a frozen function does not notice. So a call on a used
connection that breaks is repeated once on a new one; every call in this project can be repeated.

Requests are signed with Signature Version 4 for one shape: a POST to "/" with known headers.
"Create a signed AWS API request" in the IAM user guide describes the algorithm. Tests compare every
header with botocore's.
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
"""The roots of AWS endpoints: https://www.amazontrust.com/repository/. Reading these five instead
of all system roots saves most of the TLS setup. If they do not verify an endpoint, the system's
roots are used.
"""
SYSTEM_ROOTS: Final = None


class PersistentConnection:
    """Posts to one host over ``https`` or ``http``; for one thread.

    ``timeout`` is in seconds. It applies to connecting, and again to the request with its whole
    response.
    """

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc
        self._secure = parts.scheme == "https"
        self._timeout = timeout
        self._idle_connection: HTTPConnection | None = None

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Return status and body of the response. Raises OSError without a response."""
        if self._idle_connection is not None:
            try:
                return self._post(self._idle_connection, headers, body)
            except (ConnectionError, ssl.SSLEOFError):
                pass  # the server closed the idle connection
        return self._post(self._open(), headers, body)

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        if self._idle_connection is not None:
            self._idle_connection.close()
            self._idle_connection = None

    def _post(
        self, connection: HTTPConnection, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        self._idle_connection = None  # the next call must not read the rest of this response
        try:
            response, answer = self._exchange(connection.sock, headers, body)
        except OSError:
            connection.close()
            raise
        except HTTPException as e:
            connection.close()
            raise ConnectionAbortedError("AWS: incomplete response") from e
        if response.will_close:
            connection.close()
        else:
            self._idle_connection = connection
        return response.status, answer

    def _exchange(
        self, sock: socket.socket, headers: Mapping[str, str], body: bytes
    ) -> tuple[HTTPResponse, bytes]:
        expires_at = time.monotonic() + self._timeout
        lines = ["POST / HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        lines += [f"content-length: {len(body)}", "", ""]
        sock.settimeout(self._timeout)
        sock.sendall("\r\n".join(lines).encode() + body)  # one call, so one packet
        incoming: Any = _DeadlineReader(sock, expires_at)
        with HTTPResponse(incoming, method="POST") as response:
            response.begin()
            return response, response.read()

    def _open(self) -> HTTPConnection:
        if not self._secure:
            return _connect(HTTPConnection(self.host, timeout=self._timeout))
        ca_bundle = os.environ.get("AWS_CA_BUNDLE")  # AWS tools read the same variable
        if ca_bundle:
            return self._open_tls(ca_bundle)
        try:
            return self._open_tls(AMAZON_ROOTS_PATH)
        except ssl.SSLCertVerificationError:
            return self._open_tls(SYSTEM_ROOTS)

    def _open_tls(self, roots: str | None) -> HTTPConnection:
        return _connect(
            HTTPSConnection(self.host, timeout=self._timeout, context=_create_tls_context(roots))
        )


class _DeadlineReader(RawIOBase):
    """Reads from a socket until a deadline on the monotonic clock.

    A socket's own timeout restarts with each byte. The class has the one socket method that
    HTTPResponse uses.
    """

    def __init__(self, sock: socket.socket, expires_at: float) -> None:
        self._sock = sock
        self._expires_at = expires_at

    def makefile(self, _mode: str) -> BufferedReader:
        return BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        seconds = self._expires_at - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("AWS: response not complete in time")
        self._sock.settimeout(seconds)
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
    """AWS credentials. ``token`` is empty for the key of a user."""

    key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """Read the credentials of a Lambda function, valid as long as its process.

        Raises ConfigurationError with the name of the missing variable.
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
    """Signs requests to one service in one region; derives the signing key once a day."""

    def __init__(self, credentials: AwsCredentials, region: str, service: str) -> None:
        self._credentials = credentials
        self._region = region
        self._service = service
        self._day = ""
        self._key = b""

    def sign_headers(
        self, host: str, content_type: str, target: str, body: bytes, now: str
    ) -> dict[str, str]:
        """Return the headers of a signed request. ``now`` is UTC, as ``20261122T104500Z``."""
        headers = {  # in the order of the signature
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


ServiceResponse = dict[str, Any]  # in the service's shape


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
    """The service rejected the request.

    ``response`` has botocore's shape: ``{"Error": {"Code", "Message"}, …}`` and the rest of the
    body.
    """

    def __init__(self, operation: str, response: ServiceResponse) -> None:
        error = response["Error"]
        super().__init__(f"{operation}: {error['Code']}: {error['Message']}")
        self.response = response


class _TransientServiceError(AwsServiceError):
    """A refusal that another attempt may not meet."""


class MinimalClient:
    """A client of ``dynamodb``, ``secretsmanager`` or ``sqs``.

    Every operation is a method: ``client.put_item(TableName=…, …)`` posts ``PutItem`` with the
    keywords and returns the response body.

    Raises AwsServiceError if the service rejects the request, and OSError without a response in
    ``timeout`` seconds (as many again for a new connection); both after ``attempts``, if a retry
    could help. Region, credentials and endpoint come from the environment, by the names that AWS
    tools read. The default endpoint is the region's in the partition ``aws``. Binary attributes are
    base64 text, because JSON has no bytes. ``clock`` gives seconds since 1970 for signatures.
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
    service_endpoint = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}")
    endpoint = service_endpoint or os.environ.get("AWS_ENDPOINT_URL")
    return endpoint or f"https://{service}.{region}.amazonaws.com"


def _parse_response(answer: bytes) -> ServiceResponse:
    """Parse a successful response, which is a JSON object, even if empty.

    Anything else is from a proxy in between.
    """
    try:
        return _parse_json_object(answer)
    except ValueError as e:
        raise ConnectionAbortedError("AWS: response is not a JSON object") from e


def _parse_json_object(answer: bytes) -> ServiceResponse:
    try:
        value = json.loads(answer)
    except RecursionError as e:
        raise ValueError("JSON nested too deeply") from e
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _parse_error(status: int, answer: bytes) -> ServiceResponse:
    """Parse an error response; for a proxy's page, the status is the error code."""
    try:
        body = _parse_json_object(answer)
    except ValueError:
        body = {}
    code = str(body.get("__type", status)).rpartition("#")[2]
    message = body.get("message") or body.get("Message") or ""
    return {**body, "Error": {"Code": code, "Message": message}}
