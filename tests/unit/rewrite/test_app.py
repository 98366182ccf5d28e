"""Test the rewrite function over HTTP and by invocation, and its refusals."""

from __future__ import annotations

import base64
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.contract.corrupt_settings import CORRUPT_SETTINGS, store_settings_text
from tests.fakes import (
    InMemoryCampaignRepository,
    InMemoryObjectStore,
)
from tests.rewrite_harness import create_rewrite_service
from waypost.errors import StoreUnavailable
from waypost.ids import derive_workspace_id
from waypost.repositories.objects import ObjectUrl
from waypost.tokens import Keyring, TokenSealer

APP = Path(__file__).parents[3] / "functions/rewrite/app.py"
CONTEXT = SimpleNamespace(
    function_name="rewrite",
    memory_limit_in_mb=1769,
    invoked_function_arn="arn:aws:lambda:us-east-1:1:function:rewrite",
    aws_request_id="r1",
    get_remaining_time_in_millis=lambda: 900_000,
)
BODY = {
    "workspace": "acme",
    "campaign": "sale",
    "content": {"html": '<a href="https://e.com/é">x</a>'},
    "recipients": [{"delivery": "d1"}],
}


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("rewrite_app", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sending = create_rewrite_service(get_sealer=lambda: TokenSealer(Keyring((b"k" * 32,))))
    monkeypatch.setattr(module, "rewrite_service", lambda: sending)
    return module


def over_http(
    app: ModuleType, body: object, *, encoded: bool = False
) -> tuple[int, dict[str, Any]]:
    text = body if isinstance(body, str) else json.dumps(body)
    event = {
        "version": "2.0",
        "routeKey": "POST /v1/rewrite",
        "requestContext": {"http": {"method": "POST", "path": "/v1/rewrite"}},
        "body": base64.b64encode(text.encode()).decode() if encoded else text,
        "isBase64Encoded": encoded,
    }
    answer = app.handler(event, CONTEXT)
    return answer["statusCode"], json.loads(answer["body"])


@pytest.mark.parametrize("encoded", [False, True])
def test_same_body_gets_the_same_response_over_http_and_by_invocation(
    app: ModuleType, encoded: bool
):
    status, answer = over_http(app, BODY, encoded=encoded)
    assert status == 200
    assert answer == app.handler(BODY, CONTEXT)
    assert "/e/c/" in answer["deliveries"][0]["content"]["html"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({**BODY, "recipients": []}, 400, "recipients"),
        ({"workspace": "acme"}, 400, "campaign"),
        ({**BODY, "recipients": [{"delivery": ""}]}, 400, "recipients[0].delivery"),
        ({**BODY, "content": {"html": "x" * 2_000_000}}, 413, "content.html"),
        ({**BODY, "content": {"html": "{% cio_link %}"}, "liquid": True}, 400, "content.html"),
        ({**BODY, "tags": "no"}, 400, "tags"),
        ({**BODY, "content": {"html": "{{ x"}, "liquid": True}, 400, "content.html"),
    ],
)
def test_invalid_request_returns_a_problem_naming_the_field(
    app: ModuleType, body: dict[str, Any], status: int, said: str
):
    assert over_http(app, body)[0] == status
    problem = app.handler(body, CONTEXT)
    assert problem["status"] == status
    assert said in json.dumps(problem)
    assert over_http(app, body)[1] == problem


@pytest.mark.parametrize("body", ["", "{", "[]", "7", "null", '"\\ud800"'])
def test_body_that_is_not_a_request_is_refused(app: ModuleType, body: str):
    assert over_http(app, body)[0] == 400


def test_unavailable_store_returns_503(
    app: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
):
    def unavailable(*_: object, **__: object) -> None:
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(InMemoryCampaignRepository, "define_links", unavailable)
    assert over_http(app, BODY)[0] == 503
    assert app.handler(BODY, CONTEXT)["status"] == 503
    assert capsys.readouterr().out.count('"RewriteFailed":1') == 2
    assert [record.getMessage() for record in caplog.records] == ["Request failed"] * 2
    assert [vars(record)["status"] for record in caplog.records] == [503, 503]
    assert caplog.text.count("StoreUnavailable: no answer") == 2


def test_mistake_of_the_caller_is_neither_logged_nor_counted(
    app: ModuleType, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    assert over_http(app, BODY | {"campaign": 7})[0] == 400
    assert "RewriteFailed" not in capsys.readouterr().out
    assert not caplog.records


def test_file_of_recipients_is_rewritten_by_invocation_only(
    app: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    objects = InMemoryObjectStore()
    message = {key: value for key, value in BODY.items() if key != "recipients"}
    lines = [json.dumps(message), json.dumps({"delivery": "d1"})]
    objects.put(ObjectUrl("b", "acme/in"), "\n".join(lines).encode())
    monkeypatch.setattr(app, "object_store", lambda: objects)
    monkeypatch.setattr(app, "rewrite_config", lambda: SimpleNamespace(files_bucket="b"))
    asked = {"input": "s3://b/acme/in", "output": "s3://b/acme/out"}
    report = app.handler(asked, CONTEXT)
    assert (report["done"], report["lines"], report["delivered"]) == (True, 1, 1)
    output = objects.read(ObjectUrl("b", "acme/out"))
    assert output is not None
    assert b"/e/c/" in output.data
    assert over_http(app, asked)[0] == 400
    refused = app.handler({**asked, "input": "s3://b/acme/none"}, CONTEXT)
    assert (refused["status"], refused["errors"][0]["field"]) == (400, "input")
    refused = app.handler({**asked, "message": BODY}, CONTEXT)
    assert (refused["status"], refused["errors"][0]["field"]) == (400, "message.recipients")


@pytest.mark.parametrize("event", [[], "input", 7, None, True])
def test_invocation_with_a_payload_that_is_not_an_object_is_refused(app: ModuleType, event: object):
    assert app.handler(event, CONTEXT)["status"] == 400


def test_body_that_is_not_base64_is_refused(app: ModuleType):
    event = {"requestContext": {}, "body": "a", "isBase64Encoded": True}
    answer = app.handler(event, CONTEXT)
    assert (answer["statusCode"], json.loads(answer["body"])["errors"]) == (
        400,
        [{"field": "body", "reason": "is not base64"}],
    )


def test_corrupt_settings_fail_their_workspace_only_and_are_named(
    app: ModuleType,
) -> None:
    store_settings_text(
        app.rewrite_service().workspaces,
        derive_workspace_id("acme"),
        "acme",
        CORRUPT_SETTINGS["cio_id"],
    )
    refused = app.handler(BODY, CONTEXT)
    assert (refused["status"], refused["title"]) == (500, "What is stored cannot be read")
    assert "'cio_id'" in refused["detail"]
    assert app.handler(BODY | {"workspace": "globex"}, CONTEXT)["deliveries"]
