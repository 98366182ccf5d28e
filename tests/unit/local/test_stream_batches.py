"""Batches of a stream are retried, bisected, cut and discarded as Lambda does it."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest

from local import stream_batches
from local.invocations import InvocationResult
from local.poller import parse_failures
from local.stream_batches import BatchDelivery
from local.stream_mapping import StreamMapping

MAPPING = StreamMapping(
    name="f",
    stream_arn="arn",
    starting_position="TRIM_HORIZON",
    batch_size=10,
    batching_seconds=0,
    max_retries=2,
    max_age_seconds=None,
    bisects_batches=False,
    partial_responses=False,
    parallelization_factor=1,
    patterns=(),
    destination_arn=None,
)


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch):
    monkeypatch.setattr(stream_batches, "_BACKOFF_SECONDS", (0.0,))


def build_batch(*numbers, age=0.0):
    created = time.time() - age
    return [
        {"dynamodb": {"SequenceNumber": str(n), "ApproximateCreationDateTime": created}}
        for n in numbers
    ]


def get_numbers(records):
    return [int(record["dynamodb"]["SequenceNumber"]) for record in records]


class Function:
    """A function that fails on bad records: by an error, or by a partial batch response."""

    def __init__(self, bad=(), *, max_failures=99, partial=False):
        self.bad, self.max_failures, self.partial = set(bad), max_failures, partial
        self.calls = []

    def __call__(self, payload):
        numbers = get_numbers(payload["Records"])
        self.calls.append(numbers)
        bad = sorted(self.bad & set(numbers)) if len(self.calls) <= self.max_failures else []
        if bad and not self.partial:
            return InvocationResult(b"{}", "Unhandled")
        return InvocationResult(
            json.dumps({"batchItemFailures": [{"itemIdentifier": str(n)} for n in bad]}).encode()
        )


def deliver(function, records, **changes):
    """Deliver a batch; return the function's calls, and the discarded records with the reason."""
    discarded = []
    mapping = replace(MAPPING, **changes)
    delivery = BatchDelivery(
        mapping,
        function,
        lambda rest, reason, calls, _: discarded.append((get_numbers(rest), reason, calls)),
        threading.Event(),
    )
    delivery.deliver(records)
    return function.calls, discarded


def test_a_batch_that_succeeds_is_delivered_once():
    assert deliver(Function(), build_batch(1, 2)) == ([[1, 2]], [])


def test_a_failing_batch_is_retried_whole_until_it_succeeds():
    calls, discarded = deliver(Function({2}, max_failures=2), build_batch(1, 2))
    assert calls == [[1, 2]] * 3
    assert discarded == []


def test_a_batch_is_discarded_after_its_retries():
    calls, discarded = deliver(Function({2}), build_batch(1, 2))
    assert calls == [[1, 2]] * 3
    assert discarded == [([1, 2], "RetryAttemptsExhausted", 3)]


def test_bisecting_isolates_the_bad_record_and_keeps_the_order():
    calls, discarded = deliver(
        Function({3}), build_batch(1, 2, 3, 4), bisects_batches=True, max_retries=1
    )
    assert discarded == [([3], "RetryAttemptsExhausted", 2)]
    assert calls == [[1, 2, 3, 4], [1, 2], [3, 4], [3], [3], [4]]


def test_a_partial_failure_resumes_at_the_first_failed_record():
    calls, discarded = deliver(
        Function({2, 4}, max_failures=1, partial=True),
        build_batch(1, 2, 3, 4),
        partial_responses=True,
    )
    assert calls == [[1, 2, 3, 4], [2, 3, 4]]
    assert discarded == []


def test_partial_failures_and_bisecting_discard_only_the_bad_record():
    calls, discarded = deliver(
        Function({2}, partial=True),
        build_batch(1, 2, 3, 4, 5),
        partial_responses=True,
        bisects_batches=True,
        max_retries=1,
    )
    assert discarded == [([2], "RetryAttemptsExhausted", 2)]
    assert calls[0] == [1, 2, 3, 4, 5]
    assert {n for call in calls for n in call} == {1, 2, 3, 4, 5}
    assert calls[-1] == [4, 5]


def test_without_the_response_type_partial_failures_are_ignored():
    calls, discarded = deliver(
        Function({1}, partial=True), build_batch(1, 2), partial_responses=False
    )
    assert (calls, discarded) == ([[1, 2]], [])


def test_records_that_are_too_old_are_discarded_at_their_first_failure():
    calls, discarded = deliver(
        Function({1}), build_batch(1, age=100.0), max_age_seconds=60.0, max_retries=None
    )
    assert calls == [[1]]
    assert discarded == [([1], "MaximumRecordAgeExceeded", 1)]


def test_unlimited_retries_end_when_the_stack_stops():
    stop_event = threading.Event()
    calls = []

    def fail(payload):
        calls.append(payload)
        if len(calls) == 5:
            stop_event.set()
        return InvocationResult(b"", "Unhandled")

    discarded = []
    unlimited = replace(MAPPING, max_retries=None)
    BatchDelivery(unlimited, fail, lambda *_: discarded.append(1), stop_event).deliver(
        build_batch(1)
    )
    assert len(calls) == 5
    assert discarded == []


@pytest.mark.parametrize(
    ("response", "is_whole_batch", "record_ids"),
    [
        (b"", False, set()),
        (b"null", False, set()),
        (b"{}", False, set()),
        (b'{"batchItemFailures": null}', False, set()),
        (b'{"batchItemFailures": []}', False, set()),
        (b'{"batchItemFailures": [{"itemIdentifier": "1"}]}', False, {"1"}),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', True, set()),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', True, set()),
        (b'{"batchItemFailures": [{"id": "1"}]}', True, set()),
        (b'{"batchItemFailures": [{"itemIdentifier": "9"}]}', True, set()),
        (b'"text"', True, set()),
        (b"not json", True, set()),
    ],
)
def test_a_partial_batch_response_is_parsed_as_documented(response, is_whole_batch, record_ids):
    failures = parse_failures(InvocationResult(response), ["1", "2"], partial_responses=True)
    assert (failures.is_whole_batch, set(failures.record_ids)) == (is_whole_batch, record_ids)
