"""The handlers of the tally and the drain return the records to retry."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest

from tests import lambda_handlers
from tests.click_factory import CAMPAIGN, NOON, make_click
from tests.fakes import create_in_memory_repositories
from tests.tally_factory import create_tally
from waypost.clicks.fallback_queue import serialize_click
from waypost.composition import Repositories, build_late_click_recorder
from waypost.errors import CorruptItemSet, StoreError, StoreUnavailable
from waypost.ids import extract_workspace_id
from waypost.models.click import Click


@pytest.fixture
def stores() -> Repositories:
    return create_in_memory_repositories()


@pytest.fixture
def tally(stores: Repositories, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = lambda_handlers.load_function("tally")
    counting = create_tally(stores)
    monkeypatch.setattr(module, "_tally_service", lambda: counting)
    return module


@pytest.fixture
def drain(stores: Repositories, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = lambda_handlers.load_function("drain")
    recorder = build_late_click_recorder(stores)
    monkeypatch.setattr(module, "_late_click_recorder", lambda: recorder)
    return module


def record(number: str, image: Any, name: str = "INSERT") -> dict[str, Any]:
    return {"eventName": name, "dynamodb": {"SequenceNumber": number, "NewImage": image}}


def test_new_clicks_of_the_stream_are_counted(tally: ModuleType, stores: Repositories) -> None:
    records = [
        record("1", make_click("a").to_item()),
        record("2", make_click("b", person="p2").to_item()),
    ]
    assert tally.handler({"Records": records}, None) == {"batchItemFailures": []}
    assert stores.campaigns.get_counts(CAMPAIGN).total.human == 2


@pytest.mark.parametrize(
    "image",
    [
        {},
        {"pk": {"S": "x"}},
        make_click().to_item() | {"time": {"S": "yesterday"}},
        make_click().to_item() | {"link": {"S": "no code"}},
        make_click().to_item() | {"sent": {"N": "soon"}},
        make_click().to_item() | {"position": {"WHAT": "1"}},
        {"id": {"S": "a"}, "time": "not typed"},
        make_click().to_item() | {"position": {"BOOL": True}},
        make_click().to_item() | {"signals": {"N": "65536"}},
        make_click().to_item() | {"signals": {"N": "-1"}},
        make_click().to_item() | {"alias": {"S": "nobody"}},  # its delivery is no hash
        make_click().to_item() | {"time": {"S": "1969-12-31T23:59:59.999Z"}},
        make_click().to_item() | {"href": {"L": [{}]}},
    ],
)
def test_malformed_record_is_returned_and_the_others_are_counted(
    tally: ModuleType, stores: Repositories, image: Any
) -> None:
    records = [record("1", make_click("a").to_item()), record("2", image)]
    records.append(record("3", make_click("b", person="p2").to_item()))
    answer = tally.handler({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert stores.campaigns.get_counts(CAMPAIGN).total.human == 2


@pytest.mark.parametrize("name", ["MODIFY", "REMOVE"])
def test_changed_and_expired_items_are_skipped(
    tally: ModuleType, stores: Repositories, name: str
) -> None:
    assert tally.handler({"Records": [record("1", {}, name)]}, None) == {"batchItemFailures": []}


def test_queued_clicks_are_recorded_once(drain: ModuleType, stores: Repositories) -> None:
    stores.clicks.record(make_click("both"))
    bodies = [
        serialize_click(make_click("both")),
        serialize_click(make_click("late", after=60)),
        "{}",
        "not json",
        "[]",
    ]
    records = [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]
    answer = drain.handler({"Records": records}, None)
    assert answer["batchItemFailures"] == [{"itemIdentifier": name} for name in "234"]
    assert {made.id for made in stores.clicks.scan_by_campaign(CAMPAIGN)} == {"both", "late"}


def test_queued_click_is_returned_and_logged_if_recording_fails(
    drain: ModuleType, stores: Repositories, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def fail(_: Click) -> bool:
        raise StoreUnavailable("AccessDeniedException")

    monkeypatch.setattr(stores.clicks, "record", fail)
    answer = drain.handler(
        {"Records": [{"messageId": "m", "body": serialize_click(make_click())}]}, None
    )
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m"}]}
    assert vars(caplog.records[-1])["reasons"] == ["AccessDeniedException"]


def test_queued_click_of_an_opted_out_person_is_recorded_without_identity(
    drain: ModuleType, tally: ModuleType, stores: Repositories
) -> None:
    stores.workspaces.opt_out(extract_workspace_id(CAMPAIGN), "p1", NOON)
    queued = [make_click("a"), make_click("b", person="p2")]
    bodies = [{"messageId": click.id, "body": serialize_click(click)} for click in queued]
    assert drain.handler({"Records": bodies}, None) == {"batchItemFailures": []}
    recorded = list(stores.clicks.scan_by_campaign(CAMPAIGN))
    assert {click.person for click in recorded} == {None, "p2"}
    records = [record(click.id, click.to_item()) for click in recorded]
    tally.handler({"Records": records}, None)
    assert stores.campaigns.get_counts(CAMPAIGN).total.people == 2


@pytest.mark.parametrize("error", [StoreUnavailable("away"), CorruptItemSet("corrupt", [("", "")])])
def test_queued_clicks_wait_while_opt_outs_cannot_be_read(
    drain: ModuleType, stores: Repositories, monkeypatch: pytest.MonkeyPatch, error: StoreError
) -> None:
    def fail(people: Any) -> Any:
        raise CorruptItemSet("corrupt", people) if isinstance(error, CorruptItemSet) else error

    monkeypatch.setattr(stores.workspaces, "get_opt_outs", fail)
    message = {"messageId": "m", "body": serialize_click(make_click())}
    answer = drain.handler({"Records": [message]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m"}]}
    assert list(stores.clicks.scan_by_campaign(CAMPAIGN)) == []


@pytest.mark.parametrize("call", ["get_rows", "commit"])
def test_uncounted_clicks_emit_a_metric_and_log_the_reason(
    tally: ModuleType, stores: Repositories, monkeypatch: pytest.MonkeyPatch, call: str,
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def fail(*_: object) -> None:
        raise StoreUnavailable("AccessDeniedException")

    monkeypatch.setattr(stores.recipients, call, fail)
    answer = tally.handler({"Records": [record("3", make_click().to_item())]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "3"}]}
    assert '"ClicksGivenBack":1' in capsys.readouterr().out
    assert vars(caplog.records[-1])["reasons"] == ["AccessDeniedException"]


def test_queued_click_survives_the_message_round_trip() -> None:
    made = make_click(person=None, ip=None, asn=None, country=None)
    assert Click.from_dict(json.loads(serialize_click(made))) == made


def test_malformed_record_is_logged_without_personal_data(
    tally: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    image = make_click(person="p-secret").to_item() | {"time": {"S": "yesterday"}}
    tally.handler({"Records": [record("7", image)]}, None)
    assert "p-secret" not in "".join(capsys.readouterr())
