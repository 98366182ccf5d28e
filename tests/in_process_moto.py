"""Call moto directly for the AWS calls of this process.

moto searches the URL patterns of all services at each call, compiles those of the right one
again, and parses requests to DynamoDB, which are most of them, as if a browser had sent them.
That takes a fifth of the time of a test.
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
    """Return False for requests to an embedded stack on this machine."""
    return urlsplit(request.url).hostname not in ("127.0.0.1", "localhost")


def respond_with_moto(request: AWSPreparedRequest) -> MotoResponse:
    """Return moto's response to a request."""
    target: Any = request.headers.get("X-Amz-Target", b"")  # bytes, if the header exists
    action = target.decode()
    try:
        if action.startswith("DynamoDB_"):
            answer: MotoResponse = _DynamoHandler(action, request).call_action()
            return answer
        return _call_other_service(request)
    except HTTPException as error:
        return error.code or 500, dict(error.get_headers()), error.get_body()


class _DynamoHandler(DynamoHandler):
    """moto's DynamoDB handler with its attributes set directly instead of parsed."""

    def __init__(self, action: str, request: AWSPreparedRequest) -> None:
        super().__init__()
        self.headers = {"x-amz-target": action, "Content-Type": "application/x-amz-json-1.0"}
        self.querystring: dict[str, Any] = {}
        self.response_headers: dict[str, str] = {}
        self.region = self.region_regex.findall(request.url)[0]
        self.current_account = DEFAULT_ACCOUNT_ID
        self.params = json.loads(request.body, object_hook=_decode_binary)  # type: ignore[arg-type]  # bytes


def _decode_binary(value: dict[str, Any]) -> dict[str, Any]:
    """Decode a binary attribute value as moto stores it; return others unchanged."""
    text = value.get("B")
    return {"B": b64decode(text)} if isinstance(text, str) else value


def _call_other_service(request: AWSPreparedRequest) -> MotoResponse:
    url = urlsplit(request.url)
    normalized = normalize_request(request)
    handler = _find_moto_handler(f"{url.scheme}://{url.netloc}{url.path}")
    answer: MotoResponse = handler(normalized, normalized.raw_url, normalized.headers)
    return answer


@cache
def _find_moto_handler(url: str) -> Any:
    """Find moto's handler of a URL without its query."""
    service = next(name for name, pattern in backend_url_patterns if pattern.match(url))
    backend = get_backend(service)[DEFAULT_ACCOUNT_ID]  # type: ignore[call-overload]
    region = next(name for name in ("us-east-1", "aws") if name in backend)
    return next(
        handler for pattern, handler in backend[region].urls.items() if re.match(pattern, url)
    )
