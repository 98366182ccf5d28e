"""Signature Version 4 of one shape of request: a POST to "/" whose headers are known beforehand.

The algorithm is described in "Create a signed AWS API request" of the IAM user guide. Tests compare
every header with what botocore signs.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

from waypost.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Credentials:
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
                raise SettingsError(variable)
        return cls(
            environment["AWS_ACCESS_KEY_ID"],
            environment["AWS_SECRET_ACCESS_KEY"],
            environment.get("AWS_SESSION_TOKEN", ""),
        )


class Signer:
    """Signs requests to one service in one region. The day's key is derived once a day."""

    def __init__(self, credentials: Credentials, region: str, service: str) -> None:
        self._credentials = credentials
        self._region = region
        self._service = service
        self._day = ""
        self._key = b""

    def headers(
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
        signature = _hmac(self._key_of(now[:8]), text).hex()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._credentials.key_id}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return headers

    def _key_of(self, day: str) -> bytes:
        if day != self._day:
            key = f"AWS4{self._credentials.secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = _hmac(key, part)
            self._day, self._key = day, key
        return self._key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
