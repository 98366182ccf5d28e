"""The calls that the stores make, and how their failures become errors of ours.

Any object with these methods will do: boto3's client, or a leaner one where starting fast matters.
A failure that carries an answer of DynamoDB has it as ``response``, as botocore's have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from waypost.errors import StoreUnavailable, WriteConflict
from waypost.models.attributes import Item
from waypost.retry import Backoff

DynamoResponse = dict[str, Any]  # DynamoDB's own shapes

MAX_BATCH_KEYS: Final = 100
"""Keys that one BatchGetItem takes."""
_MAX_BATCH_ATTEMPTS: Final = 6
_BATCH_BACKOFF: Final = Backoff(0.04)
_CONFLICT_REASONS: Final = {"ConditionalCheckFailed", "TransactionConflict"}


class DynamoClient(Protocol):
    """DynamoDB's low-level calls, keyword by keyword as the service names them."""

    def put_item(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401
    def get_item(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401
    def update_item(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401
    def delete_item(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401
    def query(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401
    def scan(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401
    def batch_get_item(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401
    def transact_write_items(self, **request: Any) -> DynamoResponse: ...  # noqa: ANN401


@contextmanager
def translate_dynamo_errors() -> Iterator[None]:
    """Turn what a client raises into Conflict or StoreUnavailable; anything else passes."""
    try:
        yield
    except Exception as e:
        answer: object = getattr(e, "response", None)
        if isinstance(answer, Mapping):
            raise _convert_response_error(answer) from e
        if isinstance(e, OSError) or type(e).__module__.startswith("botocore"):
            raise StoreUnavailable(f"no answer: {type(e).__name__}") from e
        raise


def get_cancellation_reasons(conflict: BaseException) -> list[str]:
    """Why a transaction was cancelled, action by action (``None`` where it was not the cause)."""
    answer = getattr(conflict.__cause__, "response", {})
    return [str(reason.get("Code")) for reason in answer.get("CancellationReasons", [])]


def query_all(client: DynamoClient, table: str, **request: Any) -> Iterator[Item]:  # noqa: ANN401
    """All items of a query, however many answers they take."""
    return _read_all_pages(client.query, table, request)


def scan_all(client: DynamoClient, table: str, **request: Any) -> Iterator[Item]:  # noqa: ANN401
    """All items of a table that the request's filter lets through. Reads every item there is."""
    return _read_all_pages(client.scan, table, {"ConsistentRead": True, **request})


def _read_all_pages(
    call: Callable[..., DynamoResponse], table: str, request: DynamoResponse
) -> Iterator[Item]:
    while True:
        with translate_dynamo_errors():
            answer = call(TableName=table, **request)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        request = {**request, "ExclusiveStartKey": answer["LastEvaluatedKey"]}


def batch_get(
    client: DynamoClient,
    table: str,
    keys: Iterable[Item],
    *,
    consistent: bool = True,
    projection: str | None = None,
) -> Iterator[Item]:
    """The items of these keys that there are, or some attributes of them. What DynamoDB leaves
    over is asked for again.
    """
    some = {"ProjectionExpression": projection} if projection else {}
    waiting = list(keys)
    for attempt in range(_MAX_BATCH_ATTEMPTS):
        if attempt:
            _BATCH_BACKOFF.wait(attempt)
        left: list[Item] = []
        for start in range(0, len(waiting), MAX_BATCH_KEYS):
            asked = waiting[start : start + MAX_BATCH_KEYS]
            request = {"Keys": asked, "ConsistentRead": consistent, **some}
            with translate_dynamo_errors():
                answer = client.batch_get_item(RequestItems={table: request})
            yield from answer["Responses"].get(table, [])
            left += answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        if not left:
            return
        waiting = left
    raise StoreUnavailable(f"{len(waiting)} keys were left unread")


def _convert_response_error(response: Mapping[str, Any]) -> WriteConflict | StoreUnavailable:
    code = str(response.get("Error", {}).get("Code", "unknown"))
    reasons: Sequence[Mapping[str, Any]] = response.get("CancellationReasons", [])
    found = {str(reason.get("Code")) for reason in reasons} - {"None"}
    if code in {"ConditionalCheckFailedException", "TransactionConflictException"}:
        return WriteConflict(code)
    if code == "TransactionCanceledException" and found and found <= _CONFLICT_REASONS:
        return WriteConflict(", ".join(sorted(found)))
    return StoreUnavailable(f"{code} {', '.join(sorted(found))}".strip())
