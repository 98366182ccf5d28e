"""Copy items into a table of a stack from a restored table, or from another stack's table.

    make fill-table ENV=us TABLE=ShortLinksTable FROM=restored       copy the missing items
    make fill-table … REPLACE=yes                                    and replace those that differ
    make fill-table ENV=eu TABLE=… FROM=… FROM_REGION=us-east-1 FROM_PROFILE=old   from elsewhere

TABLE is a logical id in template.yaml, FROM the name of a table. BASE=http://127.0.0.1:8080 uses an
embedded stack (make serve) instead. The command can be repeated. Without REPLACE, it overwrites no
item, except the claim of a workspace's name by the item with the settings that it saved. The tally
counts the clicks that it copies, unless they are counted already.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, Final, TypeAlias

import boto3

from tools import cli
from tools.cli import EXIT_DONE, parse_required
from tools.stack import DeployedStack, EmbeddedStackClient, find_stack
from waypost.repositories.workspaces import UNSAVED_SETTINGS

THREADS: Final = 16
CHUNK_SIZE: Final = 1_000
"""Items in memory at once."""
TABLES: Final = ("CampaignsTable", "WorkspacesTable", "ShortLinksTable", "ClicksTable")
Item: TypeAlias = Mapping[str, Any]


def main(arguments: list[str] | None = None) -> int:
    """Fill one table, and print the number of items read and written."""
    options = _parse_options(arguments)
    stack = find_stack(options.env, options.base)
    source, target = _open_source(stack, options), stack.client("dynamodb")
    put = _build_put(target, stack.get_resource_id(options.table), replace=options.replace)
    read = written = 0
    items = _scan_items(source, options.source)
    with ThreadPoolExecutor(THREADS) as threads:
        while chunk := list(islice(items, CHUNK_SIZE)):
            read, written = read + len(chunk), written + sum(threads.map(put, chunk))
    print(f"{read:,} items read, {written:,} written")
    return EXIT_DONE


def _open_source(stack: DeployedStack | EmbeddedStackClient, options: argparse.Namespace) -> Any:  # noqa: ANN401
    if not (options.from_region or options.from_profile):
        return stack.client("dynamodb")
    session = boto3.Session(profile_name=options.from_profile or None)
    return session.client("dynamodb", region_name=options.from_region or stack.region)


def _scan_items(client: Any, table: str) -> Iterator[Item]:  # noqa: ANN401
    for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]


def _build_put(client: Any, table: str, *, replace: bool) -> Callable[[Item], bool]:  # noqa: ANN401
    """Build a function that puts one item, and returns False if the item exists."""

    def put(item: Item) -> bool:
        condition = {} if replace else _build_condition(item)
        try:
            client.put_item(TableName=table, Item=item, **condition)
        except client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    return put


def _build_condition(item: Item) -> dict[str, Any]:
    """Build the condition that an item is missing, or is settings that were never saved.

    The first message after a loss claims the name of its workspace and saves no settings.
    """
    unsaved = {"S": UNSAVED_SETTINGS}
    if item.get("settings", unsaved) == unsaved or "name" not in item:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "attribute_not_exists(pk)"
        " OR (settings = :unsaved AND #name = :name AND attribute_not_exists(version))",
        "ExpressionAttributeNames": {"#name": "name"},
        "ExpressionAttributeValues": {":unsaved": unsaved, ":name": item["name"]},
    }


def _parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = cli.build_parser("tables", __doc__)
    parser.add_argument(
        "--table", type=parse_required, choices=TABLES, required=True, help="the table to fill"
    )
    parser.add_argument(
        "--from", dest="source", type=parse_required, required=True, help="a table's name"
    )
    parser.add_argument("--from-region", default="", help="its region; the stack's by default")
    parser.add_argument("--from-profile", default="", help="its account: a profile of the AWS CLI")
    parser.add_argument("--replace", action="store_true", help="replace items that differ, too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    cli.run_command(main)
