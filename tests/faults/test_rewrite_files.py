"""Faults in each call of a rewrite of a file: the output is complete or absent.

A repeated request with the same body completes the job. docs/faults.md lists the promises that
these tests check.
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
BUCKET, INPUT_KEY = "files", "acme/recipients.ndjson"
MESSAGE = {
    "workspace": "acme",
    "campaign": "sale",
    "kind": "newsletter",
    "channel": "email",
    "content": {"html": '<a href="https://e.com/1">x</a>'},
}
DELIVERIES = ["d0", "d1", "d2", "d3"]
MAX_INVOCATIONS = 100
"""The number of invocations after which a test stops repeating an incomplete job."""
_OUTPUT_NUMBERS = count()


class LambdaContextWithTime(lambda_handlers.LambdaContext):
    """A context with 15 minutes left."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


class FileJob(NamedTuple):
    """A job of four recipients and an invalid line, with two lines per part."""

    app: ModuleType
    output: str

    def rewrite(self) -> dict[str, Any]:
        body = {"input": f"s3://{BUCKET}/{INPUT_KEY}", "output": f"s3://{BUCKET}/{self.output}"}
        answer: dict[str, Any] = self.app.handler(body, LambdaContextWithTime())
        return answer

    def rewrite_in_new_container(self) -> dict[str, Any]:
        """Rewrite in a new execution environment."""
        self.app.rewrite_service.cache_clear()
        return self.rewrite()


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeCloud]:
    with create_fake_cloud() as cloud, pytest.MonkeyPatch.context() as patch:
        patch.setattr("waypost.rewrite_files.output.MIN_PART_BYTES", 1)
        patch.setattr("waypost.rewrite_files.output.RENDER_BATCH_SIZE", 2)
        patch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
        lines = [MESSAGE, *({"delivery": name} for name in DELIVERIES), {"person": "p"}]
        text = "\n".join(map(json.dumps, lines)).encode()
        with cloud.bypass_faults():
            get_client("s3").put_object(Bucket=BUCKET, Key=INPUT_KEY, Body=text)
        yield cloud


@pytest.fixture(scope="module")
def app(aws: FakeCloud) -> ModuleType:
    return lambda_handlers.load_function("rewrite")


@contextmanager
def prepare_job(aws: FakeCloud, app: ModuleType) -> Iterator[FileJob]:
    with aws.reset():
        yield FileJob(app, f"acme/messages-{next(_OUTPUT_NUMBERS)}.ndjson")


class HealthyRun(NamedTuple):
    """The final report of a job without faults, and its calls."""

    report: dict[str, Any]
    calls: Counter[str]


@pytest.fixture(scope="module")
def healthy_run(aws: FakeCloud, app: ModuleType) -> HealthyRun:
    """Run a job without faults, repeat its request, and count the calls."""
    with prepare_job(aws, app) as job:
        report = job.rewrite_in_new_container()
        assert job.rewrite() == report
        calls = Counter(aws.calls)
        check_job_complete(aws, job, report)
        assert (report["done"], report["delivered"], report["failed"]) == (True, 4, 1)
        return HealthyRun(report, calls)


def read_object(aws: FakeCloud, key: str) -> bytes | None:
    with aws.bypass_faults():
        try:
            data: bytes = get_client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except get_client("s3").exceptions.NoSuchKey:
            return None
        return data


def list_deliveries(output: bytes) -> list[Any]:
    return [json.loads(line)["delivery"] for line in output.splitlines()]


def check_not_partial(aws: FakeCloud, job: FileJob) -> None:
    output = read_object(aws, job.output)
    assert output is None or list_deliveries(output) == [*DELIVERIES, None]


def check_job_complete(aws: FakeCloud, job: FileJob, report: dict[str, Any]) -> None:
    """Check that each recipient has one line and counts once, and nothing else remains."""
    output = read_object(aws, job.output)
    assert output is not None
    assert list_deliveries(output) == [*DELIVERIES, None]
    assert output.count(b"https://api.example.net/e/c/") == len(DELIVERIES)
    assert json.loads(read_object(aws, f"{job.output}.report.json") or b"null") == report
    assert read_object(aws, f"{job.output}.progress") is None
    with aws.bypass_faults():
        campaigns = get_repositories().campaigns
        assert campaigns.get_counts(derive_campaign_id("acme", "sale")).sent == len(DELIVERIES)


def is_refusal(answer: dict[str, Any]) -> bool:
    """Check that the response is a problem with a status that the API documents."""
    return "done" not in answer and answer["status"] in (400, 409, 503) and bool(answer["detail"])


def test_every_call_has_its_promise(healthy_run: HealthyRun) -> None:
    assert find_missing_promises(FUNCTION, healthy_run.calls) == set()


@pytest.mark.parametrize(
    "call", list_calls(FUNCTION, "test_output_is_complete_and_counted_once_on_any_fault")
)
def test_output_is_complete_and_counted_once_on_any_fault(
    aws: FakeCloud, app: ModuleType, healthy_run: HealthyRun, call: str
) -> None:
    for fault in CALL_FAULTS:
        for after, times in fault_schedules(healthy_run.calls[call]):
            with prepare_job(aws, app) as job:
                aws.plan_fault(call, fault, after=after, times=times)
                for answer in (
                    job.rewrite_in_new_container(),
                    job.rewrite(),
                ):  # the second request only needs the report
                    assert answer == healthy_run.report or is_refusal(answer), (fault, answer)
                    check_not_partial(aws, job)
                aws.clear_faults()
                assert job.rewrite() == healthy_run.report, (fault, after)
                check_job_complete(aws, job, healthy_run.report)


@pytest.mark.parametrize(
    "call",
    [
        "UploadPart of output",
        "PutObject of progress",
        "CompleteMultipartUpload of output",
        "PutObject of report",
        "DeleteObject of progress",
    ],
)
def test_job_completes_if_one_response_is_lost(
    aws: FakeCloud, app: ModuleType, healthy_run: HealthyRun, call: str
) -> None:
    """Lose one response: the SDK's retry then fails its condition, or finds no upload."""
    for after in range(healthy_run.calls[call]):
        with prepare_job(aws, app) as job:
            aws.plan_fault(call, "timeout after", after=after, times=1)
            assert job.rewrite_in_new_container() == healthy_run.report
            check_job_complete(aws, job, healthy_run.report)


def test_job_completes_under_random_faults(
    aws: FakeCloud, app: ModuleType, healthy_run: HealthyRun
) -> None:
    random = Random(FAULT_SEED)
    for _ in range(3 * SOAK_ROUNDS):
        with prepare_job(aws, app) as job:
            aws.inject_at_random(random, 0.1)
            answer, invocations = job.rewrite_in_new_container(), 1
            while "done" not in answer and invocations < MAX_INVOCATIONS:
                assert is_refusal(answer)
                check_not_partial(aws, job)
                answer, invocations = job.rewrite(), invocations + 1
            aws.clear_faults()
            assert answer == healthy_run.report
            assert job.rewrite() == healthy_run.report
            check_job_complete(aws, job, healthy_run.report)
