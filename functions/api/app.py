"""Reports, settings, people, domains and share links as JSON, for callers that IAM lets in."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from waypost.api import routes
from waypost.api.app import HttpApiEvent, build_openapi_document, create_resolver, resolve_request
from waypost.composition import ApiServices
from waypost.observability import create_logger

ROUTERS = (routes.router,)

log = create_logger("api")
services = ApiServices()
app = create_resolver(ROUTERS, lambda: services)


@app.get("/v1/openapi.json", include_in_schema=False)
def description() -> dict[str, Any]:
    return document()


@cache
def document() -> dict[str, Any]:
    return build_openapi_document(app)


@log.inject_lambda_context
def handler(event: HttpApiEvent, context: LambdaContext) -> HttpApiEvent:
    """Answer one request."""
    return resolve_request(app, event, context)
