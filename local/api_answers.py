"""What a function's answer becomes on its way out of an HTTP API."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping

from local.http_api import HttpResponse, InvalidFunctionResponse


def parse_response(payload: bytes) -> HttpResponse:
    """What the caller gets for a function's answer. Raises BadAnswer."""
    try:
        answer = json.loads(payload)
    except ValueError as error:
        raise InvalidFunctionResponse("the answer is no JSON") from error
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return HttpResponse(200, (("content-type", "application/json"),), payload)
    headers = [
        (str(name).lower(), _format_header_value(value))
        for name, value in (answer.get("headers") or {}).items()
    ]
    headers += [
        ("set-cookie", _format_header_value(cookie)) for cookie in answer.get("cookies") or ()
    ]
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=UTF-8"))
    return HttpResponse(_parse_status(answer["statusCode"]), tuple(headers), _parse_body(answer))


def _parse_status(value: object) -> int:
    try:
        status = int(str(value))
    except ValueError as error:
        raise InvalidFunctionResponse(f"statusCode is {value!r}") from error
    if not 100 <= status <= 599:
        raise InvalidFunctionResponse(f"statusCode is {status}")
    return status


def _parse_body(answer: Mapping[str, object]) -> bytes:
    body = answer.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise InvalidFunctionResponse(f"body is a {type(body).__name__}, not a text")
    if not answer.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise InvalidFunctionResponse("body is no base64") from error


def _format_header_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise InvalidFunctionResponse(f"a header is a {type(value).__name__}, not a text")
    text = str(value)
    if re.search(r"[\r\n\0]", text) or not text.isascii():
        raise InvalidFunctionResponse("a header has characters that HTTP does not allow")
    return text
