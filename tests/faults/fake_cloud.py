"""A fake AWS account in this process, built on moto, that injects faults into calls.

Functions reach it through boto3 with its retries, parsing and errors. Only the transport is
replaced, and waits between retries are skipped. It adds two features that moto lacks: transactions
recognised by their ClientRequestToken, and CloudFront's distribution tenants (``tenants``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.signers import RequestSigner
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from tests.dynamodb_tables import TABLE_SCHEMA_KEYS, accelerate_moto, load_stack_template
from tests.faults.call_faults import CORRUPT_BODIES, REFUSAL_FAULTS, build_refusal
from tests.faults.call_names import name_call
from tests.faults.fake_tenants import FakeTenants
from tests.faults.fault_injector import FaultInjector
from tests.in_process_moto import is_to_aws, respond_with_moto
from waypost.composition import Repositories, TableNames

REGION = "us-east-1"
SECRET = json.dumps({"seed": "of these tests, thirty-two or more"})
TABLE_LOGICAL_IDS = {
    "clicks": "ClicksTable",
    "campaigns": "CampaignsTable",
    "workspaces": "WorkspacesTable",
    "short-links": "ShortLinksTable",
}
ENVIRONMENT = {
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "CLICKS_TABLE": "clicks",
    "CAMPAIGNS_TABLE": "campaigns",
    "WORKSPACES_TABLE": "workspaces",
    "SHORT_LINKS_TABLE": "short-links",
    "KEYRING_SECRET": "keyring",
    "EVENT_BUS": "events",
    "DEFAULT_BASE_URL": "https://api.example.net",
    "FILES_BUCKET": "files",
    "DEFAULT_HOST": "e.waypost.example",
    "EDGE_ENDPOINT": "d111.cdn.example",
    "PAGES_URL": "https://pages.example.net",
    "RETENTION_DAYS": "400",
    "DISTRIBUTION": "E1MULTITENANT",
    "CONNECTION_GROUP": "cg_1",
    "TENANT_QUOTA": "100",
    "CERTIFICATE_QUOTA": "100",
}


class FakeCloud(FaultInjector):
    """A fake account. ``reset`` empties it; ``bypass_faults`` is for a test's own calls."""

    def __init__(self) -> None:
        super().__init__()
        self.tenants = FakeTenants()
        self.published_events: list[dict[str, Any]] = []
        self._transactions: dict[str, AWSResponse] = {}
        self._snapshots: dict[Callable[[], None], dict[str, Any]] = {}
        self._is_bypassed = False
        self.refused_events = 0
        """The number of events that the bus refuses next, one per call."""

    @contextmanager
    def reset(self) -> Iterator[FakeCloud]:
        """Empty the tables and remove all faults; faster than creating tables in moto again."""
        self.clear_faults()
        self.calls.clear()
        self.fault_counts.clear()
        self.tenants.by_host.clear()
        self.published_events.clear()
        self.refused_events = 0
        self._transactions.clear()
        for table in dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables.values():
            table.items.clear()
        yield self

    def load_snapshot(self, write_items: Callable[[], None]) -> None:
        """Fill the empty tables with the items that ``write_items`` writes.

        It is called once; later calls copy its items.
        """
        tables = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables
        if write_items not in self._snapshots:
            with self.bypass_faults():
                write_items()
            self._snapshots[write_items] = {
                name: deepcopy(table.items) for name, table in tables.items()
            }
            return
        for name, items in self._snapshots[write_items].items():
            tables[name].items = deepcopy(items)

    @contextmanager
    def bypass_faults(self) -> Iterator[None]:
        """Neither count nor fail the calls of the block: they are a test's own."""
        self._is_bypassed = True
        try:
            yield
        finally:
            self._is_bypassed = False

    def scan_items(self, table: str) -> list[dict[str, Any]]:
        """Return all items of a table, in DynamoDB's format."""
        with self.bypass_faults():
            items: list[dict[str, Any]] = get_client("dynamodb").scan(TableName=table)["Items"]
            return items

    def respond(self, event_name: str, request: AWSPreparedRequest) -> AWSResponse:
        """Return the response to a call, or raise the error of its fault."""
        _, service, operation = event_name.split(".")
        parameters = _parse_parameters(request)
        service = {"eventbridge": "events", "secrets-manager": "secretsmanager"}.get(
            service, service
        )
        if self._is_bypassed:
            return self._call_service(service, operation, parameters, request)
        fault = self.next_fault(name_call(service, operation, parameters, request.url))
        if fault == "timeout before":
            raise ReadTimeoutError(endpoint_url=request.url)
        if fault == "hung up":
            raise ConnectionClosedError(endpoint_url=request.url)
        if fault in REFUSAL_FAULTS:
            status, body = build_refusal(service, fault)
            return _build_response(request, status, {}, body)
        response = self._call_service(service, operation, parameters, request)
        return response if fault is None else _apply_fault(fault, response, request)

    def _call_service(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        request: AWSPreparedRequest,
    ) -> AWSResponse:
        earlier = self._transactions.get(parameters.get("ClientRequestToken", ""))
        if earlier is not None and operation == "TransactWriteItems":
            return _build_response(request, earlier.status_code, {}, b"{}")
        if service == "cloudfront":
            status, body = self.tenants.respond(operation, request)
            return _build_response(request, status, {"ETag": "tag-1"}, body)
        if operation == "GetEmailIdentity":  # only the workspace's domain is verified
            is_verified = request.url.endswith("/acme.com")
            return _build_response(
                request, *(_IDENTITY_VERIFIED if is_verified else _IDENTITY_NOT_FOUND)
            )
        if operation == "PutEvents":
            return _build_response(request, 200, {}, self._put_events(parameters["Entries"]))
        status, headers, text = respond_with_moto(request)
        body = text.encode() if isinstance(text, str) else text
        response = _build_response(request, status, headers, body)
        if operation == "TransactWriteItems" and status == 200:
            self._transactions[parameters["ClientRequestToken"]] = response
        return response

    def _put_events(self, entries: Sequence[dict[str, Any]]) -> bytes:
        failed_count = 1 if self.refused_events else 0
        self.refused_events -= failed_count
        self.published_events += entries[failed_count:]
        results = [{"ErrorCode": "ThrottlingException"}] * failed_count
        results += [{"EventId": str(len(self.published_events))}] * len(entries[failed_count:])
        return json.dumps({"FailedEntryCount": failed_count, "Entries": results}).encode()


_IDENTITY_VERIFIED: tuple[int, Mapping[str, str], bytes] = (
    200,
    {},
    b'{"VerifiedForSendingStatus": true}',
)
_IDENTITY_NOT_FOUND: tuple[int, Mapping[str, str], bytes] = (
    404,
    {},
    b'{"__type": "NotFoundException"}',
)
_CREATE_CLIENT = boto3.client
_CONFIGS: dict[str, Config | None] = {}


@contextmanager
def create_fake_cloud() -> Iterator[FakeCloud]:
    """Create a fake account for the tests of one file, and connect boto3 to it."""
    cloud = FakeCloud()
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setattr(
            BotocoreStubber,
            "__call__",
            lambda stubber, event_name, request, **_: (
                cloud.respond(event_name, request)
                if stubber.enabled and is_to_aws(request)
                else None
            ),
        )
        accelerate_moto(patch)
        _sign_s3_only(patch)
        patch.setattr("boto3.client", get_client)
        _disable_sleep(patch)
        with cloud.bypass_faults():
            _create_resources()
        yield cloud


def _sign_s3_only(patch: pytest.MonkeyPatch) -> None:
    """Sign only requests to S3, whose signature states the encoding of the body.

    moto checks no signatures, and signing takes a tenth of the time.
    """
    sign = RequestSigner.sign

    def sign_fast(signer: Any, operation: str, request: Any, *args: Any, **kwargs: Any) -> None:
        if signer.signing_name == "s3":
            sign(signer, operation, request, *args, **kwargs)
        else:
            request.headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=test/day/region"

    patch.setattr(RequestSigner, "sign", sign_fast)


def _disable_sleep(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    patch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda *_, **__: True)
    patch.setattr("botocore.retries.quota.RetryQuota.acquire", lambda *_, **__: True)
    patch.setattr("waypost.repositories.dynamodb.short_links.LINK_BACKOFF_SECONDS", 0)
    patch.setattr("waypost.tally.transactions.COMMIT_BACKOFF_SECONDS", 0)
    patch.setattr("waypost.privacy.erasure.ROW_BACKOFF_SECONDS", 0)


def get_client(service: str, config: Config | None = None, region_name: str = REGION) -> Any:
    """Return a client like ``boto3.client``, created once per configuration to save time."""
    settings = repr(vars(config)) if config else ""
    _CONFIGS.setdefault(settings, config)
    return _create_client_once(service, settings, region_name)


def get_repositories() -> Repositories:
    """Return the repositories on the tables of the fake account."""
    names = TableNames("clicks", "campaigns", "workspaces", "short-links")
    return Repositories(get_client("dynamodb"), names)


@cache
def _create_client_once(service: str, settings: str, region: str) -> Any:
    return _CREATE_CLIENT(service, config=_CONFIGS[settings], region_name=region)  # type: ignore[call-overload]


def _create_resources() -> None:
    for name, logical_id in TABLE_LOGICAL_IDS.items():
        get_client("dynamodb").create_table(TableName=name, **_table_schema(logical_id))
    get_client("secretsmanager").create_secret(Name="keyring", SecretString=SECRET)
    get_client("s3").create_bucket(Bucket="files")


def _table_schema(logical_id: str) -> dict[str, Any]:
    properties = load_stack_template().resources[logical_id].properties
    schema = {name: properties[name] for name in TABLE_SCHEMA_KEYS if name in properties}
    schema.pop("StreamSpecification", None)
    return schema


def _parse_parameters(request: AWSPreparedRequest) -> Mapping[str, Any]:
    try:
        value = json.loads(request.body or b"{}")  # type: ignore[arg-type] # bytes, or an S3 file
    except (ValueError, TypeError):
        return {}
    return value if isinstance(value, dict) else {}


def _build_response(
    request: AWSPreparedRequest, status: int, headers: Mapping[str, Any], body: bytes
) -> AWSResponse:
    return AWSResponse(request.url, status, HTTPHeaders.from_dict(headers), MockRawResponse(body))


def _apply_fault(fault: str, response: AWSResponse, request: AWSPreparedRequest) -> AWSResponse:
    """Return a successful response as a fault leaves it, or raise the fault's error."""
    if fault == "timeout after":
        raise ReadTimeoutError(endpoint_url=request.url)
    if fault == "cut":
        content = response.content
        if len(content) < 2:
            raise ConnectionClosedError(endpoint_url=request.url)
        length = {"content-length": str(len(content))}
        return _build_response(request, 200, length, content[: len(content) // 2])
    body = CORRUPT_BODIES[fault]
    return _build_response(request, 200, {"content-length": str(len(body))}, body)
