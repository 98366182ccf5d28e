"""Client of the management API, with requests signed by the operator's credentials."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

import boto3
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoCredentialsError

from tools.stack import DeployedStack

_AWS_URL: Final = re.compile(r"https://\w+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com")
_PLAIN_HTTP_ERRORS: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
"""OpenSSL's errors for a response in plain HTTP; they depend on its version."""
_SECONDS: Final = 35  # an HTTP API gives up after 30


class ApiError(SystemExit):
    """The API returned an error; the text is the API's."""


class ApiUnreachable(ApiError):
    """No response from the address."""


@dataclass(frozen=True, slots=True)
class ManagementApi:
    """The management API at an address; requests are signed if ``region`` is given."""

    address: str
    region: str | None = None
    http: urllib3.PoolManager = field(
        default_factory=urllib3.PoolManager, compare=False, repr=False
    )

    @classmethod
    def from_options(cls, environment: str, base: str) -> ManagementApi:
        """Create a client for ``base`` (signed if it is an AWS address) or for an environment."""
        if base:
            aws = _AWS_URL.match(base)
            return cls(base.rstrip("/"), aws[1] if aws else None)
        stack = DeployedStack.from_environment(environment)
        api = stack.get_resource_id("ManagementApi")
        return cls(f"https://{api}.execute-api.{stack.region}.amazonaws.com", stack.region)

    def request(
        self, method: str, path: str, body: object = None, query: Mapping[str, str] | None = None
    ) -> Any:  # noqa: ANN401 - JSON
        """Send a request, and return the decoded response. ``query`` is not encoded.

        :raises ApiError: when the API returns an error.
        :raises ApiUnreachable: when there is no response.
        """
        if query:
            # Signatures cover %20 for a space, never a plus sign.
            path += f"?{urlencode(query, quote_via=quote, safe='')}"
        answer = self._send(method, path, body)
        try:
            decoded = answer.json()
        except ValueError as error:
            raise ApiError(f"{self.address} answered {answer.status}, and no JSON") from error
        if answer.status >= 400:
            raise ApiError(f"{answer.status}: {decoded.get('detail') or decoded.get('message')}")
        return decoded

    def download(self, path: str) -> str:
        """Return the text of a file.

        :raises ApiError: when the API returns an error.
        :raises ApiUnreachable: when there is no response.
        """
        answer = self._send("GET", path, None)
        if answer.status != 200:
            raise ApiError(f"{answer.status}: {answer.data.decode(errors='replace')}")
        return answer.data.decode()

    def _send(self, method: str, path: str, body: object) -> urllib3.BaseHTTPResponse:
        url, data = self.address + path, b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        if self.region:
            headers = _sign_headers(method, url, headers, data, self.region)
        try:
            return self.http.request(method, url, headers=headers, body=data, timeout=_SECONDS)
        except urllib3.exceptions.HTTPError as error:
            raise ApiUnreachable(
                f"{self.address} does not answer: {_find_reason(error)}"
            ) from error


def _find_reason(error: BaseException) -> str:
    """Find the reason of a connection error: the first error of the chain."""
    if error.__cause__:
        return _find_reason(error.__cause__)
    if any(sign in str(error) for sign in _PLAIN_HTTP_ERRORS):
        return "no HTTPS there; try http://"
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _sign_headers(
    method: str, url: str, headers: dict[str, str], data: bytes, region: str
) -> dict[str, str]:
    """Sign a request (SigV4) with the operator's credentials, and return its headers."""
    credentials = boto3.Session().get_credentials()
    if credentials is None:
        raise NoCredentialsError
    request = AWSRequest(method, url, headers=headers, data=data)
    SigV4Auth(credentials, "execute-api", region).add_auth(request)
    return dict(request.headers.items())
