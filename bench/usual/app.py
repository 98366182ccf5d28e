"""The redirect as it is usually built: powertools' Logger and resolver, boto3, itsdangerous.

It does the work that Waypost's does: reads the signing key from Secrets Manager and the workspace's
settings from DynamoDB (both once), verifies the token, puts the click on condition that it is new,
writes one line of log, and answers 302.
"""

import json
import os
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError
from itsdangerous import BadSignature, URLSafeSerializer

logger = Logger(service="redirect")
app = APIGatewayHttpResolver()
dynamodb = boto3.client("dynamodb")
secrets = boto3.client("secretsmanager")
cache: dict[str, Any] = {}


def get_serializer() -> Any:  # noqa: ANN401
    if "serializer" not in cache:
        answer = secrets.get_secret_value(SecretId=os.environ["KEYRING_SECRET"])
        cache["serializer"] = URLSafeSerializer(json.loads(answer["SecretString"])["seed"])
    return cache["serializer"]


def load_settings(workspace: str) -> Any:  # noqa: ANN401
    if workspace not in cache:
        cache[workspace] = dynamodb.get_item(
            TableName=os.environ["WORKSPACES_TABLE"],
            Key={"pk": {"S": f"W#{workspace}"}, "sk": {"S": "W"}},
        ).get("Item", {})
    return cache[workspace]


@app.get("/e/c/<payload>/<signature>")
def redirect(payload: str, signature: str) -> Response[str]:
    try:
        token = get_serializer().loads(f"{payload}.{signature}")
    except BadSignature:
        return Response(404, "text/html", "This link leads nowhere")
    event = app.current_event
    retention = int(load_settings(token["workspace"]).get("retention", {"N": "400"})["N"])
    now = event.request_context.time_epoch
    click = {
        "pk": {"S": f"{token['workspace']}#p:{token['person']}"},
        "sk": {"S": f"{datetime.fromtimestamp(now / 1000, UTC).isoformat()}"},
        "link": {"S": token["link"]},
        "delivery": {"S": token["delivery"]},
        "href": {"S": token["href"]},
        "agent": {"S": event.headers.get("user-agent", "")},
        "country": {"S": event.headers.get("cloudfront-viewer-country", "")},
        "ip": {"S": event.headers.get("cloudfront-viewer-address", "").rpartition(".")[0]},
        "expires": {"N": str(now // 1000 + retention * 86_400)},
    }
    try:
        dynamodb.put_item(
            TableName=os.environ["CLICKS_TABLE"],
            Item=click,
            ConditionExpression="attribute_not_exists(pk)",
        )
    except ClientError as e:
        if e.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
    logger.info("redirected", extra={"link": token["link"]})
    return Response(302, headers={"location": token["href"], "cache-control": "no-store"})


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
