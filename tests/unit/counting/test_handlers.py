"""The handlers of the tally and the drain: records in, what has to come again out."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest

from tests import handlers
from tests.clicks import CAMPAIGN, click
from tests.contract.conftest import Stores, memory_stores
from tests.tallies import tally_over
from waypost.clicks.fallback_queue import parked
from waypost.errors import StoreUnavailable
from waypost.models.click import Click


@pytest.fixture
def stores() -> Stores:
    return memory_stores()


@pytest.fixture
def tally(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = handlers.load("tally")
    counting = tally_over(stores)
    monkeypatch.setattr(module, "_tally", lambda: counting)
    return module


@pytest.fixture
def drain(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = handlers.load("drain")
    monkeypatch.setattr(module, "_ledger", lambda: stores.clicks)
    return module


def record(number: str, image: Any, name: str = "INSERT") -> dict[str, Any]:
    return {"eventName": name, "dynamodb": {"SequenceNumber": number, "NewImage": image}}


def test_new_clicks_are_counted(tally: ModuleType, stores: Stores) -> None:
    records = [record("1", click("a").to_item()), record("2", click("b", person="p2").to_item())]
    assert tally.handler({"Records": records}, None) == {"batchItemFailures": []}
    assert stores.campaigns.counts(CAMPAIGN).total.human == 2


@pytest.mark.parametrize(
    "image",
    [
        {},
        {"pk": {"S": "x"}},
        click().to_item() | {"time": {"S": "yesterday"}},
        click().to_item() | {"link": {"S": "no code"}},
        click().to_item() | {"sent": {"N": "soon"}},
        click().to_item() | {"position": {"WHAT": "1"}},
        {"id": {"S": "a"}, "time": "not typed"},
        click().to_item() | {"position": {"BOOL": True}},
        click().to_item() | {"signals": {"N": "65536"}},
        click().to_item() | {"signals": {"N": "-1"}},
        click().to_item() | {"alias": {"S": "nobody"}},  # whose delivery is no hash
        click().to_item() | {"time": {"S": "1969-12-31T23:59:59.999Z"}},
        click().to_item() | {"href": {"L": [{}]}},
    ],
)
def test_a_malformed_record_is_given_back_and_stops_nobody(
    tally: ModuleType, stores: Stores, image: Any
) -> None:
    records = [record("1", click("a").to_item()), record("2", image)]
    records.append(record("3", click("b", person="p2").to_item()))
    answer = tally.handler({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert stores.campaigns.counts(CAMPAIGN).total.human == 2


@pytest.mark.parametrize("name", ["MODIFY", "REMOVE"])
def test_what_is_no_new_click_is_passed_over(tally: ModuleType, stores: Stores, name: str) -> None:
    assert tally.handler({"Records": [record("1", {}, name)]}, None) == {"batchItemFailures": []}


def test_parked_clicks_reach_the_ledger_once(drain: ModuleType, stores: Stores) -> None:
    stores.clicks.record(click("both"))
    bodies = [parked(click("both")), parked(click("late", after=60)), "{}", "not json", "[]"]
    records = [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]
    answer = drain.handler({"Records": records}, None)
    assert answer["batchItemFailures"] == [{"itemIdentifier": name} for name in "234"]
    assert {made.id for made in stores.clicks.of_campaign(CAMPAIGN)} == {"both", "late"}


def test_a_parked_click_that_cannot_be_recorded_comes_again_and_the_log_says_why(
    drain: ModuleType, stores: Stores, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def fail(_: Click) -> bool:
        raise StoreUnavailable("AccessDeniedException")

    monkeypatch.setattr(stores.clicks, "record", fail)
    answer = drain.handler({"Records": [{"messageId": "m", "body": parked(click())}]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m"}]}
    assert vars(caplog.records[-1])["reasons"] == ["AccessDeniedException"]


@pytest.mark.parametrize("call", ["rows", "commit"])
def test_clicks_that_cannot_be_counted_are_a_metric_and_the_log_says_why(
    tally: ModuleType, stores: Stores, monkeypatch: pytest.MonkeyPatch, call: str,
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def fail(*_: object) -> None:
        raise StoreUnavailable("AccessDeniedException")

    monkeypatch.setattr(stores.recipients, call, fail)
    answer = tally.handler({"Records": [record("3", click().to_item())]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "3"}]}
    assert '"ClicksGivenBack":1' in capsys.readouterr().out
    assert vars(caplog.records[-1])["reasons"] == ["AccessDeniedException"]


def test_a_parked_click_comes_back_whole() -> None:
    made = click(person=None, ip=None, asn=None, country=None)
    assert Click.from_stored(json.loads(parked(made))) == made


def test_an_address_or_person_of_a_refused_record_is_not_logged(
    tally: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    image = click(person="p-secret").to_item() | {"time": {"S": "yesterday"}}
    tally.handler({"Records": [record("7", image)]}, None)
    assert "p-secret" not in "".join(capsys.readouterr())
