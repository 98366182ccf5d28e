"""Clients of AWS, made when they are first needed: endpoint and credentials from the environment,
timeouts from what the caller can wait for. Where a recipient waits, the client is a lean one.

Whatever the client, an answer that is none is a failure. What stands between us and a service may
answer in its place, and to botocore a page or half an answer is a success without anything in it:
no such item, say, where there is one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeVar

from waypost.aws import MinimalClient

if TYPE_CHECKING:
    from botocore.config import Config

REDIRECT_TIMEOUT_SECONDS: Final = 0.13
"""What the redirect waits for one answer: two fit its budget of 300 ms."""
KEYRING_TIMEOUT_SECONDS: Final = 1.0
"""What a redirect waits for the keyring: without it nobody arrives, and it is read rarely."""
BOTO3_TIMEOUT_SECONDS: Final = 5.0

_Client = TypeVar("_Client")


def create_redirect_client(service: str) -> MinimalClient:
    """A client for the redirect's path: gives up early, never retries by itself."""
    return MinimalClient(service, timeout=REDIRECT_TIMEOUT_SECONDS, attempts=1)


def create_keyring_client() -> MinimalClient:
    """A client of Secrets Manager for the redirect's path."""
    return MinimalClient("secretsmanager", timeout=KEYRING_TIMEOUT_SECONDS, attempts=2)


def create_boto3_client(service: str, config: Config | None = None, **options: str) -> Any:  # noqa: ANN401 - clients have no common type
    """Create a client that rejects invalid responses; by default, it makes up to four attempts."""
    import boto3  # a fifth of a second that nobody pays who does not come here
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
    """The same client of boto3, which raises ResponseParserError where a service says that it did
    what was asked, and in place of an object of JSON, or of XML, there is something else. A client
    that is strict already stays as it is.
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
        raise ResponseParserError(f"{operation_model.name}: the answer is empty")
    if protocol not in ("json", "rest-json"):
        return
    try:
        answer = json.loads(response_dict["body"])
    except ValueError as e:
        raise ResponseParserError(f"{operation_model.name}: the answer is not JSON") from e
    if not isinstance(answer, dict):
        raise ResponseParserError(f"{operation_model.name}: the answer is not an object")
