"""An error in the message of one recipient fails this recipient only."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from tests.message_harness import MessageHarness
from waypost.errors import CorruptItem, MalformedToken, StoreUnavailable, UnsafeDestination
from waypost.rewrite import diagnostics, link_writer, renderer
from waypost.rewrite.service import RewriteResponse

NAMES = ("delivery-0", "delivery-1", "delivery-2")
ERRORS = (
    OSError(75, "Value too large for defined data type"),
    OverflowError("cannot convert float infinity to integer"),
    KeyError("x"),
    MemoryError(),
    RecursionError(),
    UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    AssertionError(),
    MalformedToken("token: malformed"),
    UnsafeDestination("https://e.com", "is not accepted"),
)
SECRET = "erika@example.com"
FailFor: TypeAlias = Callable[[object, str, str, Exception], None]
HTML = '<a href="https://e.com/{{ name }}">x</a>'


def rewrite(messages: MessageHarness, html: str = HTML, **body: Any) -> RewriteResponse:
    recipients = [
        {"delivery": delivery, "person": f"p-{delivery}", "data": {"name": delivery}}
        for delivery in NAMES
    ]
    content = body.pop("content", {"html": html})
    return messages.rewrite(content=content, liquid=True, recipients=recipients, **body)


@pytest.fixture
def fail_for(monkeypatch: pytest.MonkeyPatch) -> FailFor:
    """Replace a function: it raises if its first or third argument mentions a delivery."""

    def replace(module: object, name: str, delivery: str, error: Exception) -> None:
        call = getattr(module, name)

        def call_or_raise(*arguments: Any, **options: Any) -> Any:
            if delivery in repr(arguments[:3:2]):
                raise error
            return call(*arguments, **options)

        monkeypatch.setattr(module, name, call_or_raise)

    return replace


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("failing", NAMES)
@pytest.mark.parametrize(
    ("module", "name"),
    [
        (renderer, "render_recipient"),
        (renderer, "prepare_text"),
        (link_writer, "pack_link"),
        (diagnostics, "pack_slot"),
    ],
)
def test_error_of_one_recipient_does_not_reach_the_others(
    messages: MessageHarness,
    fail_for: FailFor,
    module: object,
    name: str,
    failing: str,
    error: Exception,
) -> None:
    fail_for(module, name, failing, error)
    response = rewrite(messages)
    previews_only_the_first = module is diagnostics and failing != "delivery-0"
    failed = [] if previews_only_the_first else [failing]
    assert [each["delivery"] for each in response["failed"]] == failed
    assert [each["delivery"] for each in response["deliveries"]] == [
        each for each in NAMES if each not in failed
    ]
    assert all(type(error).__name__ in each["reason"] for each in response["failed"])


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_dry_run_reports_the_failed_recipient_and_the_links_of_the_others(
    messages: MessageHarness, fail_for: FailFor, error: Exception
) -> None:
    fail_for(renderer, "render_recipient", "delivery-0", error)
    response = rewrite(messages, dry_run=True)
    assert [each["delivery"] for each in response["failed"]] == ["delivery-0"]
    assert response["links"][0]["destination"] == "https://e.com/delivery-1"


@pytest.mark.parametrize("dry_run", [False, True])
def test_report_shows_the_first_recipient_whose_links_can_be_previewed(
    messages: MessageHarness, fail_for: FailFor, dry_run: bool
) -> None:
    fail_for(diagnostics, "pack_slot", "delivery-0", ERRORS[0])
    response = rewrite(messages, dry_run=dry_run)
    assert [each["delivery"] for each in response["failed"]] == ["delivery-0"]
    assert [link["destination"] for link in response["links"]] == ["https://e.com/delivery-1"]


def test_segments_of_a_text_that_cannot_be_cut_fail_only_its_recipient(
    messages: MessageHarness, fail_for: FailFor
) -> None:
    fail_for(renderer, "cut_text", "delivery-1", ERRORS[0])
    response = rewrite(messages, channel="sms", content={"text": "x" * 300 + "{{ name }}"})
    assert [each["delivery"] for each in response["failed"]] == ["delivery-1"]
    assert len(response["deliveries"]) == 2


@pytest.mark.parametrize("error", [StoreUnavailable("AWS"), CorruptItem("link: unreadable")])
def test_failed_store_fails_the_call(
    messages: MessageHarness, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(messages.campaigns, "define_links", fail)
    with pytest.raises(type(error)):
        rewrite(messages)


def test_log_names_the_error_and_its_place_and_no_personal_data(
    messages: MessageHarness, fail_for: FailFor, caplog: pytest.LogCaptureFixture
) -> None:
    error = ValueError(SECRET)
    fail_for(renderer, "render_recipient", "delivery-1", error)
    with caplog.at_level(logging.ERROR):
        rewrite(messages)
    [record] = caplog.records
    assert record.message == "Unexpected error of one recipient"
    assert vars(record)["error"] == "ValueError"
    assert vars(record)["place"].startswith("test_isolated_failures.py:")
    assert SECRET not in str(vars(record))
    assert "p-delivery-1" not in str(vars(record))


def test_expected_failure_is_not_logged(
    messages: MessageHarness, caplog: pytest.LogCaptureFixture
) -> None:
    response = rewrite(messages, "{{ missing }}")
    assert len(response["failed"]) == len(NAMES)
    assert caplog.records == []
