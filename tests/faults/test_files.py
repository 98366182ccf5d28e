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

from tests import handlers
from tests.faults.breaking import breaks
from tests.faults.checking import ROUNDS, SEED
from tests.faults.cloud import Cloud, client, clouds
from tests.faults.promises import calls_of, unpromised
from tests.faults.ways import WAYS
from waypost.ids import campaign_code
from waypost.repositories.dynamodb.campaigns import DynamoCampaigns

FUNCTION = "rewrite, of a file"
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
"""How often somebody asks who is told each time that the work is not done."""
_OUTPUTS = count()


class Context(handlers.Context):
    """There is always time."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


class Job(NamedTuple):
    """Four recipients and a line that is none, two lines to a part."""

    app: ModuleType
    output: str

    def ask(self) -> dict[str, Any]:
        body = {"input": f"s3://{BUCKET}/{INPUT}", "output": f"s3://{BUCKET}/{self.output}"}
        answer: dict[str, Any] = self.app.handler(body, Context())
        return answer

    def ask_anew(self) -> dict[str, Any]:
        """The answer of a function that has just started."""
        self.app.sending.cache_clear()
        return self.ask()


@pytest.fixture(scope="module")
def aws() -> Iterator[Cloud]:
    with clouds() as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr("waypost.rewrite_files.parts.PART", 1)
        patch.setattr("waypost.rewrite_files.parts.CHUNK", 2)
        patch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
        lines = [MESSAGE, *({"delivery": name} for name in DELIVERIES), {"person": "p"}]
        text = "\n".join(map(json.dumps, lines)).encode()
        with made.aside():
            client("s3").put_object(Bucket=BUCKET, Key=INPUT, Body=text)
        yield made


@pytest.fixture(scope="module")
def app(aws: Cloud) -> ModuleType:
    return handlers.load("rewrite")


@contextmanager
def prepared(aws: Cloud, app: ModuleType) -> Iterator[Job]:
    with aws.fresh():
        yield Job(app, f"messages-{next(_OUTPUTS)}.ndjson")


class Healthy(NamedTuple):
    """What is told at the end, and how often each call was made for it."""

    report: dict[str, Any]
    calls: Counter[str]


@pytest.fixture(scope="module")
def healthy(aws: Cloud, app: ModuleType) -> Healthy:
    """A run that nothing interrupts, and somebody who asks for its report again."""
    with prepared(aws, app) as job:
        report = job.ask_anew()
        assert job.ask() == report
        calls = Counter(aws.calls)
        check_done(aws, job, report)
        assert (report["done"], report["delivered"], report["failed"]) == (True, 4, 1)
        return Healthy(report, calls)


def stored(aws: Cloud, key: str) -> bytes | None:
    with aws.aside():
        try:
            data: bytes = client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except client("s3").exceptions.NoSuchKey:
            return None
        return data


def deliveries(output: bytes) -> list[Any]:
    return [json.loads(line)["delivery"] for line in output.splitlines()]


def check_never_half(aws: Cloud, job: Job) -> None:
    output = stored(aws, job.output)
    assert output is None or deliveries(output) == [*DELIVERIES, None]


def check_done(aws: Cloud, job: Job, report: dict[str, Any]) -> None:
    """Everybody has a line, once, with a message; they are counted once; nothing is left behind."""
    output = stored(aws, job.output)
    assert output is not None
    assert deliveries(output) == [*DELIVERIES, None]
    assert output.count(b"https://api.example.net/e/c/") == len(DELIVERIES)
    assert json.loads(stored(aws, f"{job.output}.report.json") or b"null") == report
    assert stored(aws, f"{job.output}.progress") is None
    with aws.aside():
        campaigns = DynamoCampaigns(client("dynamodb"), "campaigns")
        assert campaigns.counts(campaign_code("acme", "sale")).sent == len(DELIVERIES)


def is_refusal(answer: dict[str, Any]) -> bool:
    """What is wrong is said in our words."""
    return "done" not in answer and answer["status"] in (400, 409, 503) and bool(answer["detail"])


def test_every_call_has_its_promise(healthy: Healthy) -> None:
    assert unpromised(FUNCTION, healthy.calls) == set()


@pytest.mark.parametrize("call", calls_of(FUNCTION, "test_a_file_is_whole_and_counted_once"))
def test_a_file_is_whole_and_counted_once(
    aws: Cloud, app: ModuleType, healthy: Healthy, call: str
) -> None:
    for way in WAYS:
        for after, times in breaks(healthy.calls[call]):
            with prepared(aws, app) as job:
                aws.break_(call, way, after=after, times=times)
                for answer in (job.ask_anew(), job.ask()):  # the second one wants the report alone
                    assert answer == healthy.report or is_refusal(answer), (way, answer)
                    check_never_half(aws, job)
                aws.heal()
                assert job.ask() == healthy.report, (way, after)
                check_done(aws, job, healthy.report)


@pytest.mark.parametrize(
    "call", ["UploadPart of output", "PutObject of progress", "CompleteMultipartUpload of output"]
)
def test_an_answer_that_gets_lost_once_stops_nobody(
    aws: Cloud, app: ModuleType, healthy: Healthy, call: str
) -> None:
    """The client asks again by itself: the condition fails then, or the upload is no more."""
    for after in range(healthy.calls[call]):
        with prepared(aws, app) as job:
            aws.break_(call, "timeout after", after=after, times=1)
            assert job.ask_anew() == healthy.report
            check_done(aws, job, healthy.report)


def test_at_random_every_file_comes_to_its_end(
    aws: Cloud, app: ModuleType, healthy: Healthy
) -> None:
    random = Random(SEED)
    for _ in range(3 * ROUNDS):
        with prepared(aws, app) as job:
            aws.at_random(random, 0.1)
            answer, asked = job.ask_anew(), 1
            while "done" not in answer and asked < MOST_ASKED:
                assert is_refusal(answer)
                check_never_half(aws, job)
                answer, asked = job.ask(), asked + 1
            aws.heal()
            assert answer == healthy.report
            assert job.ask() == healthy.report
            check_done(aws, job, healthy.report)
