"""Calls to DynamoDB, and the conversion of their failures to StoreErrors.

Any object with these methods serves as a client: boto3's, or ``waypost.aws.minimal_client`` where
cold starts matter. An exception with DynamoDB's response has it as ``response``, as botocore's do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from waypost.errors import StoreUnavailable, WriteConflict
from waypost.models.attributes import Item
from waypost.retry import Backoff

DynamoResponse = dict[str, Any]
"""Requests and responses in DynamoDB's own shapes."""

MAX_BATCH_KEYS: Final = 100
"""DynamoDB's limit for BatchGetItem."""
MAX_BATCH_PUTS: Final = 25
"""DynamoDB's limit for BatchWriteItem."""
_MAX_BATCH_ATTEMPTS: Final = 6
_BATCH_BACKOFF: Final = Backoff(0.04)
_CONFLICT_REASONS: Final = {"ConditionalCheckFailed", "TransactionConflict"}


class DynamoClient(Protocol):
    """DynamoDB's low-level operations, with the service's parameter names."""

    def put_item(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401
    def get_item(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401
    def update_item(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401
    def delete_item(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401
    def query(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401
    def scan(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401
    def batch_get_item(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401
    def batch_write_item(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401
    def transact_write_items(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401


@contextmanager
def translate_dynamo_errors() -> Iterator[None]:
    """Convert a client's exceptions to WriteConflict or StoreUnavailable; others pass."""
    try:
        yield
    except Exception as e:
        response: object = getattr(e, "response", None)
        if isinstance(response, Mapping):
            raise _convert_response_error(response) from e
        if isinstance(e, OSError) or type(e).__module__.startswith("botocore"):
            raise StoreUnavailable(f"DynamoDB: no response ({type(e).__name__})") from e
        raise


def get_cancellation_reasons(conflict: BaseException) -> list[str]:
    """Return a cancelled transaction's reasons by action, ``None`` for actions without one."""
    response = getattr(conflict.__cause__, "response", {})
    return [str(reason.get("Code")) for reason in response.get("CancellationReasons", [])]


def query_all(client: DynamoClient, table: str, **request: Any) -> Iterator[Item]:  # noqa: ANN401
    """Return all items of a query, page by page."""
    return _read_all_pages(client.query, table, request)


def scan_all(client: DynamoClient, table: str, **request: Any) -> Iterator[Item]:  # noqa: ANN401
    """Return all items of a table that match the request's filter. Reads every item."""
    return _read_all_pages(client.scan, table, {"ConsistentRead": True, **request})


def _read_all_pages(
    call: Callable[..., DynamoResponse], table: str, request: DynamoResponse
) -> Iterator[Item]:
    while True:
        with translate_dynamo_errors():
            response = call(TableName=table, **request)
        yield from response["Items"]
        if "LastEvaluatedKey" not in response:
            return
        request = {**request, "ExclusiveStartKey": response["LastEvaluatedKey"]}


def batch_get(
    client: DynamoClient,
    table: str,
    keys: Iterable[Item],
    *,
    consistent: bool = True,
    projection: str | None = None,
) -> Iterator[Item]:
    """Return the existing items of these keys, or the projected attributes. Keys that DynamoDB
    leaves unprocessed are requested again.
    """
    options = {"ProjectionExpression": projection} if projection else {}
    pending = list(keys)
    for attempt in range(_MAX_BATCH_ATTEMPTS):
        if attempt:
            _BATCH_BACKOFF.wait(attempt)
        unprocessed: list[Item] = []
        for start in range(0, len(pending), MAX_BATCH_KEYS):
            batch = pending[start : start + MAX_BATCH_KEYS]
            request = {"Keys": batch, "ConsistentRead": consistent, **options}
            with translate_dynamo_errors():
                response = client.batch_get_item(RequestItems={table: request})
            yield from response["Responses"].get(table, [])
            unprocessed += response.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        if not unprocessed:
            return
        pending = unprocessed
    raise StoreUnavailable(f"BatchGetItem: unprocessed keys ({len(pending)})")


def batch_put(client: DynamoClient, table: str, items: Sequence[Item]) -> None:
    """Put items with different keys, in any order, over existing ones. Items that DynamoDB leaves
    unprocessed are put again.
    """
    pending: list[DynamoResponse] = [{"PutRequest": {"Item": item}} for item in items]
    for attempt in range(_MAX_BATCH_ATTEMPTS):
        if attempt:
            _BATCH_BACKOFF.wait(attempt)
        unprocessed: list[DynamoResponse] = []
        for start in range(0, len(pending), MAX_BATCH_PUTS):
            batch = pending[start : start + MAX_BATCH_PUTS]
            with translate_dynamo_errors():
                response = client.batch_write_item(RequestItems={table: batch})
            unprocessed += response.get("UnprocessedItems", {}).get(table, [])
        if not unprocessed:
            return
        pending = unprocessed
    raise StoreUnavailable(f"BatchWriteItem: unprocessed items ({len(pending)})")


def _convert_response_error(response: Mapping[str, Any]) -> WriteConflict | StoreUnavailable:
    code = str(response.get("Error", {}).get("Code", "unknown"))
    reasons: Sequence[Mapping[str, Any]] = response.get("CancellationReasons", [])
    causes = {str(reason.get("Code")) for reason in reasons} - {"None"}
    if code in {"ConditionalCheckFailedException", "TransactionConflictException"}:
        return WriteConflict(code)
    if code == "TransactionCanceledException" and causes and causes <= _CONFLICT_REASONS:
        return WriteConflict(", ".join(sorted(causes)))
    return StoreUnavailable(f"{code} {', '.join(sorted(causes))}".strip())
