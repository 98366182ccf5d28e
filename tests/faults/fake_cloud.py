"""AWS as moto plays it, in this process, each call of which can be told to go wrong.

Functions reach it through boto3 with everything that boto3 does: retries, parsing, errors. Only
the sending is replaced, and nobody sleeps. What moto leaves out and a fault would show is added:
a transaction known again by its ClientRequestToken, and CloudFront's tenants (``tenants``).
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

from tests.contract.conftest import TABLE_SCHEMA_KEYS, accelerate_moto, load_stack_template
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
    """``fresh`` makes it anew, ``aside`` is for what tests themselves ask of it."""

    def __init__(self) -> None:
        super().__init__()
        self.tenants = FakeTenants()
        self.published_events: list[dict[str, Any]] = []
        self._transactions: dict[str, AWSResponse] = {}
        self._snapshots: dict[Callable[[], None], dict[str, Any]] = {}
        self._is_bypassed = False
        self.refused_events = 0
        """How many events the bus refuses next, one of each call."""

    @contextmanager
    def reset(self) -> Iterator[FakeCloud]:
        """Empty tables, and nothing broken. (Made anew by moto they would take longer than most
        of what is done with them.)
        """
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
        """Has the tables, which are empty, hold what ``make`` writes. It is called once; from then
        on there is a copy of it.
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
        """Calls made meanwhile are a test's own: neither noted nor broken."""
        self._is_bypassed = True
        try:
            yield
        finally:
            self._is_bypassed = False

    def scan_items(self, table: str) -> list[dict[str, Any]]:
        """All items of a table, in DynamoDB's form."""
        with self.bypass_faults():
            found: list[dict[str, Any]] = get_client("dynamodb").scan(TableName=table)["Items"]
            return found

    def respond(self, event_name: str, request: AWSPreparedRequest) -> AWSResponse:
        """What a call gets, in place of what the service would send."""
        _, service, operation = event_name.split(".")
        asked = _parse_parameters(request)
        service = {"eventbridge": "events", "secrets-manager": "secretsmanager"}.get(
            service, service
        )
        if self._is_bypassed:
            return self._call_service(service, operation, asked, request)
        way = self.next_fault(name_call(service, operation, asked, request.url))
        if way == "timeout before":
            raise ReadTimeoutError(endpoint_url=request.url)
        if way == "hung up":
            raise ConnectionClosedError(endpoint_url=request.url)
        if way in REFUSAL_FAULTS:
            status, body = build_refusal(service, way)
            return _build_response(request, status, {}, body)
        done = self._call_service(service, operation, asked, request)
        return done if way is None else _apply_fault(way, done, request)

    def _call_service(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        request: AWSPreparedRequest,
    ) -> AWSResponse:
        known = self._transactions.get(parameters.get("ClientRequestToken", ""))
        if known is not None and operation == "TransactWriteItems":
            return _build_response(request, known.status_code, {}, b"{}")
        if service == "cloudfront":
            status, body = self.tenants.respond(operation, request)
            return _build_response(request, status, {"ETag": "tag-1"}, body)
        if operation == "GetEmailIdentity":  # the workspace's own domain is verified, no other
            verified = request.url.endswith("/acme.com")
            return _build_response(
                request, *(_IDENTITY_VERIFIED if verified else _IDENTITY_NOT_FOUND)
            )
        if operation == "PutEvents":
            return _build_response(request, 200, {}, self._put_events(parameters["Entries"]))
        status, headers, text = respond_with_moto(request)
        body = text.encode() if isinstance(text, str) else text
        answer = _build_response(request, status, headers, body)
        if operation == "TransactWriteItems" and status == 200:
            self._transactions[parameters["ClientRequestToken"]] = answer
        return answer

    def _put_events(self, entries: Sequence[dict[str, Any]]) -> bytes:
        refused = 1 if self.refused_events else 0
        self.refused_events -= refused
        self.published_events += entries[refused:]
        answers = [{"ErrorCode": "ThrottlingException"}] * refused
        answers += [{"EventId": str(len(self.published_events))}] * len(entries[refused:])
        return json.dumps({"FailedEntryCount": refused, "Entries": answers}).encode()


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
    """One for a file of tests, and boto3 led to it."""
    made = FakeCloud()
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setattr(
            BotocoreStubber,
            "__call__",
            lambda stubber, event_name, request, **_: (
                made.respond(event_name, request)
                if stubber.enabled and is_to_aws(request)
                else None
            ),
        )
        accelerate_moto(patch)
        _sign_s3_only(patch)
        patch.setattr("boto3.client", get_client)
        _disable_sleep(patch)
        with made.bypass_faults():
            _create_resources()
        yield made


def _sign_s3_only(patch: pytest.MonkeyPatch) -> None:
    """Nobody checks signatures here, and making them takes a tenth of the time. (S3's tells how a
    body is laid out.)
    """
    sign = RequestSigner.sign

    def signed(signer: Any, operation: str, request: Any, *others: Any, **more: Any) -> None:
        if signer.signing_name == "s3":
            sign(signer, operation, request, *others, **more)
        else:
            request.headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=test/day/region"

    patch.setattr(RequestSigner, "sign", signed)


def _disable_sleep(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    patch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda *_, **__: True)
    patch.setattr("botocore.retries.quota.RetryQuota.acquire", lambda *_, **__: True)
    patch.setattr("waypost.repositories.dynamodb.short_links.LINK_BACKOFF_SECONDS", 0)
    patch.setattr("waypost.tally.transactions.COMMIT_BACKOFF_SECONDS", 0)
    patch.setattr("waypost.privacy.erasure.ROW_BACKOFF_SECONDS", 0)


def get_client(service: str, config: Config | None = None, region_name: str = REGION) -> Any:
    """``boto3.client``, making a client of the same settings once: it takes most of the time."""
    settings = repr(vars(config)) if config else ""
    _CONFIGS.setdefault(settings, config)
    return _create_client_once(service, settings, region_name)


def get_repositories() -> Repositories:
    """The repositories on the tables of the faked account."""
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
    """The answer to a call that was done, as it arrives or not."""
    if fault == "timeout after":
        raise ReadTimeoutError(endpoint_url=request.url)
    if fault == "cut":
        whole = response.content
        if len(whole) < 2:
            raise ConnectionClosedError(endpoint_url=request.url)
        length = {"content-length": str(len(whole))}
        return _build_response(request, 200, length, whole[: len(whole) // 2])
    body = CORRUPT_BODIES[fault]
    return _build_response(request, 200, {"content-length": str(len(body))}, body)
