"""Temporary DynamoDB tables of the template, in moto or at WAYPOST_DYNAMODB_ENDPOINT."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import astuple, dataclass
from functools import cache, partial
from pathlib import Path
from secrets import token_hex
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local import moto_speedups, moto_transactions
from local.template import Template, load_template
from tests.in_process_moto import is_to_aws, respond_with_moto
from waypost.composition import Repositories, TableNames
from waypost.repositories.dynamodb.client import DynamoClient

TEMPLATE_PATH = Path(__file__).parents[1] / "template.yaml"
TABLE_SCHEMA_KEYS = ("KeySchema", "AttributeDefinitions", "BillingMode", "StreamSpecification")


@dataclass(frozen=True)
class TemporaryTables:
    """A client, and the names of tables created from the template for the tests."""

    client: DynamoClient
    names: TableNames

    @property
    def clicks(self) -> str:
        return self.names.clicks

    @property
    def campaigns(self) -> str:
        return self.names.campaigns

    @property
    def workspaces(self) -> str:
        return self.names.workspaces

    @property
    def short_links(self) -> str:
        return self.names.short_links


@cache
def load_stack_template() -> Template:
    """Load template.yaml once."""
    return load_template(TEMPLATE_PATH)


def create_table(client: Any, logical_id: str) -> str:
    """Create a table of the template under a unique name; return the name."""
    properties = load_stack_template().resources[logical_id].properties
    schema = {name: properties[name] for name in TABLE_SCHEMA_KEYS if name in properties}
    if stream := schema.get("StreamSpecification"):
        schema["StreamSpecification"] = {**stream, "StreamEnabled": True}  # type: ignore[dict-item]
    name = f"{logical_id}-{token_hex(4)}"
    client.create_table(TableName=name, **schema)
    client.get_waiter("table_exists").wait(TableName=name)
    return name


def accelerate_moto(patch: pytest.MonkeyPatch) -> None:
    """Apply the speedups of the embedded stack, until the patch is undone.

    Calls also skip moto's URL lookup, and clients use a constant user agent, which must name boto.
    """
    set_attribute = partial(patch.setattr, raising=False)
    moto_transactions.install_rollback(set_attribute)
    moto_speedups.install_speedups(set_attribute)
    set_attribute(
        "moto.core.botocore_stubber.BotocoreStubber.process_request",
        lambda _, request: respond_with_moto(request) if is_to_aws(request) else None,
    )
    set_attribute("botocore.useragent.UserAgentString.to_string", lambda _: "Boto3 Botocore")


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    endpoint = os.environ.get("WAYPOST_DYNAMODB_ENDPOINT")
    with pytest.MonkeyPatch.context() as patch, nullcontext() if endpoint else mock_aws():
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(variable, os.environ.get(variable, "test"))
        if not endpoint:
            accelerate_moto(patch)
        yield _create_dynamodb_client(endpoint)


@cache
def _create_dynamodb_client(endpoint: str | None) -> Any:
    """Create one client for all modules: creating one takes longer than most tests."""
    return boto3.client("dynamodb", region_name="eu-central-1", endpoint_url=endpoint)


@contextmanager
def temporary_table(client: Any, logical_id: str) -> Iterator[str]:
    """Create a table of the template under a unique name and delete it afterwards."""
    name = create_table(client, logical_id)
    try:
        yield name
    finally:
        client.delete_table(TableName=name)


@pytest.fixture(scope="module")
def module_tables(dynamodb: Any) -> Iterator[TemporaryTables]:
    with ExitStack() as stack:
        names = [
            stack.enter_context(temporary_table(dynamodb, f"{name}Table"))
            for name in ("Clicks", "Campaigns", "Workspaces", "ShortLinks")
        ]
        yield TemporaryTables(dynamodb, TableNames(*names))


@pytest.fixture
def tables(module_tables: TemporaryTables, dynamodb: Any) -> TemporaryTables:
    """Delete the items of earlier tests, which is faster than creating tables."""
    scan = dynamodb.get_paginator("scan")
    for name in astuple(module_tables.names):
        keys = scan.paginate(TableName=name, ProjectionExpression="pk, sk", ConsistentRead=True)
        for key in [key for page in keys for key in page["Items"]]:
            dynamodb.delete_item(TableName=name, Key=key)
    return module_tables


@pytest.fixture
def dynamodb_stores(tables: TemporaryTables) -> Repositories:
    return Repositories(tables.client, tables.names)
