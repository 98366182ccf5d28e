"""The calls that the stores make, and how their failures become errors of ours.

Any object with these methods will do: boto3's client, or a leaner one where starting fast matters.
A failure that carries an answer of DynamoDB has it as ``response``, as botocore's have.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from waypost.errors import Conflict, StoreUnavailable
from waypost.models.attributes import Item

Answer = dict[str, Any]  # DynamoDB's own shapes

BATCH: Final = 100
"""Keys that one BatchGetItem takes."""
_ROUNDS: Final = 6
_LOST: Final = {"ConditionalCheckFailed", "TransactionConflict"}


class DynamoClient(Protocol):
    """DynamoDB's low-level calls, keyword by keyword as the service names them."""

    def put_item(self, **request: Any) -> Answer: ...  # noqa: ANN401
    def get_item(self, **request: Any) -> Answer: ...  # noqa: ANN401
    def update_item(self, **request: Any) -> Answer: ...  # noqa: ANN401
    def delete_item(self, **request: Any) -> Answer: ...  # noqa: ANN401
    def query(self, **request: Any) -> Answer: ...  # noqa: ANN401
    def scan(self, **request: Any) -> Answer: ...  # noqa: ANN401
    def batch_get_item(self, **request: Any) -> Answer: ...  # noqa: ANN401
    def transact_write_items(self, **request: Any) -> Answer: ...  # noqa: ANN401


@contextmanager
def translated() -> Iterator[None]:
    """Turn what a client raises into Conflict or StoreUnavailable; anything else passes."""
    try:
        yield
    except Exception as e:
        answer: object = getattr(e, "response", None)
        if isinstance(answer, Mapping):
            raise _of_answer(answer) from e
        if isinstance(e, OSError) or type(e).__module__.startswith("botocore"):
            raise StoreUnavailable(f"no answer: {type(e).__name__}") from e
        raise


def cancellations(conflict: BaseException) -> list[str]:
    """Why a transaction was cancelled, action by action (``None`` where it was not the cause)."""
    answer = getattr(conflict.__cause__, "response", {})
    return [str(reason.get("Code")) for reason in answer.get("CancellationReasons", [])]


def pages(client: DynamoClient, table: str, **request: Any) -> Iterator[Item]:  # noqa: ANN401
    """All items of a query, however many answers they take."""
    return _all(client.query, table, request)


def scan(client: DynamoClient, table: str, **request: Any) -> Iterator[Item]:  # noqa: ANN401
    """All items of a table that the request's filter lets through. Reads every item there is."""
    return _all(client.scan, table, {"ConsistentRead": True, **request})


def _all(call: Callable[..., Answer], table: str, request: Answer) -> Iterator[Item]:
    while True:
        with translated():
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
    attributes: str | None = None,
) -> Iterator[Item]:
    """The items of these keys that there are, or some attributes of them. What DynamoDB leaves
    over is asked for again.
    """
    some = {"ProjectionExpression": attributes} if attributes else {}
    waiting = list(keys)
    for attempt in range(_ROUNDS):
        if attempt:
            time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - jitter
        left: list[Item] = []
        for start in range(0, len(waiting), BATCH):
            asked = waiting[start : start + BATCH]
            request = {"Keys": asked, "ConsistentRead": consistent, **some}
            with translated():
                answer = client.batch_get_item(RequestItems={table: request})
            yield from answer["Responses"].get(table, [])
            left += answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        if not left:
            return
        waiting = left
    raise StoreUnavailable(f"{len(waiting)} keys were left unread")


def _of_answer(answer: Mapping[str, Any]) -> Conflict | StoreUnavailable:
    code = str(answer.get("Error", {}).get("Code", "unknown"))
    reasons: Sequence[Mapping[str, Any]] = answer.get("CancellationReasons", [])
    found = {str(reason.get("Code")) for reason in reasons} - {"None"}
    if code in {"ConditionalCheckFailedException", "TransactionConflictException"}:
        return Conflict(code)
    if code == "TransactionCanceledException" and found and found <= _LOST:
        return Conflict(", ".join(sorted(found)))
    return StoreUnavailable(f"{code} {', '.join(sorted(found))}".strip())
