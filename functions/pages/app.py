"""Serve report pages to anyone who holds a share link."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from waypost.composition import ApiServices, build_page_service
from waypost.observability import create_logger
from waypost.responses import Response
from waypost.web.app import PageService

log = create_logger("pages")


@cache
def page_service() -> PageService:
    return build_page_service(ApiServices())


@log.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> Response:  # noqa: ARG001 - read by the decorator
    """Respond to one request with a page."""
    return page_service().handle_request(event)
