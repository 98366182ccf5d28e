"""Each call of the rewrite function for a file of recipients, gone wrong in each way: the output
is there as a whole or not at all, and whoever asks again with the same body gets to its end.

docs/faults.md lists the promises, and is what is run here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from random import Random
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from tests import lambda_handlers
from tests.faults.call_faults import CALL_FAULTS
from tests.faults.fake_cloud import FakeCloud, create_fake_cloud, get_client, get_repositories
from tests.faults.fault_injector import fault_schedules
from tests.faults.invariants import FAULT_SEED, SOAK_ROUNDS
from tests.faults.promises import find_missing_promises, list_calls
from waypost.ids import derive_campaign_id

FUNCTION = "rewrite-file"
BUCKET, INPUT = "files", "recipients.ndjson"
MESSAGE = {
    "workspace": "acme",
    "campaign": "sale",
    "kind": "newsletter",
    "channel": "email",
    "content": {"html": '<a href="https://e.com/1">x</a>'},
}
DELIVERIES = ["d0", "d1", "d2", "d3"]
MOST_ASKED = 100
"""Invocations before a test stops repeating unfinished work."""
_OUTPUTS = count()


class LambdaContextWithTime(lambda_handlers.LambdaContext):
    """A context with time left."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


class FileJob(NamedTuple):
    """Four recipients and an invalid line, two lines per part."""

    app: ModuleType
    output: str

    def rewrite(self) -> dict[str, Any]:
        body = {"input": f"s3://{BUCKET}/{INPUT}", "output": f"s3://{BUCKET}/{self.output}"}
        answer: dict[str, Any] = self.app.handler(body, LambdaContextWithTime())
        return answer

    def rewrite_in_new_container(self) -> dict[str, Any]:
        """Return the response of a new process."""
        self.app.rewrite_service.cache_clear()
        return self.rewrite()


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeCloud]:
    with create_fake_cloud() as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr("waypost.rewrite_files.output.MIN_PART_BYTES", 1)
        patch.setattr("waypost.rewrite_files.output.RENDER_BATCH_SIZE", 2)
        patch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
        lines = [MESSAGE, *({"delivery": name} for name in DELIVERIES), {"person": "p"}]
        text = "\n".join(map(json.dumps, lines)).encode()
        with made.bypass_faults():
            get_client("s3").put_object(Bucket=BUCKET, Key=INPUT, Body=text)
        yield made


@pytest.fixture(scope="module")
def app(aws: FakeCloud) -> ModuleType:
    return lambda_handlers.load_function("rewrite")


@contextmanager
def prepared(aws: FakeCloud, app: ModuleType) -> Iterator[FileJob]:
    with aws.reset():
        yield FileJob(app, f"messages-{next(_OUTPUTS)}.ndjson")


class HealthyRun(NamedTuple):
    """Return the final response and the number of calls by name."""

    report: dict[str, Any]
    calls: Counter[str]


@pytest.fixture(scope="module")
def healthy(aws: FakeCloud, app: ModuleType) -> HealthyRun:
    """Count the calls of an undisturbed run and of a repeated request."""
    with prepared(aws, app) as job:
        report = job.rewrite_in_new_container()
        assert job.rewrite() == report
        calls = Counter(aws.calls)
        check_done(aws, job, report)
        assert (report["done"], report["delivered"], report["failed"]) == (True, 4, 1)
        return HealthyRun(report, calls)


def stored(aws: FakeCloud, key: str) -> bytes | None:
    with aws.bypass_faults():
        try:
            data: bytes = get_client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except get_client("s3").exceptions.NoSuchKey:
            return None
        return data


def deliveries(output: bytes) -> list[Any]:
    return [json.loads(line)["delivery"] for line in output.splitlines()]


def check_never_half(aws: FakeCloud, job: FileJob) -> None:
    output = stored(aws, job.output)
    assert output is None or deliveries(output) == [*DELIVERIES, None]


def check_done(aws: FakeCloud, job: FileJob, report: dict[str, Any]) -> None:
    """Check that each recipient has one line and counts once, and nothing else remains."""
    output = stored(aws, job.output)
    assert output is not None
    assert deliveries(output) == [*DELIVERIES, None]
    assert output.count(b"https://api.example.net/e/c/") == len(DELIVERIES)
    assert json.loads(stored(aws, f"{job.output}.report.json") or b"null") == report
    assert stored(aws, f"{job.output}.progress") is None
    with aws.bypass_faults():
        campaigns = get_repositories().campaigns
        assert campaigns.get_counts(derive_campaign_id("acme", "sale")).sent == len(DELIVERIES)


def is_refusal(answer: dict[str, Any]) -> bool:
    """Check that the error is a problem of the project."""
    return "done" not in answer and answer["status"] in (400, 409, 503) and bool(answer["detail"])


def test_every_call_has_its_promise(healthy: HealthyRun) -> None:
    assert find_missing_promises(FUNCTION, healthy.calls) == set()


@pytest.mark.parametrize("call", list_calls(FUNCTION, "test_output_is_complete_and_counted_once_on_any_fault"))
def test_output_is_complete_and_counted_once_on_any_fault(
    aws: FakeCloud, app: ModuleType, healthy: HealthyRun, call: str
) -> None:
    for way in CALL_FAULTS:
        for after, times in fault_schedules(healthy.calls[call]):
            with prepared(aws, app) as job:
                aws.plan_fault(call, way, after=after, times=times)
                for answer in (
                    job.rewrite_in_new_container(),
                    job.rewrite(),
                ):  # the second one wants the report alone
                    assert answer == healthy.report or is_refusal(answer), (way, answer)
                    check_never_half(aws, job)
                aws.clear_faults()
                assert job.rewrite() == healthy.report, (way, after)
                check_done(aws, job, healthy.report)


@pytest.mark.parametrize(
    "call", ["UploadPart of output", "PutObject of progress", "CompleteMultipartUpload of output"]
)
def test_job_completes_if_one_response_is_lost(
    aws: FakeCloud, app: ModuleType, healthy: HealthyRun, call: str
) -> None:
    """The SDK retries: then the condition fails, or the upload no longer exists."""
    for after in range(healthy.calls[call]):
        with prepared(aws, app) as job:
            aws.plan_fault(call, "timeout after", after=after, times=1)
            assert job.rewrite_in_new_container() == healthy.report
            check_done(aws, job, healthy.report)


def test_job_completes_under_random_faults(
    aws: FakeCloud, app: ModuleType, healthy: HealthyRun
) -> None:
    random = Random(FAULT_SEED)
    for _ in range(3 * SOAK_ROUNDS):
        with prepared(aws, app) as job:
            aws.inject_at_random(random, 0.1)
            answer, asked = job.rewrite_in_new_container(), 1
            while "done" not in answer and asked < MOST_ASKED:
                assert is_refusal(answer)
                check_never_half(aws, job)
                answer, asked = job.rewrite(), asked + 1
            aws.clear_faults()
            assert answer == healthy.report
            assert job.rewrite() == healthy.report
            check_done(aws, job, healthy.report)
