"""Files of recipients on the embedded stack: S3 as moto plays it, the function under its own role.

The stack is the template's with two differences: it may use a bucket, and an invocation has so
little time that it stops after every part.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from local.account import ACCOUNT_ID
from local.stack import TEMPLATE, EmbeddedStack
from tests.e2e.conftest import Http
from tests.leak_patterns import find_leaks, list_stack_keys
from waypost.client import Client, Message
from waypost.errors import CallFailed

BUCKET = "recipients"
FOLDER = "files"  # the workspace's
FILLER = "<p>" + "A sale. " * 700 + "</p>"
PEOPLE = 3_000

pytestmark = pytest.mark.usefixtures("no_aws_settings")


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the template with a timeout of 50 seconds for the rewrite function."""
    folder = tmp_path_factory.mktemp("hurried")
    before, function, after = TEMPLATE.read_text("utf-8").partition("  RewriteFunction:\n")
    text = before + function + after.replace("Timeout: 900", "Timeout: 50", 1)
    (folder / "template.yaml").write_text(text, "utf-8")
    for name in ("functions", "layers"):
        (folder / name).symlink_to(TEMPLATE.parent / name)
    return folder / "template.yaml"


@pytest.fixture(scope="module")
def stack(hurried: Path) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(hurried, parameters={"FilesBucket": BUCKET}) as running:
        running.cloud.client("s3").create_bucket(Bucket=BUCKET)
        yield running
        assert not list(find_leaks(running.log_text(), list_stack_keys(running)))


def message(campaign: str, html: str = FILLER) -> Message:
    return {
        "workspace": "files",
        "campaign": campaign,
        "content": {"html": '<a href="https://example.com/{{ customer.page }}">go</a>' + html},
        "liquid": True,
    }


def recipient(number: int) -> dict[str, Any]:
    person = f"person{number}@people.example"
    return {"delivery": f"d{number}", "person": person, "data": {"customer": {"page": number}}}


class Mailing:
    """A file in the bucket, with its output and report."""

    def __init__(self, stack: EmbeddedStack, name: str) -> None:
        self.stack, self.name = stack, name
        self.s3 = stack.cloud.client("s3")
        self.asked: dict[str, Any] = {
            "input": f"s3://{BUCKET}/{FOLDER}/{name}.ndjson",
            "output": f"s3://{BUCKET}/{FOLDER}/{name}.out.ndjson",
        }

    def put(self, lines: Sequence[object]) -> None:
        text = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines)
        self.s3.put_object(Bucket=BUCKET, Key=f"{FOLDER}/{self.name}.ndjson", Body=text.encode())

    def invoke(self, **more: object) -> Any:
        outcome = self.stack.invoke("RewriteFunction", self.asked | more)
        assert outcome.error is None, outcome.payload
        return json.loads(outcome.payload)

    def until_done(self, **more: object) -> tuple[Any, int]:
        """Return the report and the number of invocations."""
        for round_ in range(1, 30):
            if (answer := self.invoke(**more))["done"]:
                return answer, round_
        raise AssertionError("never done")

    def read(self, suffix: str = ".out.ndjson") -> bytes:
        key = f"{FOLDER}/{self.name}{suffix}"
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def output(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.read().splitlines()]

    def objects(self) -> set[str]:
        path = f"{FOLDER}/{self.name}"
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{path}.")
        return {each["Key"].removeprefix(path) for each in listed.get("Contents", [])}

    def sent(self, http: Http, campaign: str) -> int:
        assert self.stack.wait_until_counted()
        url = f"{self.stack.url}/v1/workspaces/files/campaigns/{campaign}"
        return int(http("GET", url).json()["deliveries"])


def test_file_with_thousands_of_recipients_and_two_failures_is_written_in_parts(
    stack: EmbeddedStack, http: Http
) -> None:
    mailing = Mailing(stack, "thousands")
    lines: list[object] = [message("thousands"), *map(recipient, range(PEOPLE))]
    lines[1_001] = '{"delivery": "d1000", "person": '
    lines[2_001] = {"delivery": "d2000", "person": "p2000", "data": {"customer": {}}}
    mailing.put(lines)
    report, rounds = mailing.until_done()
    assert rounds > 1
    assert (report["lines"], report["delivered"], report["failed"]) == (PEOPLE, PEOPLE - 2, 2)
    output = mailing.output()
    assert [each["delivery"] for each in output if each["delivery"]] == [
        f"d{n}" for n in range(PEOPLE) if n != 1_000
    ]
    assert output[1_000] == {
        "line": 1_002, "delivery": None, "field": "body", "reason": "is not JSON"
    }  # fmt: skip
    assert (output[2_000]["delivery"], output[2_000]["field"]) == ("d2000", "content.html")
    assert "customer.page is missing" in output[2_000]["reason"]
    assert report["failures"] == [output[1_000], output[2_000]]
    assert mailing.sent(http, "thousands") == PEOPLE - 2
    assert mailing.objects() == {".ndjson", ".out.ndjson", ".out.ndjson.report.json"}
    assert json.loads(mailing.read(".out.ndjson.report.json")) == report
    (link,) = report["links"]
    assert (link["url"], link["tracked"]) == ("https://example.com/{{ customer.page }}", True)
    assert link["destination"].startswith("https://example.com/0?_cio_id=person0")
    assert link["round_trip"] is True
    (href,) = re.findall('href="([^"]+)"', output[2_999]["content"]["html"])
    answer = http("GET", stack.url + urlsplit(href).path)
    assert answer.headers["location"].startswith("https://example.com/2999?")


def test_log_contains_the_progress_of_a_file_and_no_person(stack: EmbeddedStack) -> None:
    mailing = Mailing(stack, "logged")
    mailing.put([message("logged"), *map(recipient, range(5)), "{"])
    before = len(stack.log_text())
    mailing.until_done()
    told: list[str] = []
    deadline = time.monotonic() + 10
    while not told and time.monotonic() < deadline:
        told = [line for line in stack.log_text()[before:].splitlines() if "Output part" in line]
        time.sleep(0.05)
    said = json.loads(told[0].partition(" | ")[2])
    assert (said["lines"], said["delivered"], said["failed"], said["done"]) == (6, 5, 1, True)
    assert said["read"] == said["size"] == len(mailing.read(".ndjson"))
    assert "people.example" not in stack.log_text()[before:]
    assert not list(find_leaks(stack.log_text()[before:], list_stack_keys(stack)))


def test_next_invocation_resumes_a_killed_one(stack: EmbeddedStack, http: Http) -> None:
    mailing = Mailing(stack, "killed")
    mailing.put([message("killed"), *map(recipient, range(PEOPLE))])
    outcomes = []
    killed = threading.Thread(
        target=lambda: outcomes.append(stack.invoke("RewriteFunction", mailing.asked))
    )
    killed.start()
    while ".out.ndjson.progress" not in mailing.objects():
        time.sleep(0.01)
    stack.recycle("RewriteFunction")
    killed.join()
    assert outcomes[0].error is not None
    report, _ = mailing.until_done()
    assert report["delivered"] == PEOPLE
    assert [each["delivery"] for each in mailing.output()] == [f"d{n}" for n in range(PEOPLE)]
    assert mailing.sent(http, "killed") == PEOPLE


def test_changed_input_restarts_the_file(stack: EmbeddedStack, http: Http) -> None:
    mailing = Mailing(stack, "changed")
    mailing.put([message("changed"), *map(recipient, range(PEOPLE))])
    assert not mailing.invoke()["done"]
    mailing.put([message("changed"), *map(recipient, range(7))])
    report, _ = mailing.until_done()
    assert report["delivered"] == 7
    assert len(mailing.output()) == 7
    assert mailing.sent(http, "changed") == 7


def test_invocation_after_the_end_returns_the_same_report_and_counts_nothing(
    stack: EmbeddedStack, http: Http
) -> None:
    mailing = Mailing(stack, "again")
    mailing.put([message("again"), *map(recipient, range(3))])
    report, _ = mailing.until_done()
    assert mailing.invoke() == report
    assert mailing.sent(http, "again") == 3


def test_existing_output_of_another_input_is_not_overwritten(stack: EmbeddedStack) -> None:
    mailing = Mailing(stack, "taken")
    mailing.s3.put_object(Bucket=BUCKET, Key=f"{FOLDER}/taken.out.ndjson", Body=b"of somebody")
    mailing.put([message("taken"), recipient(1)])
    refused = mailing.invoke()
    assert (refused["status"], refused["title"]) == (409, "The name cannot be taken")
    assert f"s3://{BUCKET}/{FOLDER}/taken.out.ndjson" in refused["detail"]
    assert mailing.read() == b"of somebody"


@pytest.mark.parametrize(
    ("field", "url", "reason"),
    [
        ("input", f"s3://{BUCKET}/{FOLDER}/nothing.ndjson", "does not exist"),
        ("output", f"s3://{BUCKET}/other/out.ndjson", f"must begin with s3://{BUCKET}/{FOLDER}/"),
        ("output", f"s3://{BUCKET}/{FOLDER}/../other/out", "has a segment that is empty, . or .."),
        ("output", f"s3://elsewhere/{FOLDER}/out", f"must begin with s3://{BUCKET}/{FOLDER}/"),
        ("output", f"s3://{BUCKET}/{FOLDER}/wrong.ndjson", "is the input"),
        ("input", "https://example.com/x.ndjson", "is not s3://bucket/folder/name"),
        ("seconds", 0, "must be at least 1"),
    ],
)
def test_invalid_file_is_named_with_the_reason(
    stack: EmbeddedStack, field: str, url: object, reason: str
) -> None:
    mailing = Mailing(stack, "wrong")
    mailing.put([message("wrong"), recipient(1)])
    refused = mailing.invoke(**{field: url})
    assert refused["status"] == 400
    ((found, told),) = [(each["field"], each["reason"]) for each in refused["errors"]]
    assert found == field
    assert reason in told


def test_dry_run_writes_a_report_and_no_output(stack: EmbeddedStack, http: Http) -> None:
    mailing = Mailing(stack, "dry")
    mailing.put([{**message("dry"), "dry_run": True}, *map(recipient, range(20)), "{"])
    report = mailing.invoke()
    assert (report["done"], report["dry_run"], report["lines"], report["failed"]) == (
        True, True, 21, 1
    )  # fmt: skip
    assert report["links"][0]["round_trip"] is True
    assert mailing.objects() == {".ndjson", ".out.ndjson.report.json"}
    assert http("GET", f"{stack.url}/v1/workspaces/files/campaigns/dry").status == 404


def test_client_invokes_until_the_file_is_done(stack: EmbeddedStack, http: Http) -> None:
    invoker = boto3.client(
        "lambda",
        endpoint_url=stack.url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    client = Client(stack.ref("RewriteFunction") + ":live", invoker)
    mailing = Mailing(stack, "client")
    mailing.put(list(map(recipient, range(PEOPLE))))
    for _ in range(2):
        report = client.rewrite_file(message("client"), **mailing.asked)
        assert (report["done"], report["delivered"], report["failed"]) == (True, PEOPLE, 0)
    assert len(mailing.output()) == PEOPLE
    assert mailing.sent(http, "client") == PEOPLE
    with pytest.raises(CallFailed, match="exists already"):
        client.rewrite_file(message("another"), **mailing.asked)


def test_one_of_two_requests_for_one_output_at_the_same_time_writes_it(
    stack: EmbeddedStack, http: Http
) -> None:
    """Each round, two campaigns race for one output; the loser changes nothing of the winner's."""
    for round_ in range(3):
        mailing = Mailing(stack, f"race{round_}")
        mailing.put(list(map(recipient, range(50))))
        campaigns = [f"race{round_}-{side}" for side in "ab"]
        start = threading.Barrier(2)

        def rewrite(
            campaign: str, mailing: Mailing = mailing, start: threading.Barrier = start
        ) -> Any:
            start.wait()
            return mailing.invoke(message=message(campaign))

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(rewrite, campaigns))
        won = [each for each in answers if each.get("done")]
        lost = [each for each in answers if not each.get("done")]
        assert (len(won), len(lost)) == (1, 1), answers
        assert lost[0]["status"] in (409, 503)
        assert mailing.objects() == {".ndjson", ".out.ndjson", ".out.ndjson.report.json"}
        assert json.loads(mailing.read(".out.ndjson.report.json")) == won[0]
        winner = campaigns[answers.index(won[0])]
        (loser,) = set(campaigns) - {winner}
        assert mailing.sent(http, winner) == 50
        refused = mailing.invoke(message=message(loser))
        assert (refused["status"], "exists already" in refused["detail"]) == (409, True)
        assert mailing.invoke(message=message(winner)) == won[0]


def test_files_of_another_workspace_are_neither_read_nor_written(stack: EmbeddedStack) -> None:
    mailing = Mailing(stack, "theirs")
    mailing.put([message("theirs"), recipient(1)])
    for other in ("files-2", "file", "Files"):
        refused = mailing.invoke(message={**message("theirs"), "workspace": other})
        assert refused["status"] == 400
        assert {each["field"] for each in refused["errors"]} == {"input", "output"}
        assert all(f"s3://{BUCKET}/{other}/" in each["reason"] for each in refused["errors"])
    assert mailing.objects() == {".ndjson"}


def test_file_that_the_function_may_not_use_is_named(stack: EmbeddedStack) -> None:
    mailing = Mailing(stack, "denied")
    mailing.put([message("denied"), recipient(1)])
    iam, role = stack.cloud.client("iam"), stack.ref("RewriteFunctionRole")
    policy = iam.get_role_policy(RoleName=role, PolicyName="files")
    try:
        for sids, field in (({"ReadRecipients"}, "input"), ({"UploadParts"}, "output")):
            document = policy["PolicyDocument"]
            left = [each for each in document["Statement"] if each["Sid"] not in sids]
            put_file_policy(stack, left)
            (problem,) = mailing.invoke()["errors"]
            assert problem["field"] == field
            assert "parameter FilesBucket" in problem["reason"]
    finally:
        put_file_policy(stack, policy["PolicyDocument"]["Statement"])


def put_file_policy(stack: EmbeddedStack, statements: Sequence[object]) -> None:
    stack.cloud.client("iam").put_role_policy(
        RoleName=stack.ref("RewriteFunctionRole"),
        PolicyName="files",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
    )


def test_rewrite_function_uses_exactly_its_file_permissions() -> None:
    with EmbeddedStack(parameters={"FilesBucket": BUCKET}) as stack:
        stack.cloud.client("s3").create_bucket(Bucket=BUCKET)
        mailing = Mailing(stack, "granted")
        mailing.put([message("granted"), recipient(1)])
        mailing.invoke()
        report = stack.cloud.load_permission_report()
        used = {(use.sid, use.action) for use in report.used if use.action.startswith("s3:")}
        assert used == {
            ("ReadRecipients", "s3:GetObject"),
            ("CreateFiles", "s3:PutObject"),
            ("UploadParts", "s3:PutObject"),
            ("ReplaceProgressAndReports", "s3:PutObject"),
            ("DeleteProgress", "s3:DeleteObject"),
        }
        assert not report.denied


@pytest.mark.parametrize(
    ("action", "key", "condition"),
    [
        ("put_object", "files/out", {}),
        ("put_object", "files/out", {"IfMatch": "tag"}),
        ("put_object", "files/out.progress", {}),
        ("put_object", "out.progress", {"IfNoneMatch": "*"}),
        ("complete_multipart_upload", "files/out", {"UploadId": "u"}),
        ("delete_object", "files/out", {"IfMatch": "tag"}),
        ("delete_object", "files/out.progress", {}),
        ("delete_object", "files/out.report.json", {"IfMatch": "tag"}),
        ("get_object", "out", {}),
        ("list_objects_v2", None, {}),
    ],
)
def test_role_allows_no_write_without_a_condition_and_no_file_outside_of_folders(
    stack: EmbeddedStack, action: str, key: str | None, condition: dict[str, str]
) -> None:
    s3 = stack.cloud.client(
        "s3", f"arn:aws:iam::{ACCOUNT_ID}:role/{stack.ref('RewriteFunctionRole')}"
    )
    location = {"Bucket": BUCKET} | ({"Key": key} if key else {})
    with pytest.raises(ClientError) as refused:
        getattr(s3, action)(**location, **condition)
    assert refused.value.response["Error"]["Code"] == "AccessDenied"
