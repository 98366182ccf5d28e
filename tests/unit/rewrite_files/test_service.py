"""Files of recipients: all of them, in order, once, however often the work is interrupted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.fakes import (
    InMemoryCampaignRepository,
    InMemoryObjectStore,
    InMemoryShortLinkRepository,
    InMemoryWorkspaceRepository,
)
from tests.rewrite_harness import NOW, FakeBaseUrls
from waypost.errors import AlreadyExists, InvalidRequest, NotFound, StoreUnavailable, WriteConflict
from waypost.ids import derive_campaign_id
from waypost.repositories.objects import ObjectUrl, UploadPart
from waypost.rewrite.service import RewriteService
from waypost.rewrite_files import input as file_input
from waypost.rewrite_files import output as parts
from waypost.rewrite_files import schemas as files_reporting
from waypost.rewrite_files import service
from waypost.rewrite_files.schemas import FileProgress, FileRequest
from waypost.rewrite_files.service import FileRewriteService
from waypost.tokens import Keyring, TokenSealer
from waypost.validation import validate_value

KEYRING = Keyring((b"k" * 32,))
INPUT, OUTPUT = ObjectUrl("files", "in"), ObjectUrl("files", "out")
REPORT = OUTPUT.with_suffix(".report.json")
MESSAGE = {
    "workspace": "acme",
    "campaign": "sale",
    "liquid": True,
    "content": {"html": '<a href="https://e.com/{{ n }}">{{ n }}</a>'},
}


class FailingObjectStore(InMemoryObjectStore):
    """Fails where it is told to, once, after some successes: before or after the deed."""

    broken = ""
    successes = 0

    def upload_part(self, url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        tag = super().upload_part(url, upload, number, data)
        self._break("put_part")
        return tag

    def replace(self, url: ObjectUrl, data: bytes, version: str | None) -> str:
        self._break("note")
        noted = super().replace(url, data, version)
        self._break("noted")
        return noted

    def complete_upload(self, url: ObjectUrl, upload: str, parts: Sequence[UploadPart]) -> None:
        self._break("complete")
        super().complete_upload(url, upload, parts)
        self._break("completed")

    def write(self, url: ObjectUrl, data: bytes) -> None:
        if url == REPORT:
            self._break("report")
        super().write(url, data)

    def delete(self, url: ObjectUrl) -> None:
        self._break("drop")
        super().delete(url)

    def _break(self, name: str) -> None:
        if self.broken == name:
            self.successes -= 1
            if self.successes < 0:
                self.broken = ""
                raise StoreUnavailable(name)


class Works:
    """A rewriting of files over twins, with as many seconds as the test gives it."""

    def __init__(self) -> None:
        self.objects = FailingObjectStore()
        self.campaigns = InMemoryCampaignRepository()
        self.seconds = [10_000.0]
        self.noted: list[FileProgress] = []
        self.sending = RewriteService(
            campaigns=self.campaigns,
            workspaces=InMemoryWorkspaceRepository(),
            base_urls=FakeBaseUrls(),
            short_links=InMemoryShortLinkRepository(),
            get_sealer=lambda: TokenSealer(KEYRING),
            now=lambda: NOW,
        )

    def put(self, *lines: object) -> None:
        text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        self.objects.write(INPUT, "\n".join(text).encode())

    def run(self, **more: object) -> Any:
        work = FileRewriteService(self.sending, self.objects, lambda: self.seconds[0], self._note)
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
def works(monkeypatch: pytest.MonkeyPatch) -> Works:
    monkeypatch.setattr(parts, "MIN_PART_BYTES", 20_000)
    return Works()


def people(count: int) -> list[dict[str, Any]]:
    return [{"delivery": f"d{n}", "person": f"p{n}", "data": {"n": n}} for n in range(count)]


def counts(answer: Any) -> tuple[object, ...]:
    return tuple(answer[name] for name in ("done", "lines", "delivered", "failed"))


def test_every_recipient_has_a_line_in_order(works: Works):
    works.put(MESSAGE, *people(350))
    answer = works.run()
    assert counts(answer) == (True, 350, 350, 0)
    assert answer["read"] == answer["size"] == len(works.read(INPUT))
    assert [line["delivery"] for line in works.output()] == [f"d{n}" for n in range(350)]
    assert works.sent() == 350
    assert [told["lines"] for told in works.noted] == sorted(
        {told["lines"] for told in works.noted}
    )
    assert {told["size"] for told in works.noted} == {answer["size"]}


def test_a_message_may_come_with_the_request_and_every_line_is_a_recipient(works: Works):
    works.put(*people(3), "{")
    assert counts(works.run(message=MESSAGE)) == (True, 4, 3, 1)
    assert [line["delivery"] for line in works.output()] == ["d0", "d1", "d2", None]
    assert works.output()[3]["line"] == 4


def test_lines_that_fail_are_told_in_their_place(works: Works, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(file_input, "MAX_LINE_BYTES", 1_000)
    works.put(
        MESSAGE,
        people(1)[0],
        "{not json",
        {"person": "p"},
        "",
        {"delivery": "x"},
        {"delivery": "long", "data": {"n": "x" * 1_000}},
        people(2)[1],
    )
    assert counts(works.run()) == (True, 7, 2, 4)
    first, no_json, no_delivery, no_data, too_long, last = works.output()
    assert (first["delivery"], last["delivery"]) == ("d0", "d1")
    assert no_json["line"] == 3
    assert (no_delivery["line"], no_delivery["field"]) == (4, "delivery")
    assert (no_data["delivery"], no_data["field"]) == ("x", "content.html")
    assert (too_long["line"], too_long["reason"]) == (7, "is over 1,000 bytes")
    assert works.report()["failures"] == [no_json, no_delivery, no_data, too_long]
    assert works.sent() == 2


def test_lines_may_end_as_on_windows(works: Works):
    works.objects.write(
        INPUT, b"".join(json.dumps(each).encode() + b"\r\n" for each in (MESSAGE, *people(2)))
    )
    assert counts(works.run()) == (True, 2, 2, 0)


@pytest.mark.parametrize("message", [MESSAGE, None])
def test_a_file_may_begin_with_a_byte_order_mark(works: Works, message: object):
    first = [] if message else [MESSAGE]
    text = "\n".join(json.dumps(each) for each in (*first, *people(2)))
    works.objects.write(INPUT, text.encode("utf-8-sig"))
    assert counts(works.run(message=message)) == (True, 2, 2, 0)


def test_work_goes_on_where_time_ran_out(works: Works):
    works.put(MESSAGE, *people(350))
    works.seconds[0] = 0
    rounds = 0
    while not (answer := works.run())["done"]:
        rounds += 1
        assert answer["read"] < answer["size"]
        with pytest.raises(NotFound):
            works.objects.get_state(OUTPUT)
        assert works.sent() == 0
    assert rounds > 2
    assert [line["delivery"] for line in works.output()] == [f"d{n}" for n in range(350)]
    assert works.sent() == 350
    assert works.objects.read(OUTPUT.with_suffix(".progress")) is None


def test_an_invocation_works_as_long_as_it_is_asked_to(works: Works):
    works.put(MESSAGE, *people(350))
    ticking = iter(range(10_000, 0, -10))
    work = FileRewriteService(works.sending, works.objects, lambda: next(ticking), works._note)
    asked = {"input": str(INPUT), "output": str(OUTPUT), "seconds": 15}
    assert not work.rewrite_file(validate_value(FileRequest, asked))["done"]
    assert len(works.noted) == 2


@pytest.mark.parametrize("successes", [0, 1, 2])
@pytest.mark.parametrize(
    "broken", ["put_part", "note", "noted", "complete", "completed", "report", "drop"]
)
def test_whatever_breaks_nobody_is_left_out_or_counted_twice(
    works: Works, broken: str, successes: int
):
    works.put(MESSAGE, *people(350))
    works.objects.broken = broken
    works.objects.successes = successes if broken in ("put_part", "note", "noted") else 0
    with pytest.raises(StoreUnavailable):
        works.run()
    assert works.run()["done"]
    assert [line["delivery"] for line in works.output()] == [f"d{n}" for n in range(350)]
    assert works.sent() == 350
    assert works.signed() == 350
    assert works.objects.read(OUTPUT.with_suffix(".progress")) is None


def test_who_asks_again_after_the_end_gets_the_report_and_nothing_is_done(works: Works):
    works.put(MESSAGE, *people(5))
    first, before = works.run(), works.output()
    assert works.run() == first == works.report()
    assert works.output() == before
    assert works.sent() == 5


@pytest.mark.parametrize("other", ["input", "message"])
def test_an_output_that_was_made_of_something_else_is_left_alone(works: Works, other: str):
    works.put(*people(5))
    works.run(message=MESSAGE)
    before = works.output()
    if other == "input":
        works.put(*people(6))
    message = MESSAGE if other == "input" else {**MESSAGE, "campaign": "another"}
    with pytest.raises(AlreadyExists, match="exists already"):
        works.run(message=message)
    assert works.output() == before


def test_who_takes_the_work_over_stops_who_did_it_before(works: Works):
    works.put(MESSAGE, *people(350))
    other = Works()
    other.objects, other.campaigns, other.sending = works.objects, works.campaigns, works.sending
    real = works.objects.upload_part
    met: list[int] = []

    def meanwhile(url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        if len(met) == 1:
            met.append(number)
            assert other.run()["done"]
        met.append(number)
        return real(url, upload, number, data)

    works.objects.upload_part = meanwhile  # type: ignore[method-assign]
    with pytest.raises(AlreadyExists, match="another invocation completed it"):
        works.run()
    assert [line["delivery"] for line in works.output()] == [f"d{n}" for n in range(350)]
    assert works.sent() == 350


def test_who_was_overtaken_by_one_that_is_not_done_yet_stops(works: Works):
    works.put(MESSAGE, *people(350))
    other = Works()
    other.objects, other.campaigns, other.sending = works.objects, works.campaigns, works.sending
    other.seconds[0] = 0
    real = works.objects.upload_part

    def meanwhile(url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        works.objects.upload_part = real  # type: ignore[method-assign]
        assert not other.run()["done"]
        return real(url, upload, number, data)

    works.objects.upload_part = meanwhile  # type: ignore[method-assign]
    with pytest.raises(AlreadyExists, match="another invocation continues it"):
        works.run()
    assert other.until_done()["delivered"] == 350
    assert [line["delivery"] for line in works.output()] == [f"d{n}" for n in range(350)]
    assert works.sent() == 350


def test_work_that_ended_while_it_was_asked_for_is_asked_for_again(works: Works):
    works.put(MESSAGE, *people(350))
    works.seconds[0] = 0
    works.run()
    works.seconds[0] = 10_000
    real = works.objects.replace

    def meanwhile(url: ObjectUrl, data: bytes, version: str | None) -> str:
        works.objects.replace = real  # type: ignore[method-assign]
        assert works.run()["done"]
        return real(url, data, version)

    works.objects.replace = meanwhile  # type: ignore[method-assign]
    with pytest.raises(WriteConflict):
        works.run()
    assert works.run()["delivered"] == works.sent() == 350


def test_an_upload_that_was_given_up_meanwhile_is_begun_anew(works: Works):
    works.put(MESSAGE, *people(350))
    works.seconds[0] = 0
    works.run()
    works.objects._uploads.clear()
    with pytest.raises(InvalidRequest, match="output: the upload was removed"):
        works.run()
    assert works.until_done()["delivered"] == 350
    assert works.sent() == 350


def test_a_note_of_other_software_is_not_followed(works: Works):
    works.put(MESSAGE, *people(3))
    works.objects.write(OUTPUT.with_suffix(".progress"), b'{"tags": []}')
    assert works.run()["delivered"] == 3


def test_an_input_that_changes_while_it_is_read_is_begun_anew(works: Works):
    works.put(MESSAGE, *people(350))
    real = works.objects.upload_part

    def meanwhile(url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        works.put(MESSAGE, *people(3))
        works.objects.upload_part = real  # type: ignore[method-assign]
        return real(url, upload, number, data)

    works.objects.upload_part = meanwhile  # type: ignore[method-assign]
    with pytest.raises(InvalidRequest, match="input: changed while it was read"):
        works.run()
    assert works.run()["delivered"] == 3
    assert works.sent() == 3


def test_the_report_is_the_same_however_often_the_work_was_interrupted(works: Works):
    html = MESSAGE["content"]["html"] + "{% if n == 340 %}<a href='/rel'>x</a>{% endif %}"  # type: ignore[index]
    works.put({**MESSAGE, "content": {"html": html}}, *people(350), "{")
    at_once = works.run()
    again = Works()
    again.objects.write(INPUT, works.read(INPUT))
    again.seconds[0] = 0
    assert again.until_done() == at_once == again.report() == works.report()
    assert [(link["tracked"], link["reason"]) for link in at_once["links"]] == [
        (True, None),
        (False, "has no protocol"),
    ]
    assert at_once["links"][0]["destination"] == "https://e.com/0?_cio_id=p0"
    assert at_once["links"][0]["round_trip"] is True
    assert len(at_once["failures"]) == at_once["failed"] == 1


def test_a_report_of_a_million_links_says_that_it_lists_the_first(
    works: Works, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(files_reporting, "MAX_REPORT_LINK_BYTES", 2_000)
    works.put(
        {**MESSAGE, "content": {"html": "{{ html }}"}},
        *(
            {"delivery": f"d{n}", "data": {"html": f'<a href="https://e.com/{n}">x</a>'}}
            for n in range(300)
        ),
    )
    report = works.run()
    assert 1 < len(report["links"]) < 20
    assert f"there are more links than the {len(report['links'])} that are listed" in str(
        report["warnings"]
    )


def test_failures_beyond_the_first_are_counted_and_in_the_output(works: Works):
    works.put(MESSAGE, *({"delivery": f"d{n}"} for n in range(250)))
    report = works.run()
    assert (len(report["failures"]), report["failed"], len(works.output())) == (100, 250, 250)


def test_a_dry_run_leaves_a_report_and_nothing_else(works: Works, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service, "DRY_RUN_LINES", 50)
    works.put({**MESSAGE, "dry_run": True}, people(1)[0], {"delivery": "x"}, "{", *people(99)[1:])
    report = works.run()
    assert (report["dry_run"], *counts(report)) == (True, True, 50, 0, 2)
    assert {(each["delivery"], each["field"]) for each in report["failures"]} == {
        ("x", "content.html"),
        (None, "body"),
    }
    assert report["links"][0]["destination"] == "https://e.com/0?_cio_id=p0"
    assert works.report() == report
    assert works.campaigns.get(derive_campaign_id("acme", "sale")) is None
    with pytest.raises(NotFound):
        works.objects.get_state(OUTPUT)


def test_a_file_of_another_version_is_begun_anew(works: Works):
    works.put(MESSAGE, *people(350))
    works.seconds[0] = 0
    works.run()
    works.put(MESSAGE, *people(3))
    assert works.run()["done"]
    assert len(works.output()) == 3


def test_a_message_without_recipients_gives_an_empty_file(works: Works):
    works.put(MESSAGE)
    assert counts(works.run()) == (True, 0, 0, 0)
    assert works.output() == []


@pytest.mark.parametrize(
    "first", ["", "{}", "[]", "{not json", json.dumps({**MESSAGE, "campaign": 7})]
)
def test_a_message_that_cannot_be_read_is_refused(works: Works, first: str):
    works.put(first, *people(1))
    with pytest.raises(InvalidRequest):
        works.run()


def test_an_input_that_is_not_there(works: Works):
    with pytest.raises(InvalidRequest, match="input: does not exist"):
        works.run()


def test_what_is_wrong_with_a_message_in_the_request_is_named_by_its_place(works: Works):
    works.put(*people(1))
    with pytest.raises(InvalidRequest, match=r"message\.content: must hold html"):
        works.run(message={**MESSAGE, "content": {}})


def test_an_output_must_be_another_object(works: Works):
    with pytest.raises(InvalidRequest, match="output: is the input"):
        works.run(output=str(INPUT))


@pytest.mark.parametrize(
    "url", ["", "s3://", "s3://bucket", "s3://bucket/", "https://e.com/x", "/x"]
)
def test_only_objects_are_read(url: str):
    with pytest.raises(InvalidRequest, match="input"):
        validate_value(FileRequest, {"input": url, "output": "s3://b/k"})
