"""Reports, settings, people, domains and share links as JSON, for callers that IAM lets in."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from waypost.api import routes
from waypost.api.app import Event, described, resolved, resolver
from waypost.api.dependencies import Services
from waypost.observability import logger

ROUTERS = (routes.router,)

log = logger("api")
services = Services()
app = resolver(ROUTERS, lambda: services)


@app.get("/v1/openapi.json", include_in_schema=False)
def description() -> dict[str, Any]:
    return document()


@cache
def document() -> dict[str, Any]:
    return described(app)


@log.inject_lambda_context
def handler(event: Event, context: LambdaContext) -> Event:
    """Answer one request."""
    return resolved(app, event, context)
