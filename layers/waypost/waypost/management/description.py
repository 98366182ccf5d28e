"""The API's description: an OpenAPI document made from the routes and their types.

What routes cannot say of themselves is put in here: that errors are problem+json, and that a
request that is not valid gets 400.
"""

from __future__ import annotations

import json
from typing import Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
from pydantic import BaseModel

_PROBLEM: Final = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457); `errors` by field where a request is not valid.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}
_ERRORS: Final = {
    "400": "The request is not valid",
    "404": "Something that was never seen",
    "409": "A name that cannot be taken, or a change that others kept overtaking",
    "503": "The store did not answer or is busy: try again",
}


def described(app: APIGatewayHttpResolver) -> dict[str, Any]:
    """The OpenAPI document of an app's routes, as plain values."""
    document: dict[str, Any] = json.loads(
        app.get_openapi_json_schema(
            title="Waypost",
            version="1",
            description="Reports and settings of link tracking. Requests are signed (AWS SigV4).",
        )
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError", "ResponseValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["operationId"] = operation["operationId"].partition("_v1_")[0]
            operation["responses"].pop("422", None)
            operation["responses"] |= {status: _error(text) for status, text in _ERRORS.items()}
    return document


def part_described(answer: type[BaseModel]) -> dict[int, OpenAPIResponse]:
    """What a route says that does what fits into a request: all of it, or a part."""
    said = {200: "All is done", 202: "A part is done: ask again"}
    return {
        status: {"description": text, "content": {"application/json": {"model": answer}}}
        for status, text in said.items()
    }


def file_described(content_type: str) -> dict[int, OpenAPIResponse]:
    """What a route that answers with a file says of it."""
    schema = {"type": "string"}
    return {
        200: {
            "description": "The file, or a part of it",
            "headers": {
                "link": {"description": "The next part; missing on the last.", "schema": schema}
            },
            "content": {content_type: {"schema": schema}},
        }
    }


def _error(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }
