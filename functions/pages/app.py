"""Report pages, for whoever holds a share link."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from waypost.api.dependencies import Services
from waypost.observability import logger
from waypost.responses import Response
from waypost.web.app import Visits, visits_of

log = logger("pages")


@cache
def visits() -> Visits:
    return visits_of(Services())


@log.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> Response:  # noqa: ARG001 - read by the decorator
    """Answer one request with a page."""
    return visits().answer(event)
