"""The table of docs/privacy.md has every place where the stack stores data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

import waypost.repositories
from local.template import Resource
from tests.dynamodb_tables import TEMPLATE_PATH, load_stack_template

STORES = {
    "AWS::DynamoDB::Table",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::Logs::LogGroup",
    "AWS::Events::EventBus",
}
PAGE = (TEMPLATE_PATH.parent / "docs/privacy.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("## Every place with personal data")[2].splitlines()
    if line.startswith("| ") and not line.startswith("| place ")
]
PLACES = " ".join(row[0] for row in ROWS)


def list_stores() -> dict[str, Resource]:
    resources = load_stack_template().resources
    return {name: each for name, each in resources.items() if each.type in STORES}


def list_item_prefixes() -> Iterator[tuple[str, str]]:
    """Yield the table and the prefix of each kind of item in the list of keys."""
    table = ""
    keys = (waypost.repositories.__doc__ or "").partition("table       pk")[2]
    for line in keys.partition("``workspace``,")[0].splitlines()[1:]:
        if not line.strip():
            continue
        table = line[4:16].strip() or table
        partition, sort_key = line[16:44].strip(), line[44:68].strip()
        mark = partition if partition[:2] in {"R#", "I#", "P#", "S#"} else sort_key
        if table == "short links":
            mark = partition
        yield table, mark[:1] if mark[:1] == "!" else re.match(r"\w#?!?|\W", mark)[0]  # type: ignore[index]


def test_every_store_of_the_template_has_a_row() -> None:
    assert len(list_stores()) > 15
    assert [name for name in list_stores() if f"`{name}`" not in PLACES] == []


@pytest.mark.parametrize(("table", "prefix"), sorted(set(list_item_prefixes())))
def test_every_kind_of_item_has_a_row(table: str, prefix: str) -> None:
    name = table.title().replace(" ", "") + "Table"
    own_rows = " ".join(row[0] for row in ROWS if f"`{name}`" in row[0])
    if table == "clicks" or prefix == "{":  # clicks, and the list of campaigns
        assert own_rows
    else:
        assert f"`{prefix}`" in own_rows


def test_every_row_says_how_long_and_what_an_erasure_does() -> None:
    assert all(len(row) == 4 and all(row) for row in ROWS)


def test_every_store_has_the_retention_of_its_row() -> None:
    for name, resource in list_stores().items():
        properties: Any = resource.properties
        (row,) = [row for row in ROWS if f"`{name}`" in row[0]][:1]
        if resource.type == "AWS::Logs::LogGroup":
            assert "RetentionInDays" in properties
            assert row[2] == "`LogRetentionDays`"
        if resource.type == "AWS::SQS::Queue":
            assert row[2] == f"{int(str(properties['MessageRetentionPeriod'])) // 86_400} days"
        if resource.type == "AWS::S3::Bucket":
            (rule,) = properties["LifecycleConfiguration"]["Rules"]
            assert row[2] == f"{rule['ExpirationInDays']} days"
        if resource.type == "AWS::DynamoDB::Table":
            assert properties["TimeToLiveSpecification"] == {
                "AttributeName": "expires",
                "Enabled": True,
            }
