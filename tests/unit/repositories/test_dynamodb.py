"""Responses of DynamoDB that moto never gives: conflicts, throttles, unprocessed keys."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from tests.click_factory import CAMPAIGN, make_click
from waypost.bot_detection.scoring import classify_click
from waypost.errors import StoreUnavailable, WriteConflict
from waypost.models import attributes
from waypost.models.campaign import campaign_partition
from waypost.models.recipient import RecipientKey, RecipientRow
from waypost.repositories.dynamodb.campaigns import DynamoCampaignRepository
from waypost.repositories.dynamodb.clicks import DynamoClickRepository
from waypost.repositories.dynamodb.client import batch_get, translate_dynamo_errors
from waypost.repositories.dynamodb.recipients import DynamoRecipientRepository
from waypost.repositories.recipients import Commit
from waypost.retry import Backoff
from waypost.tally.aggregation import apply_clicks


def build_client_error(error_code: str, *reasons: str) -> ClientError:
    response: Any = {
        "Error": {"Code": error_code},
        "CancellationReasons": [{"Code": r} for r in reasons],
    }
    return ClientError(response, "TransactWriteItems")


CANCELLED = "TransactionCanceledException"


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (build_client_error("ConditionalCheckFailedException"), WriteConflict),
        (build_client_error("TransactionConflictException"), WriteConflict),
        (build_client_error(CANCELLED, "None", "ConditionalCheckFailed"), WriteConflict),
        (build_client_error(CANCELLED, "TransactionConflict", "None"), WriteConflict),
        (build_client_error(CANCELLED, "TransactionConflict", "ThrottlingError"), StoreUnavailable),
        (build_client_error(CANCELLED, "ProvisionedThroughputExceeded"), StoreUnavailable),
        (build_client_error(CANCELLED), StoreUnavailable),
        (build_client_error("ThrottlingException"), StoreUnavailable),
        (build_client_error("InternalServerError"), StoreUnavailable),
        (build_client_error("ResourceNotFoundException"), StoreUnavailable),
        (ConnectTimeoutError(endpoint_url="https://dynamodb"), StoreUnavailable),
        (ReadTimeoutError(endpoint_url="https://dynamodb"), StoreUnavailable),
        (ConnectionResetError(), StoreUnavailable),
    ],
)
def test_client_failures_become_store_errors(error: Exception, becomes: type[Exception]) -> None:
    with pytest.raises(becomes) as caught, translate_dynamo_errors():
        raise error
    assert caught.value.__cause__ is error


def test_other_exceptions_are_not_converted() -> None:
    with pytest.raises(KeyError), translate_dynamo_errors():
        raise KeyError("a fault of ours")


class ScriptedDynamoClient:
    """A client that returns scripted answers and records its calls."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            self.calls.append((name, request))
            given = self.answers[name].pop(0) if self.answers.get(name) else {}
            if isinstance(given, Exception):
                raise given
            return given

        return call

    def get_requests(self, name: str) -> list[dict[str, Any]]:
        return [request for asked, request in self.calls if asked == name]


def build_commit() -> Commit:
    change = apply_clicks(
        RecipientRow(RecipientKey(CAMPAIGN, "p:p1")), {}, [classify_click(make_click())]
    )
    assert change is not None
    return Commit(CAMPAIGN, [change.row], change.overflow_items, change.increments)


def counter_partitions(client: ScriptedDynamoClient) -> list[set[str]]:
    """By transaction, the partitions that its counters lie in."""
    return [
        {
            attributes.get_text(action["Update"]["Key"], "pk")
            for action in request["TransactItems"]
            if "Update" in action
        }
        for request in client.get_requests("transact_write_items")
    ]


def test_writer_switches_shards_after_a_counter_conflict() -> None:
    met = build_client_error(CANCELLED, "None", "TransactionConflict", "None", "None")
    client = ScriptedDynamoClient(transact_write_items=[met])
    recipients = DynamoRecipientRepository(client, "campaigns")
    with pytest.raises(WriteConflict):
        recipients.commit(build_commit())
    recipients.commit(build_commit())
    first, second = counter_partitions(client)
    assert first == {campaign_partition(CAMPAIGN)}
    assert len(second) == 1
    assert second.isdisjoint(first)
    assert second.pop() in {campaign_partition(CAMPAIGN, shard) for shard in range(1, 16)}


def test_campaign_is_marked_before_a_shard_is_used() -> None:
    met = build_client_error(CANCELLED, "None", "TransactionConflict", "None", "None")
    client = ScriptedDynamoClient(transact_write_items=[met])
    recipients = DynamoRecipientRepository(client, "campaigns")
    with pytest.raises(WriteConflict):
        recipients.commit(build_commit())
    [mark] = client.get_requests("update_item")
    assert attributes.get_text(mark["Key"], "pk") == campaign_partition(CAMPAIGN)
    assert mark["UpdateExpression"] == "SET spread = :true"


@pytest.mark.parametrize(
    "met",
    [
        build_client_error(CANCELLED, "TransactionConflict", "None", "None", "None"),  # on the row
        build_client_error(CANCELLED, "ConditionalCheckFailed", "None", "None", "None"),
    ],
)
def test_writer_stays_after_a_row_conflict(met: ClientError) -> None:
    client = ScriptedDynamoClient(transact_write_items=[met])
    recipients = DynamoRecipientRepository(client, "campaigns")
    with pytest.raises(WriteConflict):
        recipients.commit(build_commit())
    assert client.get_requests("update_item") == []


def test_delivery_counter_switches_shards_and_counts() -> None:
    met = build_client_error(CANCELLED, "None", "TransactionConflict")
    client = ScriptedDynamoClient(transact_write_items=[met])
    assert DynamoCampaignRepository(client, "campaigns").add_deliveries(CAMPAIGN, 100, "key")
    first, second = counter_partitions(client)
    assert first.isdisjoint(second)


def test_signed_links_are_summed_over_all_shards() -> None:
    def stored(shard: int) -> dict[str, Any]:
        partition = campaign_partition(CAMPAIGN, shard)
        counter = attributes.build_item(
            {"pk": partition, "sk": "N#sent", "sent": 1, "signed#0a": 10 + shard}
        )
        return {"Items": [counter], "LastEvaluatedKey": {"pk": {"S": partition}}}

    last: dict[str, Any] = {"Items": []}
    campaigns = DynamoCampaignRepository(
        ScriptedDynamoClient(scan=[stored(0), stored(3), last]), "campaigns"
    )
    assert campaigns.count_links_by_key("0a") == {CAMPAIGN: 23}


def test_signed_links_and_deliveries_are_one_write() -> None:
    client = ScriptedDynamoClient()
    DynamoCampaignRepository(client, "campaigns").add_deliveries(CAMPAIGN, 100, None, {"0a": 300})
    (update,) = client.get_requests("update_item")
    assert sorted(update["ExpressionAttributeNames"].values()) == ["sent", "signed#0a"]


def test_used_idempotency_key_is_known_despite_other_conflicts() -> None:
    met = build_client_error(CANCELLED, "ConditionalCheckFailed", "TransactionConflict")
    client = ScriptedDynamoClient(transact_write_items=[met])
    assert not DynamoCampaignRepository(client, "campaigns").add_deliveries(CAMPAIGN, 100, "key")


def test_counters_of_a_sharded_campaign_are_summed() -> None:
    def counter(value: int) -> dict[str, Any]:
        stored = attributes.build_item({"pk": "x", "sk": "N#total", "human": value})
        return {"Items": [stored]}

    marked = {"Item": attributes.build_item({"pk": "x", "sk": "C", "spread": True})}
    client = ScriptedDynamoClient(get_item=[marked], query=[counter(n) for n in range(16)])
    counts = DynamoCampaignRepository(client, "campaigns").get_counts(CAMPAIGN)
    assert counts.total.human == sum(range(16))
    partitions = {r["ExpressionAttributeValues"][":pk"]["S"] for r in client.get_requests("query")}
    assert partitions == {campaign_partition(CAMPAIGN, shard) for shard in range(16)}


def test_figures_of_an_ordinary_campaign_are_one_query() -> None:
    client = ScriptedDynamoClient(get_item=[{"Item": {}}], query=[{"Items": []}])
    DynamoCampaignRepository(client, "campaigns").get_counts(CAMPAIGN)
    assert len(client.get_requests("query")) == 1


def build_keys(number: int) -> list[dict[str, Any]]:
    return [{"pk": {"S": str(n)}, "sk": {"S": "x"}} for n in range(number)]


def test_unprocessed_keys_are_requested_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waypost.repositories.dynamodb.client._BATCH_BACKOFF", Backoff(0))
    [one, two] = build_keys(2)
    left = {"Responses": {"t": [one]}, "UnprocessedKeys": {"t": {"Keys": [two]}}}
    client = ScriptedDynamoClient(batch_get_item=[left, {"Responses": {"t": [two]}}])
    assert list(batch_get(client, "t", [one, two])) == [one, two]
    assert client.get_requests("batch_get_item")[1]["RequestItems"]["t"]["Keys"] == [two]


def test_keys_that_stay_unprocessed_raise_store_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("waypost.repositories.dynamodb.client._BATCH_BACKOFF", Backoff(0))
    left = {"Responses": {}, "UnprocessedKeys": {"t": {"Keys": build_keys(1)}}}
    with pytest.raises(StoreUnavailable):
        list(batch_get(ScriptedDynamoClient(batch_get_item=[left] * 50), "t", build_keys(1)))


def test_no_request_exceeds_the_key_limit() -> None:
    client = ScriptedDynamoClient(batch_get_item=[{"Responses": {}}] * 3)
    list(batch_get(client, "t", build_keys(250)))
    asked = [len(r["RequestItems"]["t"]["Keys"]) for r in client.get_requests("batch_get_item")]
    assert asked == [100, 100, 50]


def test_no_keys_need_no_request() -> None:
    client = ScriptedDynamoClient()
    assert list(batch_get(client, "t", [])) == []
    assert client.calls == []


def test_click_is_one_conditional_write() -> None:
    client = ScriptedDynamoClient(put_item=[{}])
    assert DynamoClickRepository(client, "clicks").record(make_click())
    [(name, request)] = client.calls
    assert name == "put_item"
    assert request["ConditionExpression"] == "attribute_not_exists(pk)"


def test_figures_of_one_counter_are_one_update() -> None:
    client = ScriptedDynamoClient()
    DynamoRecipientRepository(client, "campaigns").commit(build_commit())
    [request] = client.get_requests("transact_write_items")
    kinds = Counter(next(iter(action)) for action in request["TransactItems"])
    assert kinds == {"Put": 1, "Update": 3}
