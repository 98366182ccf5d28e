"""Load the module of a function as Lambda does, and build its events."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote, unquote, urlencode

from waypost.path_names import encode_path_name

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """The fields of Lambda's context that Powertools and handlers read."""

    function_name: str = "test"
    memory_limit_in_mb: int = 128
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:test"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


PATH_NAMES = ("workspace", "campaign", "person", "host")


def load_function(function: str) -> ModuleType:
    """Import a new copy of a function's module."""
    path = ROOT / "functions" / function / "app.py"
    spec = importlib.util.spec_from_file_location(f"functions_{function}_app", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build_api_event(
    route: str,
    parameters: dict[str, str] | None = None,
    *,
    query: dict[str, str] | None = None,
    body: object = None,
    cookies: list[str] | None = None,
    raw_path: str | None = None,
) -> dict[str, Any]:
    """Build an HTTP API event for a route such as ``GET /s/{code+}``.

    Names among the parameters are encoded as clients do; the others are as a gateway decodes them.
    DELETE repeats the name of a person or host in the query, unless ``query`` is given.
    """
    method, _, path = route.partition(" ")
    if method == "DELETE" and query is None:
        query = {k: v for k, v in (parameters or {}).items() if k in ("person", "host")}
    path_parameters = {
        name: encode_path_name(value) if name in PATH_NAMES else value
        for name, value in (parameters or {}).items()
    }
    encoded = re.sub(r"{(\w+)\+?}", lambda m: quote(path_parameters[m[1]], safe=""), path)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": unquote(encoded) if raw_path is None else raw_path,
        "rawQueryString": urlencode(query or {}),
        "headers": {"content-type": "application/json", "user-agent": "test"},
        "requestContext": {
            "http": {"method": method, "path": unquote(encoded)},
            "requestId": "1",
            "routeKey": route,
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }
    if path_parameters:
        event["pathParameters"] = path_parameters
    if query:
        event["queryStringParameters"] = query
    if cookies:
        event["cookies"] = cookies
    if body is not None:
        event["body"] = body if isinstance(body, str) else json.dumps(body)
    return event
