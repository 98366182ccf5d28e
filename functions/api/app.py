"""Serve reports, settings, people, domains and share links as JSON; IAM authorizes the caller."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from waypost.api.app import HttpApiEvent, build_openapi_document, create_resolver, resolve_request
from waypost.api.routes import router
from waypost.composition import ApiServices
from waypost.observability import create_logger

log = create_logger("api")
services = ApiServices()
app = create_resolver(router, lambda: services)


@app.get("/v1/openapi.json", include_in_schema=False)
@cache
def get_openapi_document() -> dict[str, Any]:
    return build_openapi_document(app)


@log.inject_lambda_context
def handler(event: HttpApiEvent, context: LambdaContext) -> HttpApiEvent:
    """Respond to one request."""
    return resolve_request(app, event, context)
