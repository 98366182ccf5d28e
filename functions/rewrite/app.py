"""Rewrites messages: by Lambda invocation with the bare body, and by ``POST /v1/rewrite``; and, by
invocation alone, for the recipients of a file in S3.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from waypost.aws.clients import patient_client
from waypost.config import RewriteSettings
from waypost.domains.base_url import BaseUrls
from waypost.errors import InvalidRequest, WaypostError
from waypost.observability import Metric, count, logger
from waypost.repositories.dynamodb.campaigns import DynamoCampaigns
from waypost.repositories.dynamodb.client import DynamoClient
from waypost.repositories.dynamodb.domains import DynamoDomains
from waypost.repositories.dynamodb.messages import DynamoMessages
from waypost.repositories.dynamodb.short_links import DynamoShortLinks
from waypost.repositories.dynamodb.workspaces import DynamoWorkspaces
from waypost.repositories.s3 import S3Objects
from waypost.responses import Response, json_response, problem
from waypost.rewrite import schemas
from waypost.rewrite.message_archive import MessageKeeper
from waypost.rewrite.service import Answer, Sending
from waypost.rewrite_files.output import Part
from waypost.rewrite_files.schemas import FileProgress, FileReport, FileRequest
from waypost.rewrite_files.service import FileRewriting
from waypost.tokens.keyring import KeyringSource
from waypost.validation import checked

log = logger("rewrite")


@cache
def sending() -> Sending:
    """The use case on this function's tables and keys."""
    settings = RewriteSettings.from_env()
    dynamodb: DynamoClient = patient_client("dynamodb")
    keys = KeyringSource(patient_client("secretsmanager"), settings.keyring_secret)
    return Sending(
        campaigns=DynamoCampaigns(dynamodb, settings.campaigns_table),
        workspaces=DynamoWorkspaces(dynamodb, settings.workspaces_table),
        base_urls=BaseUrls(
            DynamoDomains(dynamodb, settings.workspaces_table),
            settings.default_base_url,
            settings.default_host,
        ),
        short_links=DynamoShortLinks(dynamodb, settings.short_links_table),
        sealer=keys.sealer,
        now=lambda: datetime.now(UTC),
        keeper=MessageKeeper(
            DynamoMessages(dynamodb, settings.campaigns_table), settings.retention_days
        ),
    )


@cache
def objects() -> S3Objects:
    """Where files of recipients lie; made by the first invocation that has one."""
    return S3Objects(boto3.client("s3"))


@log.inject_lambda_context
def handler(
    event: object,
    context: LambdaContext,
) -> Response | Answer | FileProgress | FileReport | dict[str, Any]:
    """Answer over HTTP where the event came from API Gateway, else with the bare result."""
    if not isinstance(event, dict) or "requestContext" not in event:
        return _invoked(event, context)
    try:
        return json_response(200, _rewritten(schemas.from_json(_body(event)), quoted=True))
    except WaypostError as error:
        return problem(error)


def _invoked(
    event: object, context: LambdaContext
) -> Answer | FileProgress | FileReport | dict[str, Any]:
    try:
        if isinstance(event, dict) and "input" in event:
            return _of_file(context).rewrite(checked(FileRequest, event))
        return _rewritten(schemas.from_value(event), quoted=False)
    except WaypostError as error:
        body: dict[str, Any] = json.loads(problem(error)["body"])
        return body


def _of_file(context: LambdaContext) -> FileRewriting:
    return FileRewriting(
        sending=sending(),
        objects=objects(),
        remaining=lambda: context.get_remaining_time_in_millis() / 1000,
        note=_note,
    )


def _note(progress: FileProgress, part: Part) -> None:
    count(Metric.MESSAGES_REWRITTEN, part.delivered)
    log.info("part written", extra=dict(progress))


def _rewritten(asked: schemas.RewriteRequest, *, quoted: bool) -> Answer:
    answer = sending().rewrite(asked, quoted=quoted)
    count(Metric.MESSAGES_REWRITTEN, len(answer["deliveries"]))
    count(Metric.LINKS_TRACKED, sum(link["tracked"] for link in answer["links"]))
    return answer


def _body(event: dict[str, Any]) -> str | bytes:
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body)
    except ValueError:
        raise InvalidRequest.of("body", "is not base64") from None
