"""What moto answers to a call, without the way to it.

moto would look through the addresses of all services at each call, put those of the right one
together anew, and take a request to DynamoDB, which is most of them, apart as if it might be a
browser's: that takes a fifth of the time of a test.
"""

from __future__ import annotations

import json
import re
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

REGION = "us-east-1"
Played: TypeAlias = tuple[int, Mapping[str, Any], str | bytes]
"""Status, headers and body."""


def played(service: str, request: AWSPreparedRequest) -> Played:
    """What moto answers."""
    try:
        return _Tables(request).call_action() if service == "dynamodb" else _elsewhere(request)
    except HTTPException as error:
        return error.code or 500, dict(error.get_headers()), error.get_body()


class _Tables(DynamoHandler):
    """moto's DynamoDB, told what it would find out from the request. (That a value is binary it
    would find out as well: ours are none.)
    """

    def __init__(self, request: AWSPreparedRequest) -> None:
        super().__init__()
        self.headers = {
            "x-amz-target": request.headers["X-Amz-Target"].decode(),  # type: ignore[union-attr]  # bytes
            "Content-Type": "application/x-amz-json-1.0",
        }
        self.querystring: dict[str, Any] = {}
        self.response_headers: dict[str, str] = {}
        self.region = REGION
        self.current_account = DEFAULT_ACCOUNT_ID
        self.params = json.loads(request.body)  # type: ignore[arg-type]  # bytes, with this service


def _elsewhere(request: AWSPreparedRequest) -> Played:
    url = urlsplit(request.url)
    given = normalize_request(request)
    door = _door(f"{url.scheme}://{url.netloc}{url.path}")
    answer: Played = door(given, given.raw_url, given.headers)
    return answer


@cache
def _door(url: str) -> Any:
    """What moto has for an address without its query."""
    service = next(name for name, pattern in backend_url_patterns if pattern.match(url))
    backend = get_backend(service)[DEFAULT_ACCOUNT_ID]  # type: ignore[call-overload]
    doors = backend[REGION if REGION in backend else "aws"].urls
    return next(door for pattern, door in doors.items() if re.match(pattern, url))
