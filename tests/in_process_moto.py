"""What moto answers to a call of this process, without the way to it.

moto would look through the addresses of all services at each call, put those of the right one
together anew, and take a request to DynamoDB, which is most of them, apart as if it might be a
browser's: that takes a fifth of the time of a test.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest
from moto.backend_index import backend_url_patterns
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.request import normalize_request
from moto.dynamodb.responses import DynamoHandler
from werkzeug.exceptions import HTTPException

MotoResponse: TypeAlias = tuple[int, Mapping[str, Any], str | bytes]
"""Status, headers and body."""


def is_to_aws(request: AWSPreparedRequest) -> bool:
    """And not to a stack of other tests on this machine, which this very process may serve."""
    return urlsplit(request.url).hostname not in ("127.0.0.1", "localhost")


def respond_with_moto(request: AWSPreparedRequest) -> MotoResponse:
    """What moto answers."""
    target: Any = request.headers.get("X-Amz-Target", b"")  # bytes, where there is one
    action = target.decode()
    try:
        if action.startswith("DynamoDB_"):
            answer: MotoResponse = _DynamoHandler(action, request).call_action()
            return answer
        return _call_other_service(request)
    except HTTPException as error:
        return error.code or 500, dict(error.get_headers()), error.get_body()


class _DynamoHandler(DynamoHandler):
    """moto's DynamoDB, told what it would find out from the request."""

    def __init__(self, action: str, request: AWSPreparedRequest) -> None:
        super().__init__()
        self.headers = {"x-amz-target": action, "Content-Type": "application/x-amz-json-1.0"}
        self.querystring: dict[str, Any] = {}
        self.response_headers: dict[str, str] = {}
        self.region = self.region_regex.findall(request.url)[0]
        self.current_account = DEFAULT_ACCOUNT_ID
        self.params = json.loads(request.body, object_hook=_decode_binary)  # type: ignore[arg-type]  # bytes


def _decode_binary(value: dict[str, Any]) -> dict[str, Any]:
    """A value of DynamoDB's as moto keeps it: only those that are binary are read differently."""
    text = value.get("B")
    return {"B": b64decode(text)} if isinstance(text, str) else value


def _call_other_service(request: AWSPreparedRequest) -> MotoResponse:
    url = urlsplit(request.url)
    given = normalize_request(request)
    door = _find_moto_handler(f"{url.scheme}://{url.netloc}{url.path}")
    answer: MotoResponse = door(given, given.raw_url, given.headers)
    return answer


@cache
def _find_moto_handler(url: str) -> Any:
    """What moto has for an address without its query."""
    service = next(name for name, pattern in backend_url_patterns if pattern.match(url))
    backend = get_backend(service)[DEFAULT_ACCOUNT_ID]  # type: ignore[call-overload]
    region = next(name for name in ("us-east-1", "aws") if name in backend)
    return next(door for pattern, door in backend[region].urls.items() if re.match(pattern, url))
