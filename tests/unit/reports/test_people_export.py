"""A segment as a file: whole where it fits, in parts where not, and the parts make the whole."""

import csv
import io
import json

import pytest

from waypost.reports.people import EXPORT_PART_BYTES, EXPORT_PART_SECONDS, PeopleExport
from waypost.reports.schemas import People, PersonClicks

SECONDS_A_PAGE = 2


class LongList:
    """So many pages of a thousand people, each a while to read."""

    def __init__(self, pages: int, name: str = "p") -> None:
        self.pages = pages
        self.name = name
        self.now = 0.0

    def list_link_people(self, workspace: str, link: str, cursor: str | None, limit: int) -> People:
        self.now += SECONDS_A_PAGE
        number = int(cursor or 0)
        people = [
            PersonClicks(person=f"{self.name}{number}-{n}", first="f", last="l", clicks=1)
            for n in range(limit)
        ]
        following = str(number + 1) if number + 1 < self.pages else None
        return People(people=people, cursor=following)


def parts(pages, written):
    people = LongList(pages)
    segments = PeopleExport(people, lambda: people.now)
    found, cursor = [], None
    while True:
        part = segments.read_part("acme", "link", written, cursor)
        found.append(part.text)
        if (cursor := part.cursor) is None:
            return found


def test_what_fits_is_one_file():
    (text,) = parts(3, "csv")
    assert len(list(csv.DictReader(io.StringIO(text)))) == 3_000


@pytest.mark.parametrize("written", ["csv", "ndjson"])
def test_parts_make_the_whole_with_everybody_once(written):
    found = parts(40, written)
    assert len(found) > 1
    whole = "".join(found)
    if written == "csv":
        names = [row["person"] for row in csv.DictReader(io.StringIO(whole))]
    else:
        names = [json.loads(line)["person"] for line in whole.splitlines()]
    assert names == [f"p{page}-{n}" for page in range(40) for n in range(1_000)]


def test_a_part_ends_before_the_api_gives_up():
    assert len(parts(40, "csv")) == -(-40 // -(-EXPORT_PART_SECONDS // SECONDS_A_PAGE))


@pytest.mark.parametrize("written", ["csv", "ndjson"])
@pytest.mark.parametrize("name", ["p", "\U0001f600" * 240, '"' * 240])
def test_a_part_ends_before_an_answer_is_too_large(written, name):
    people = LongList(10_000, name)
    part = PeopleExport(people, lambda: 0.0).read_part("acme", "link", written, None)
    answered = len(json.dumps(part.text, ensure_ascii=False).encode())
    assert EXPORT_PART_BYTES <= answered < 6_000_000


def test_what_a_cell_cannot_hold_as_it_is_is_quoted():
    class Awkward:
        def list_link_people(
            self, workspace: str, link: str, cursor: str | None, limit: int
        ) -> People:
            names = ['a "b", c', "line\r\nbreak", "=1+1", None]
            return People(
                people=[PersonClicks(person=n, first="f", last="l", clicks=1) for n in names],
                cursor=None,
            )

    text = PeopleExport(Awkward(), lambda: 0.0).read_part("acme", "link", "csv", None).text
    names = [row["person"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert names == ['a "b", c', "line\r\nbreak", "=1+1", ""]
