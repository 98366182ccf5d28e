"""Test that every recipient is rewritten once and in order, despite interruptions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.fakes import (
    InMemoryCampaignRepository,
    InMemoryObjectStore,
)
from tests.rewrite_harness import create_rewrite_service
from waypost.errors import AlreadyExists, InvalidRequest, NotFound, StoreUnavailable, WriteConflict
from waypost.ids import derive_campaign_id
from waypost.repositories.objects import MAX_SMALL_OBJECT_BYTES, ObjectUrl, UploadPart
from waypost.rewrite_files import input as file_input
from waypost.rewrite_files import output as parts
from waypost.rewrite_files import schemas as files_reporting
from waypost.rewrite_files import service
from waypost.rewrite_files.schemas import FileProgress, FileRequest
from waypost.rewrite_files.service import FileRewriteService
from waypost.tokens import Keyring, TokenSealer
from waypost.validation import validate_value

KEYRING = Keyring((b"k" * 32,))
INPUT, OUTPUT = ObjectUrl("files", "acme/in"), ObjectUrl("files", "acme/out")
REPORT = OUTPUT.with_suffix(".report.json")
PROGRESS = OUTPUT.with_suffix(".progress")
MESSAGE = {
    "workspace": "acme",
    "campaign": "sale",
    "liquid": True,
    "content": {"html": '<a href="https://e.com/{{ n }}">{{ n }}</a>'},
}


class FailingObjectStore(InMemoryObjectStore):
    """Fails one call, after some successes, before or after its effect."""

    broken = ""
    successes = 0

    def upload_part(self, url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        tag = super().upload_part(url, upload, number, data)
        self._break("put_part")
        return tag

    def replace(self, url: ObjectUrl, data: bytes, version: str | None) -> str:
        before, after = ("report", "reported") if url == REPORT else ("note", "noted")
        self._break(before)
        noted = super().replace(url, data, version)
        self._break(after)
        return noted

    def complete_upload(self, url: ObjectUrl, upload: str, parts: Sequence[UploadPart]) -> None:
        self._break("complete")
        super().complete_upload(url, upload, parts)
        self._break("completed")

    def delete(self, url: ObjectUrl, version: str) -> None:
        self._break("drop")
        super().delete(url, version)
        self._break("dropped")

    def _break(self, name: str) -> None:
        if self.broken == name:
            self.successes -= 1
            if self.successes < 0:
                self.broken = ""
                raise StoreUnavailable(name)


class FileHarness:
    """The service over in-memory fakes; the test sets the remaining seconds."""

    def __init__(self) -> None:
        self.objects = FailingObjectStore()
        self.campaigns = InMemoryCampaignRepository()
        self.seconds = [10_000.0]
        self.noted: list[FileProgress] = []
        self.sending = create_rewrite_service(
            campaigns=self.campaigns, get_sealer=lambda: TokenSealer(KEYRING)
        )

    def put(self, *lines: object) -> None:
        text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        self.objects.put(INPUT, "\n".join(text).encode())

    def run(self, **more: object) -> Any:
        work = FileRewriteService(
            self.sending, self.objects, "files", lambda: self.seconds[0], self._note
        )
        asked = {"input": str(INPUT), "output": str(OUTPUT), **more}
        return work.rewrite_file(validate_value(FileRequest, asked))

    def until_done(self) -> Any:
        while not (answer := self.run())["done"]:
            pass
        return answer

    def output(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.read(OUTPUT).splitlines()]

    def report(self) -> Any:
        return json.loads(self.read(REPORT))

    def read(self, url: ObjectUrl) -> bytes:
        found = self.objects.read(url)
        assert found is not None
        return found.data

    def sent(self) -> int:
        return self.campaigns.get_counts(derive_campaign_id("acme", "sale")).sent

    def signed(self) -> int:
        (fingerprint,) = KEYRING.fingerprints
        return sum(self.campaigns.count_links_by_key(fingerprint).values())

    def _note(self, progress: FileProgress, part: parts.OutputPart) -> None:
        self.noted.append(progress)


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> FileHarness:
    monkeypatch.setattr(parts, "MIN_PART_BYTES", 20_000)
    return FileHarness()


def people(count: int) -> list[dict[str, Any]]:
    return [{"delivery": f"d{n}", "person": f"p{n}", "data": {"n": n}} for n in range(count)]


def counts(answer: Any) -> tuple[object, ...]:
    return tuple(answer[name] for name in ("done", "lines", "delivered", "failed"))


def test_every_recipient_has_a_line_in_order(harness: FileHarness):
    harness.put(MESSAGE, *people(350))
    answer = harness.run()
    assert counts(answer) == (True, 350, 350, 0)
    assert answer["read"] == answer["size"] == len(harness.read(INPUT))
    assert [line["delivery"] for line in harness.output()] == [f"d{n}" for n in range(350)]
    assert harness.sent() == 350
    assert [told["lines"] for told in harness.noted] == sorted(
        {told["lines"] for told in harness.noted}
    )
    assert {told["size"] for told in harness.noted} == {answer["size"]}


def test_every_line_is_a_recipient_if_the_request_has_the_message(harness: FileHarness):
    harness.put(*people(3), "{")
    assert counts(harness.run(message=MESSAGE)) == (True, 4, 3, 1)
    assert [line["delivery"] for line in harness.output()] == ["d0", "d1", "d2", None]
    assert harness.output()[3]["line"] == 4


def test_failed_lines_appear_in_their_position(
    harness: FileHarness, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(file_input, "MAX_LINE_BYTES", 1_000)
    harness.put(
        MESSAGE,
        people(1)[0],
        "{not json",
        {"person": "p"},
        "",
        {"delivery": "x"},
        {"delivery": "long", "data": {"n": "x" * 1_000}},
        people(2)[1],
    )
    assert counts(harness.run()) == (True, 7, 2, 4)
    first, no_json, no_delivery, no_data, too_long, last = harness.output()
    assert (first["delivery"], last["delivery"]) == ("d0", "d1")
    assert no_json["line"] == 3
    assert (no_delivery["line"], no_delivery["field"]) == (4, "delivery")
    assert (no_data["delivery"], no_data["field"]) == ("x", "content.html")
    assert (too_long["line"], too_long["reason"]) == (7, "is over 1,000 bytes")
    assert harness.report()["failures"] == [no_json, no_delivery, no_data, too_long]
    assert harness.sent() == 2


def test_lines_may_end_with_crlf(harness: FileHarness):
    harness.objects.put(
        INPUT, b"".join(json.dumps(each).encode() + b"\r\n" for each in (MESSAGE, *people(2)))
    )
    assert counts(harness.run()) == (True, 2, 2, 0)


@pytest.mark.parametrize("message", [MESSAGE, None])
def test_file_may_begin_with_a_byte_order_mark(harness: FileHarness, message: object):
    first = [] if message else [MESSAGE]
    text = "\n".join(json.dumps(each) for each in (*first, *people(2)))
    harness.objects.put(INPUT, text.encode("utf-8-sig"))
    assert counts(harness.run(message=message)) == (True, 2, 2, 0)


def test_next_invocation_continues_after_the_time_limit(harness: FileHarness):
    harness.put(MESSAGE, *people(350))
    harness.seconds[0] = 0
    rounds = 0
    while not (answer := harness.run())["done"]:
        rounds += 1
        assert answer["read"] < answer["size"]
        with pytest.raises(NotFound):
            harness.objects.get_state(OUTPUT)
        assert harness.sent() == 0
    assert rounds > 2
    assert [line["delivery"] for line in harness.output()] == [f"d{n}" for n in range(350)]
    assert harness.sent() == 350
    assert harness.objects.read(PROGRESS) is None


def test_invocation_stops_after_the_requested_seconds(harness: FileHarness):
    harness.put(MESSAGE, *people(350))
    ticking = iter(range(10_000, 0, -10))
    work = FileRewriteService(
        harness.sending, harness.objects, "files", lambda: next(ticking), harness._note
    )
    asked = {"input": str(INPUT), "output": str(OUTPUT), "seconds": 15}
    assert not work.rewrite_file(validate_value(FileRequest, asked))["done"]
    assert len(harness.noted) == 2


@pytest.mark.parametrize("successes", [0, 1, 2])
@pytest.mark.parametrize(
    "broken",
    [
        *("put_part", "note", "noted", "complete", "completed"),
        *("report", "reported", "drop", "dropped"),
    ],
)
def test_failed_call_neither_skips_nor_double_counts_recipients(
    harness: FileHarness, broken: str, successes: int
):
    harness.put(MESSAGE, *people(350))
    harness.objects.broken = broken
    harness.objects.successes = successes if broken in ("put_part", "note", "noted") else 0
    with pytest.raises(StoreUnavailable):
        harness.run()
    assert harness.run()["done"]
    assert [line["delivery"] for line in harness.output()] == [f"d{n}" for n in range(350)]
    assert harness.sent() == 350
    assert harness.signed() == 350
    assert harness.objects.read(PROGRESS) is None


def test_repeated_request_after_completion_returns_the_report_only(harness: FileHarness):
    harness.put(MESSAGE, *people(5))
    first, before = harness.run(), harness.output()
    assert harness.run() == first == harness.report()
    assert harness.output() == before
    assert harness.sent() == 5


@pytest.mark.parametrize("other", ["input", "message"])
def test_output_of_another_input_or_message_is_not_overwritten(harness: FileHarness, other: str):
    harness.put(*people(5))
    harness.run(message=MESSAGE)
    before = harness.output()
    if other == "input":
        harness.put(*people(6))
    message = MESSAGE if other == "input" else {**MESSAGE, "campaign": "another"}
    with pytest.raises(AlreadyExists, match="exists already"):
        harness.run(message=message)
    assert harness.output() == before


def test_invocation_that_claims_the_work_stops_the_previous_one(harness: FileHarness):
    harness.put(MESSAGE, *people(350))
    other = FileHarness()
    other.objects, other.campaigns, other.sending = (
        harness.objects,
        harness.campaigns,
        harness.sending,
    )
    real = harness.objects.upload_part
    met: list[int] = []

    def meanwhile(url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        if len(met) == 1:
            met.append(number)
            assert other.run()["done"]
        met.append(number)
        return real(url, upload, number, data)

    harness.objects.upload_part = meanwhile  # type: ignore[method-assign]
    with pytest.raises(AlreadyExists, match="another invocation completed it"):
        harness.run()
    assert [line["delivery"] for line in harness.output()] == [f"d{n}" for n in range(350)]
    assert harness.sent() == 350


def test_invocation_stops_if_another_claimed_the_work_and_still_runs(harness: FileHarness):
    harness.put(MESSAGE, *people(350))
    other = FileHarness()
    other.objects, other.campaigns, other.sending = (
        harness.objects,
        harness.campaigns,
        harness.sending,
    )
    other.seconds[0] = 0
    real = harness.objects.upload_part

    def meanwhile(url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        harness.objects.upload_part = real  # type: ignore[method-assign]
        assert not other.run()["done"]
        return real(url, upload, number, data)

    harness.objects.upload_part = meanwhile  # type: ignore[method-assign]
    with pytest.raises(AlreadyExists, match="another invocation continues it"):
        harness.run()
    assert other.until_done()["delivered"] == 350
    assert [line["delivery"] for line in harness.output()] == [f"d{n}" for n in range(350)]
    assert harness.sent() == 350


def test_work_that_ends_during_a_claim_raises_a_conflict(harness: FileHarness):
    harness.put(MESSAGE, *people(350))
    harness.seconds[0] = 0
    harness.run()
    harness.seconds[0] = 10_000
    real = harness.objects.replace

    def meanwhile(url: ObjectUrl, data: bytes, version: str | None) -> str:
        harness.objects.replace = real  # type: ignore[method-assign]
        assert harness.run()["done"]
        return real(url, data, version)

    harness.objects.replace = meanwhile  # type: ignore[method-assign]
    with pytest.raises(WriteConflict):
        harness.run()
    assert harness.run()["delivered"] == harness.sent() == 350


def test_removed_upload_is_started_over_by_the_next_invocation(harness: FileHarness):
    harness.put(MESSAGE, *people(350))
    harness.seconds[0] = 0
    harness.run()
    harness.objects._uploads.clear()
    with pytest.raises(InvalidRequest, match="output: the upload was removed"):
        harness.run()
    assert harness.until_done()["delivered"] == 350
    assert harness.sent() == 350


@pytest.mark.parametrize(
    "data",
    [b'{"tags": []}', b"[]", b"name,size\n", b"[" * 9_999, bytes(MAX_SMALL_OBJECT_BYTES + 1)],
)
def test_file_in_the_place_of_the_checkpoint_is_not_overwritten(harness: FileHarness, data: bytes):
    harness.put(MESSAGE, *people(3))
    harness.objects.put(PROGRESS, data)
    with pytest.raises(AlreadyExists, match=r"acme/out\.progress is no progress .* delete it"):
        harness.run()
    assert harness.objects._objects[PROGRESS].data == data
    assert harness.sent() == 0


def test_job_of_another_request_is_not_taken_over(harness: FileHarness):
    harness.put(MESSAGE, *people(350))
    harness.seconds[0] = 0
    harness.run()
    before = harness.read(PROGRESS)
    other_input = ObjectUrl("files", "acme/in-2")
    harness.objects.put(other_input, harness.read(INPUT) + b"\n")
    for more in ({"input": str(other_input)}, {"message": {**MESSAGE, "campaign": "another"}}):
        with pytest.raises(AlreadyExists, match="another request is writing it"):
            harness.run(**more)
        assert harness.read(PROGRESS) == before
    assert harness.until_done()["delivered"] == harness.sent() == 350


def test_checkpoint_of_a_release_without_request_digests_continues(harness: FileHarness):
    harness.put(MESSAGE, *people(350))
    harness.seconds[0] = 0
    harness.run()
    stored = json.loads(harness.read(PROGRESS))
    del stored["request"]
    harness.objects.put(PROGRESS, json.dumps(stored).encode())
    assert harness.until_done()["delivered"] == harness.sent() == 350


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    "data",
    [
        b"name,size\n",
        b"[]",
        b"{}",
        b"[" * 9_999,
        bytes(MAX_SMALL_OBJECT_BYTES + 1),
        json.dumps({"version": "v", "dry_run": True}).encode(),
    ],
)
def test_file_in_the_place_of_the_report_is_not_overwritten(
    harness: FileHarness, data: bytes, dry_run: bool
):
    harness.put({**MESSAGE, "dry_run": dry_run}, *people(3))
    harness.objects.put(REPORT, data)
    with pytest.raises(AlreadyExists, match=r"acme/out\.report\.json exists already"):
        harness.run()
    assert harness.objects._objects[REPORT].data == data
    assert set(harness.objects._objects) == {INPUT, REPORT}


def test_report_of_another_job_is_not_overwritten_after_its_output_was_deleted(
    harness: FileHarness,
):
    harness.put(MESSAGE, *people(3))
    harness.run()
    before = harness.read(REPORT)
    harness.objects.delete(OUTPUT, harness.objects.get_state(OUTPUT).version)
    harness.put(MESSAGE, *people(4))
    with pytest.raises(AlreadyExists, match="neither this job's report nor a dry run's"):
        harness.run()
    assert harness.read(REPORT) == before


def test_report_of_a_dry_run_gives_way_to_the_next_run(harness: FileHarness):
    for count in (3, 4):
        harness.put({**MESSAGE, "dry_run": True}, *people(count))
        assert harness.run()["lines"] == harness.report()["lines"] == count
    harness.put(MESSAGE, *people(5))
    assert harness.run()["delivered"] == harness.report()["delivered"] == 5


def test_dry_run_does_not_overwrite_the_report_of_a_job(harness: FileHarness):
    harness.put(MESSAGE, *people(3))
    report = harness.run()
    harness.put({**MESSAGE, "dry_run": True}, *people(3))
    with pytest.raises(AlreadyExists):
        harness.run()
    harness.objects.delete(OUTPUT, harness.objects.get_state(OUTPUT).version)
    with pytest.raises(AlreadyExists):
        harness.run()
    assert harness.report() == report


def test_dry_run_leaves_the_checkpoint_of_a_job(harness: FileHarness):
    harness.put(*people(350))
    harness.seconds[0] = 0
    harness.run(message=MESSAGE)
    before = harness.read(PROGRESS)
    assert harness.run(message={**MESSAGE, "dry_run": True})["dry_run"]
    assert harness.read(PROGRESS) == before
    while not (report := harness.run(message=MESSAGE))["done"]:
        pass
    assert harness.report() == report


@pytest.mark.parametrize("moment", ["before", "during"])
def test_output_that_another_program_writes_meanwhile_is_not_overwritten(
    harness: FileHarness, moment: str
):
    harness.put(MESSAGE, *people(350))
    harness.seconds[0] = 0
    harness.run()
    harness.seconds[0] = 10_000
    real = harness.objects.complete_upload

    def meanwhile(url: ObjectUrl, upload: str, parts: Sequence[UploadPart]) -> None:
        harness.objects.put(OUTPUT, b"of another program")
        real(url, upload, parts)

    if moment == "before":
        harness.objects.put(OUTPUT, b"of another program")
    else:
        harness.objects.complete_upload = meanwhile  # type: ignore[method-assign]
    with pytest.raises(AlreadyExists, match="was written by another job or program meanwhile"):
        harness.run()
    harness.objects.complete_upload = real  # type: ignore[method-assign]
    assert harness.read(OUTPUT) == b"of another program"
    assert harness.objects.read(REPORT) is None
    assert harness.sent() == (0 if moment == "before" else 350)
    harness.objects.delete(OUTPUT, harness.objects.get_state(OUTPUT).version)
    assert harness.run()["delivered"] == harness.sent() == 350


def test_output_that_was_written_and_deleted_meanwhile_is_retried(harness: FileHarness):
    harness.put(MESSAGE, *people(350))
    real = harness.objects.complete_upload

    def meanwhile(url: ObjectUrl, upload: str, parts: Sequence[UploadPart]) -> None:
        raise WriteConflict(str(url))

    harness.objects.complete_upload = meanwhile  # type: ignore[method-assign]
    with pytest.raises(WriteConflict):
        harness.run()
    harness.objects.complete_upload = real  # type: ignore[method-assign]
    assert harness.run()["delivered"] == harness.sent() == 350


def test_one_of_two_requests_for_one_output_writes_it(harness: FileHarness):
    """Both find no output and no checkpoint; the second begins before the first has claimed it."""
    harness.put(MESSAGE, *people(5))
    other_input = ObjectUrl("files", "acme/in-2")
    harness.objects.put(other_input, harness.read(INPUT) + b"\n")
    real = harness.objects.create_upload
    reports: list[Any] = []

    def meanwhile(url: ObjectUrl, job: str) -> str:
        harness.objects.create_upload = real  # type: ignore[method-assign]
        reports.append(harness.run(input=str(other_input)))
        return real(url, job)

    harness.objects.create_upload = meanwhile  # type: ignore[method-assign]
    with pytest.raises(AlreadyExists, match="was written by another job or program meanwhile"):
        harness.run()
    assert harness.report() == reports[0]
    assert len(harness.output()) == harness.sent() == 5
    with pytest.raises(AlreadyExists, match="exists already"):
        harness.run()
    assert harness.run(input=str(other_input)) == reports[0]


def test_second_of_two_claims_of_one_output_fails(harness: FileHarness):
    harness.put(MESSAGE, *people(5))
    other_input = ObjectUrl("files", "acme/in-2")
    harness.objects.put(other_input, harness.read(INPUT) + b"\n")
    real = harness.objects.create_upload

    def meanwhile(url: ObjectUrl, job: str) -> str:
        harness.objects.create_upload = real  # type: ignore[method-assign]
        harness.seconds[0] = 0
        harness.put(MESSAGE, *people(350))
        assert not harness.run()["done"]
        return real(url, job)

    harness.objects.create_upload = meanwhile  # type: ignore[method-assign]
    with pytest.raises(WriteConflict):
        harness.run(input=str(other_input))
    with pytest.raises(AlreadyExists, match="another request is writing it"):
        harness.run(input=str(other_input))
    assert harness.until_done()["delivered"] == harness.sent() == 350


def test_input_that_changes_during_the_work_starts_over(harness: FileHarness):
    harness.put(MESSAGE, *people(350))
    real = harness.objects.upload_part

    def meanwhile(url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        harness.put(MESSAGE, *people(3))
        harness.objects.upload_part = real  # type: ignore[method-assign]
        return real(url, upload, number, data)

    harness.objects.upload_part = meanwhile  # type: ignore[method-assign]
    with pytest.raises(InvalidRequest, match="input: changed while it was read"):
        harness.run()
    assert harness.run()["delivered"] == 3
    assert harness.sent() == 3


def test_report_does_not_depend_on_interruptions(harness: FileHarness):
    html = MESSAGE["content"]["html"] + "{% if n == 340 %}<a href='/rel'>x</a>{% endif %}"  # type: ignore[index]
    harness.put({**MESSAGE, "content": {"html": html}}, *people(350), "{")
    at_once = harness.run()
    again = FileHarness()
    again.objects.put(INPUT, harness.read(INPUT))
    again.seconds[0] = 0
    assert again.until_done() == at_once == again.report() == harness.report()
    assert [(link["tracked"], link["reason"]) for link in at_once["links"]] == [
        (True, None),
        (False, "has no protocol"),
    ]
    assert at_once["links"][0]["destination"] == "https://e.com/0?_cio_id=p0"
    assert at_once["links"][0]["round_trip"] is True
    assert len(at_once["failures"]) == at_once["failed"] == 1


def test_report_of_too_many_links_says_that_it_is_truncated(
    harness: FileHarness, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(files_reporting, "MAX_REPORT_LINK_BYTES", 2_000)
    harness.put(
        {**MESSAGE, "content": {"html": "{{ html }}"}},
        *(
            {"delivery": f"d{n}", "data": {"html": f'<a href="https://e.com/{n}">x</a>'}}
            for n in range(300)
        ),
    )
    report = harness.run()
    assert 1 < len(report["links"]) < 20
    assert f"there are more links than the {len(report['links'])} that are listed" in str(
        report["warnings"]
    )


def test_failures_beyond_the_first_are_counted_and_in_the_output(harness: FileHarness):
    harness.put(MESSAGE, *({"delivery": f"d{n}"} for n in range(250)))
    report = harness.run()
    assert (len(report["failures"]), report["failed"], len(harness.output())) == (100, 250, 250)


def test_a_dry_run_leaves_a_report_and_nothing_else(
    harness: FileHarness, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "DRY_RUN_LINES", 50)
    harness.put({**MESSAGE, "dry_run": True}, people(1)[0], {"delivery": "x"}, "{", *people(99)[1:])
    report = harness.run()
    assert (report["dry_run"], *counts(report)) == (True, True, 50, 0, 2)
    assert {(each["delivery"], each["field"]) for each in report["failures"]} == {
        ("x", "content.html"),
        (None, "body"),
    }
    assert report["links"][0]["destination"] == "https://e.com/0?_cio_id=p0"
    assert harness.report() == report
    assert harness.campaigns.get(derive_campaign_id("acme", "sale")) is None
    with pytest.raises(NotFound):
        harness.objects.get_state(OUTPUT)


def test_file_of_another_version_starts_over(harness: FileHarness):
    harness.put(MESSAGE, *people(350))
    harness.seconds[0] = 0
    harness.run()
    harness.put(MESSAGE, *people(3))
    assert harness.run()["done"]
    assert len(harness.output()) == 3


def test_message_without_recipients_gives_an_empty_output(harness: FileHarness):
    harness.put(MESSAGE)
    assert counts(harness.run()) == (True, 0, 0, 0)
    assert harness.output() == []


@pytest.mark.parametrize(
    "first", ["", "{}", "[]", "{not json", json.dumps({**MESSAGE, "campaign": 7})]
)
def test_invalid_message_is_refused(harness: FileHarness, first: str):
    harness.put(first, *people(1))
    with pytest.raises(InvalidRequest):
        harness.run()


def test_missing_input_is_refused(harness: FileHarness):
    with pytest.raises(InvalidRequest, match="input: s3://files/acme/in does not exist"):
        harness.run()


def test_problem_in_the_message_of_the_request_names_its_field(harness: FileHarness):
    harness.put(*people(1))
    with pytest.raises(InvalidRequest, match=r"message\.content: must hold html"):
        harness.run(message={**MESSAGE, "content": {}})


def test_an_output_must_be_another_object(harness: FileHarness):
    with pytest.raises(InvalidRequest, match=r"output: .* is the input"):
        harness.run(output=str(INPUT))


def test_tags_can_be_switched_off_for_a_file(harness: FileHarness) -> None:
    tag = "{% cio_link url:https://evil.example %}"
    content = {"text": f"Hi {tag}"}
    harness.put(MESSAGE | {"liquid": False, "tags": False, "content": content}, {"delivery": "d1"})
    report = harness.run()
    assert report["links"] == []
    assert report["warnings"] == [
        "content.text has cio_link tags that stay as they are (1): tags is false"
    ]
    assert [each["content"] for each in harness.output()] == [content]
