"""Rewrite messages, for Lambda invocations and for ``POST /v1/rewrite``.

An invocation passes the request itself, also for a file of recipients in S3.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from waypost.composition import create_object_store, create_rewrite_service
from waypost.config import RewriteConfig
from waypost.errors import InvalidRequest, WaypostError
from waypost.observability import Metric, create_logger, emit_metric, log_server_error
from waypost.repositories.objects import ObjectStore
from waypost.responses import Response, json_response, problem_response
from waypost.rewrite import schemas
from waypost.rewrite.service import RewriteResponse, RewriteService
from waypost.rewrite_files.output import OutputPart
from waypost.rewrite_files.schemas import FileProgress, FileReport, FileRequest
from waypost.rewrite_files.service import FileRewriteService
from waypost.validation import validate_value

log = create_logger("rewrite")


@cache
def rewrite_config() -> RewriteConfig:
    """Read the configuration once per process."""
    return RewriteConfig.from_env()


@cache
def rewrite_service() -> RewriteService:
    """Create the service once per process."""
    return create_rewrite_service(rewrite_config())


@cache
def object_store() -> ObjectStore:
    """Create the store of files once per process, for the first request that names a file."""
    return create_object_store()


@log.inject_lambda_context
def handler(
    event: object,
    context: LambdaContext,
) -> Response | RewriteResponse | FileProgress | FileReport | dict[str, Any]:
    """Respond over HTTP to an event from API Gateway, else with the bare result."""
    if not isinstance(event, dict) or "requestContext" not in event:
        return _handle_invocation(event, context)
    try:
        return json_response(
            200,
            _rewrite_message(schemas.parse_rewrite_request(_read_body(event)), as_json_string=True),
        )
    except WaypostError as error:
        return _build_problem(error)


def _handle_invocation(
    event: object, context: LambdaContext
) -> RewriteResponse | FileProgress | FileReport | dict[str, Any]:
    try:
        if isinstance(event, dict) and "input" in event:
            return _create_file_service(context).rewrite_file(validate_value(FileRequest, event))
        return _rewrite_message(schemas.validate_rewrite_request(event), as_json_string=False)
    except WaypostError as error:
        body: dict[str, Any] = json.loads(_build_problem(error)["body"])
        return body


def _build_problem(error: WaypostError) -> Response:
    response = problem_response(error)
    if response["statusCode"] >= 500:
        emit_metric(Metric.REWRITE_FAILED)
        log_server_error(log, response["statusCode"], error)
    return response


def _create_file_service(context: LambdaContext) -> FileRewriteService:
    return FileRewriteService(
        rewrite_service=rewrite_service(),
        object_store=object_store(),
        bucket=rewrite_config().files_bucket,
        remaining_seconds=lambda: context.get_remaining_time_in_millis() / 1000,
        report_part=_report_part,
    )


def _report_part(progress: FileProgress, part: OutputPart) -> None:
    emit_metric(Metric.MESSAGES_REWRITTEN, part.delivered)
    log.info("Output part", extra=dict(progress))


def _rewrite_message(
    rewrite_request: schemas.RewriteRequest, *, as_json_string: bool
) -> RewriteResponse:
    response = rewrite_service().rewrite(rewrite_request, as_json_string=as_json_string)
    emit_metric(Metric.MESSAGES_REWRITTEN, len(response["deliveries"]))
    emit_metric(Metric.LINKS_TRACKED, sum(link["tracked"] for link in response["links"]))
    return response


def _read_body(event: dict[str, Any]) -> str | bytes:
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body)
    except ValueError:
        raise InvalidRequest.from_field("body", "is not base64") from None
