"""What DynamoDB may answer and moto never does: conflicts of transactions, throttles, leftovers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from tests.clicks import CAMPAIGN, click
from waypost.bot_detection.scoring import mark_of
from waypost.errors import Conflict, StoreUnavailable
from waypost.models import attributes
from waypost.models.campaign import campaign_partition
from waypost.models.recipient import Row, RowKey
from waypost.repositories.dynamodb.campaigns import DynamoCampaigns
from waypost.repositories.dynamodb.clicks import DynamoClicks
from waypost.repositories.dynamodb.client import batch_get, translated
from waypost.repositories.dynamodb.recipients import DynamoRecipients
from waypost.repositories.recipients import Commit
from waypost.tally.aggregation import absorb


def answer(code: str, *reasons: str) -> ClientError:
    response: Any = {"Error": {"Code": code}, "CancellationReasons": [{"Code": r} for r in reasons]}
    return ClientError(response, "TransactWriteItems")


CANCELLED = "TransactionCanceledException"


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (answer("ConditionalCheckFailedException"), Conflict),
        (answer("TransactionConflictException"), Conflict),
        (answer(CANCELLED, "None", "ConditionalCheckFailed"), Conflict),
        (answer(CANCELLED, "TransactionConflict", "None"), Conflict),
        (answer(CANCELLED, "TransactionConflict", "ThrottlingError"), StoreUnavailable),
        (answer(CANCELLED, "ProvisionedThroughputExceeded"), StoreUnavailable),
        (answer(CANCELLED), StoreUnavailable),
        (answer("ThrottlingException"), StoreUnavailable),
        (answer("InternalServerError"), StoreUnavailable),
        (answer("ResourceNotFoundException"), StoreUnavailable),
        (ConnectTimeoutError(endpoint_url="https://dynamodb"), StoreUnavailable),
        (ReadTimeoutError(endpoint_url="https://dynamodb"), StoreUnavailable),
        (ConnectionResetError(), StoreUnavailable),
    ],
)
def test_failures_become_errors_of_ours(error: Exception, becomes: type[Exception]) -> None:
    with pytest.raises(becomes) as caught, translated():
        raise error
    assert caught.value.__cause__ is error


def test_a_fault_of_ours_is_not_taken_for_one_of_the_stores() -> None:
    with pytest.raises(KeyError), translated():
        raise KeyError("a fault of ours")


class Client:
    """A client that answers as told, and remembers what it was asked."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            self.asked.append((name, request))
            given = self.answers[name].pop(0) if self.answers.get(name) else {}
            if isinstance(given, Exception):
                raise given
            return given

        return call

    def requests(self, name: str) -> list[dict[str, Any]]:
        return [request for asked, request in self.asked if asked == name]


def a_commit() -> Commit:
    change = absorb(Row(RowKey(CAMPAIGN, "p:p1")), {}, [mark_of(click())])
    assert change is not None
    return Commit(CAMPAIGN, [change.row], change.sheets, change.increments)


def counters_written(client: Client) -> list[set[str]]:
    """By transaction, the partitions that its counters lie in."""
    return [
        {
            attributes.text(action["Update"]["Key"], "pk")
            for action in request["TransactItems"]
            if "Update" in action
        }
        for request in client.requests("transact_write_items")
    ]


def test_who_meets_another_writer_on_a_counter_moves_to_a_partition_of_its_own() -> None:
    met = answer(CANCELLED, "None", "TransactionConflict", "None", "None")
    client = Client(transact_write_items=[met])
    recipients = DynamoRecipients(client, "campaigns")
    with pytest.raises(Conflict):
        recipients.commit(a_commit())
    recipients.commit(a_commit())
    first, second = counters_written(client)
    assert first == {campaign_partition(CAMPAIGN)}
    assert len(second) == 1
    assert second.isdisjoint(first)
    assert second.pop() in {campaign_partition(CAMPAIGN, shard) for shard in range(1, 16)}


def test_a_campaign_is_marked_before_anything_is_counted_elsewhere() -> None:
    met = answer(CANCELLED, "None", "TransactionConflict", "None", "None")
    client = Client(transact_write_items=[met])
    recipients = DynamoRecipients(client, "campaigns")
    with pytest.raises(Conflict):
        recipients.commit(a_commit())
    [mark] = client.requests("update_item")
    assert attributes.text(mark["Key"], "pk") == campaign_partition(CAMPAIGN)
    assert mark["UpdateExpression"] == "SET spread = :true"


@pytest.mark.parametrize(
    "met",
    [
        answer(CANCELLED, "TransactionConflict", "None", "None", "None"),  # on the row
        answer(CANCELLED, "ConditionalCheckFailed", "None", "None", "None"),
    ],
)
def test_who_meets_another_writer_on_a_row_stays(met: ClientError) -> None:
    client = Client(transact_write_items=[met])
    recipients = DynamoRecipients(client, "campaigns")
    with pytest.raises(Conflict):
        recipients.commit(a_commit())
    assert client.requests("update_item") == []


def test_sending_moves_as_well_and_counts_after_all() -> None:
    met = answer(CANCELLED, "None", "TransactionConflict")
    client = Client(transact_write_items=[met])
    assert DynamoCampaigns(client, "campaigns").add_sent(CAMPAIGN, 100, "key")
    first, second = counters_written(client)
    assert first.isdisjoint(second)


def test_links_signed_are_found_in_every_partition_of_a_campaign() -> None:
    def stored(shard: int) -> dict[str, Any]:
        partition = campaign_partition(CAMPAIGN, shard)
        counter = attributes.item(
            {"pk": partition, "sk": "N#sent", "sent": 1, "signed#0a": 10 + shard}
        )
        return {"Items": [counter], "LastEvaluatedKey": {"pk": {"S": partition}}}

    last: dict[str, Any] = {"Items": []}
    campaigns = DynamoCampaigns(Client(scan=[stored(0), stored(3), last]), "campaigns")
    assert campaigns.signed("0a") == {CAMPAIGN: 23}


def test_what_links_were_signed_takes_no_write_of_its_own() -> None:
    client = Client()
    DynamoCampaigns(client, "campaigns").add_sent(CAMPAIGN, 100, None, {"0a": 300})
    (update,) = client.requests("update_item")
    assert sorted(update["ExpressionAttributeNames"].values()) == ["sent", "signed#0a"]


def test_a_key_given_before_is_known_whatever_else_conflicts() -> None:
    met = answer(CANCELLED, "ConditionalCheckFailed", "TransactionConflict")
    client = Client(transact_write_items=[met])
    assert not DynamoCampaigns(client, "campaigns").add_sent(CAMPAIGN, 100, "key")


def test_a_spread_campaigns_counters_are_summed() -> None:
    def counter(value: int) -> dict[str, Any]:
        stored = attributes.item({"pk": "x", "sk": "N#total", "human": value})
        return {"Items": [stored]}

    marked = {"Item": attributes.item({"pk": "x", "sk": "C", "spread": True})}
    client = Client(get_item=[marked], query=[counter(n) for n in range(16)])
    counts = DynamoCampaigns(client, "campaigns").counts(CAMPAIGN)
    assert counts.total.human == sum(range(16))
    partitions = {r["ExpressionAttributeValues"][":pk"]["S"] for r in client.requests("query")}
    assert partitions == {campaign_partition(CAMPAIGN, shard) for shard in range(16)}


def test_an_ordinary_campaigns_figures_are_one_query() -> None:
    client = Client(get_item=[{"Item": {}}], query=[{"Items": []}])
    DynamoCampaigns(client, "campaigns").counts(CAMPAIGN)
    assert len(client.requests("query")) == 1


def keys(number: int) -> list[dict[str, Any]]:
    return [{"pk": {"S": str(n)}, "sk": {"S": "x"}} for n in range(number)]


def test_keys_that_were_left_over_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    [one, two] = keys(2)
    left = {"Responses": {"t": [one]}, "UnprocessedKeys": {"t": {"Keys": [two]}}}
    client = Client(batch_get_item=[left, {"Responses": {"t": [two]}}])
    assert list(batch_get(client, "t", [one, two])) == [one, two]
    assert client.requests("batch_get_item")[1]["RequestItems"]["t"]["Keys"] == [two]


def test_keys_that_stay_left_over_are_a_store_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    left = {"Responses": {}, "UnprocessedKeys": {"t": {"Keys": keys(1)}}}
    with pytest.raises(StoreUnavailable):
        list(batch_get(Client(batch_get_item=[left] * 50), "t", keys(1)))


def test_no_call_asks_for_more_keys_than_dynamodb_takes() -> None:
    client = Client(batch_get_item=[{"Responses": {}}] * 3)
    list(batch_get(client, "t", keys(250)))
    asked = [len(r["RequestItems"]["t"]["Keys"]) for r in client.requests("batch_get_item")]
    assert asked == [100, 100, 50]


def test_nothing_is_asked_where_nothing_is_wanted() -> None:
    client = Client()
    assert list(batch_get(client, "t", [])) == []
    assert client.asked == []


def test_a_click_is_one_write_on_condition_that_it_is_new() -> None:
    client = Client(put_item=[{}])
    assert DynamoClicks(client, "clicks").record(click())
    [(name, request)] = client.asked
    assert name == "put_item"
    assert request["ConditionExpression"] == "attribute_not_exists(pk)"


def test_figures_of_one_counter_are_one_action() -> None:
    client = Client()
    DynamoRecipients(client, "campaigns").commit(a_commit())
    [request] = client.requests("transact_write_items")
    kinds = Counter(next(iter(action)) for action in request["TransactItems"])
    assert kinds == {"Put": 1, "Update": 3}
