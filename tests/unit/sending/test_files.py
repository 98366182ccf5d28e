"""Files of recipients: all of them, in order, once, however often the work is interrupted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.sending.conftest import NOW, Bases
from waypost.codes import campaign_code
from waypost.errors import InvalidRequest, NotFound, StoreUnavailable
from waypost.sending import files
from waypost.sending.batches import Sending
from waypost.sending.files import Bulk, BulkAnswer, BulkRequest, Progress
from waypost.store.memory.campaigns import MemoryCampaigns
from waypost.store.memory.objects import MemoryObjects
from waypost.store.memory.short_links import MemoryShortLinks
from waypost.store.memory.workspaces import MemoryWorkspaces
from waypost.store.objects import ObjectUrl
from waypost.tokens import Keyring, Sealer
from waypost.validation import checked

KEYRING = Keyring((b"k" * 32,))
INPUT, OUTPUT = ObjectUrl("files", "in"), ObjectUrl("files", "out")
MESSAGE = {
    "workspace": "acme",
    "campaign": "sale",
    "liquid": True,
    "content": {"html": '<a href="https://e.com/{{ n }}">{{ n }}</a>'},
}


class Failing(MemoryObjects):
    """Fails where it is told to, once, after some successes."""

    broken = ""
    successes = 0

    def put_part(self, url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        tag = super().put_part(url, upload, number, data)
        self._break("put_part")
        return tag

    def write(self, url: ObjectUrl, data: bytes) -> None:
        if url == OUTPUT.beside(".progress"):
            self._break("write")
        super().write(url, data)

    def complete(self, url: ObjectUrl, upload: str, tags: Sequence[str]) -> None:
        self._break("complete")
        super().complete(url, upload, tags)

    def _break(self, name: str) -> None:
        if self.broken == name:
            self.successes -= 1
            if self.successes < 0:
                self.broken = ""
                raise StoreUnavailable(name)


class Works:
    """A bulk rewriting over twins, with as many seconds as the test gives it."""

    def __init__(self) -> None:
        self.objects = Failing()
        self.campaigns = MemoryCampaigns()
        self.seconds = [10_000.0]
        self.noted: list[Progress] = []
        self.sending = Sending(
            campaigns=self.campaigns,
            workspaces=MemoryWorkspaces(),
            base_urls=Bases(),
            short_links=MemoryShortLinks(),
            sealer=lambda: Sealer(KEYRING),
            now=lambda: NOW,
        )

    def put(self, *lines: object) -> None:
        text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        self.objects.write(INPUT, "\n".join(text).encode())

    def run(self) -> BulkAnswer:
        work = Bulk(self.sending, self.objects, lambda: self.seconds[0], self.noted.append)
        return work.rewrite(checked(BulkRequest, {"input": str(INPUT), "output": str(OUTPUT)}))

    def output(self) -> list[dict[str, Any]]:
        data = self.objects.read(OUTPUT)
        assert data is not None
        return [json.loads(line) for line in data.splitlines()]

    def sent(self) -> int:
        return self.campaigns.counts(campaign_code("acme", "sale")).sent

    def signed(self) -> int:
        (fingerprint,) = KEYRING.fingerprints
        return sum(self.campaigns.signed(fingerprint).values())


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> Works:
    monkeypatch.setattr(files, "PART", 20_000)
    return Works()


def people(count: int) -> list[dict[str, Any]]:
    return [{"delivery": f"d{n}", "person": f"p{n}", "data": {"n": n}} for n in range(count)]


def test_every_recipient_has_a_line_in_order(works: Works):
    works.put(MESSAGE, *people(350))
    assert works.run() == {"done": True, "lines": 350, "delivered": 350, "failed": 0}
    assert [line["delivery"] for line in works.output()] == [f"d{n}" for n in range(350)]
    assert works.sent() == 350
    assert [progress.lines for progress in works.noted] == sorted({p.lines for p in works.noted})


def test_lines_that_fail_are_told_in_their_place(works: Works):
    works.put(
        MESSAGE, people(1)[0], "{not json", {"person": "p"}, "", {"delivery": "x"}, people(2)[1]
    )
    assert works.run() == {"done": True, "lines": 6, "delivered": 2, "failed": 3}
    first, no_json, no_delivery, no_data, last = works.output()
    assert (first["delivery"], last["delivery"]) == ("d0", "d1")
    assert no_json["line"] == 3
    assert (no_delivery["line"], no_delivery["field"]) == (4, "delivery")
    assert (no_data["delivery"], no_data["field"]) == ("x", "content.html")
    assert works.sent() == 2


def test_work_goes_on_where_time_ran_out(works: Works):
    works.put(MESSAGE, *people(350))
    works.seconds[0] = 0
    rounds = 0
    while not works.run()["done"]:
        rounds += 1
    assert rounds > 2
    assert [line["delivery"] for line in works.output()] == [f"d{n}" for n in range(350)]
    assert works.sent() == 350
    assert works.objects.read(OUTPUT.beside(".progress")) is None


@pytest.mark.parametrize("successes", [0, 1, 2])
@pytest.mark.parametrize("broken", ["put_part", "write", "complete"])
def test_whatever_breaks_nobody_is_left_out_or_counted_twice(
    works: Works, broken: str, successes: int
):
    works.put(MESSAGE, *people(350))
    works.objects.broken = broken
    works.objects.successes = 0 if broken == "complete" else successes
    with pytest.raises(StoreUnavailable):
        works.run()
    assert works.run()["done"]
    assert [line["delivery"] for line in works.output()] == [f"d{n}" for n in range(350)]
    assert works.sent() == 350
    assert works.signed() == 350


def test_a_file_of_another_version_is_begun_anew(works: Works):
    works.put(MESSAGE, *people(350))
    works.seconds[0] = 0
    works.run()
    works.put(MESSAGE, *people(3))
    assert works.run()["done"]
    assert len(works.output()) == 3


def test_a_message_without_recipients_gives_an_empty_file(works: Works):
    works.put(MESSAGE)
    assert works.run() == {"done": True, "lines": 0, "delivered": 0, "failed": 0}
    assert works.output() == []


@pytest.mark.parametrize(
    "first", ["", "{}", "[]", "{not json", json.dumps({**MESSAGE, "campaign": 7})]
)
def test_a_message_that_cannot_be_read_is_refused(works: Works, first: str):
    works.put(first, *people(1))
    with pytest.raises(InvalidRequest):
        works.run()


def test_an_input_that_is_not_there(works: Works):
    with pytest.raises(NotFound):
        works.run()


@pytest.mark.parametrize(
    "url", ["", "s3://", "s3://bucket", "s3://bucket/", "https://e.com/x", "/x"]
)
def test_only_objects_are_read(url: str):
    with pytest.raises(InvalidRequest, match="input"):
        checked(BulkRequest, {"input": url, "output": "s3://b/k"})
