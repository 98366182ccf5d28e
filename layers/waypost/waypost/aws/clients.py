"""Factories of AWS clients: endpoint and credentials from the environment, timeouts by caller.

Every client rejects a successful response without a valid body. A proxy between the stack and the
service may answer in its place, and botocore reads a web page or a truncated body as an empty
result, such as "no such item".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeVar

from waypost.aws import MinimalClient

if TYPE_CHECKING:
    from botocore.config import Config

REDIRECT_TIMEOUT_SECONDS: Final = 0.13
"""Timeout of one request of the redirect: two fit its budget of 300 ms."""
KEYRING_TIMEOUT_SECONDS: Final = 1.0
"""Timeout of the keyring request: no link works without it, and it is rare."""
BOTO3_TIMEOUT_SECONDS: Final = 5.0

_Client = TypeVar("_Client")


def create_redirect_client(service: str) -> MinimalClient:
    """Create a client for the redirect: a short timeout and no retries."""
    return MinimalClient(service, timeout=REDIRECT_TIMEOUT_SECONDS, attempts=1)


def create_keyring_client() -> MinimalClient:
    """Create a client of Secrets Manager for the redirect."""
    return MinimalClient("secretsmanager", timeout=KEYRING_TIMEOUT_SECONDS, attempts=2)


def create_boto3_client(service: str, config: Config | None = None, **options: str) -> Any:  # noqa: ANN401 - clients have no common type
    """Create a client that rejects invalid responses; by default, it makes up to four attempts."""
    import boto3  # takes 0.2 s, so only callers that need it load it
    from botocore.config import Config

    config = config or Config(
        connect_timeout=BOTO3_TIMEOUT_SECONDS,
        read_timeout=BOTO3_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 4},
        tcp_keepalive=True,
        parameter_validation=False,
    )
    return reject_invalid_responses(boto3.client(service, config=config, **options))  # type: ignore[call-overload]


def reject_invalid_responses(client: _Client) -> _Client:
    """Make a boto3 client raise ResponseParserError for invalid successful responses.

    A response is invalid if its body is not a JSON object, or is empty instead of XML.
    """
    events = client.meta.events  # type: ignore[attr-defined]
    events.register("before-parse", _check_response, unique_id="waypost.strict")
    return client


def _check_response(operation_model: Any, response_dict: Any, **_: object) -> None:  # noqa: ANN401
    from botocore.parsers import ResponseParserError

    if response_dict["status_code"] >= 300 or operation_model.has_streaming_output:
        return
    protocol = operation_model.service_model.resolved_protocol
    if protocol == "rest-xml" and operation_model.output_shape and not response_dict["body"]:
        raise ResponseParserError(f"{operation_model.name}: empty response")
    if protocol not in ("json", "rest-json"):
        return
    try:
        body = json.loads(response_dict["body"])
    except ValueError as e:
        raise ResponseParserError(f"{operation_model.name}: response is not JSON") from e
    if not isinstance(body, dict):
        raise ResponseParserError(f"{operation_model.name}: response is not a JSON object")
