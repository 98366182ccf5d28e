"""Exports of the people who clicked a link: complete in one part, or in several parts."""

import csv
import io
import json

import pytest

from waypost.reports.people import EXPORT_PART_BYTES, EXPORT_PART_SECONDS, PeopleExport
from waypost.reports.schemas import People, PersonClicks

SECONDS_PER_PAGE = 2


class SlowPeopleList:
    """A list of ``pages`` full pages; reading one takes ``SECONDS_PER_PAGE``."""

    def __init__(self, pages: int, name: str = "p") -> None:
        self.pages = pages
        self.name = name
        self.now = 0.0

    def list_link_people(self, workspace: str, link: str, cursor: str | None, limit: int) -> People:
        self.now += SECONDS_PER_PAGE
        number = int(cursor or 0)
        people = [
            PersonClicks(person=f"{self.name}{number}-{n}", first="f", last="l", clicks=1)
            for n in range(limit)
        ]
        next_page = str(number + 1) if number + 1 < self.pages else None
        return People(people=people, cursor=next_page)


def read_parts(pages, file_format):
    people = SlowPeopleList(pages)
    export = PeopleExport(people.list_link_people, lambda: people.now)
    texts, cursor = [], None
    while True:
        part = export.read_part("acme", "link", file_format, cursor)
        texts.append(part.text)
        if (cursor := part.cursor) is None:
            return texts


def test_a_small_export_is_one_file():
    (text,) = read_parts(3, "csv")
    assert len(list(csv.DictReader(io.StringIO(text)))) == 3_000


@pytest.mark.parametrize("file_format", ["csv", "ndjson"])
def test_joined_parts_contain_each_person_once(file_format):
    texts = read_parts(40, file_format)
    assert len(texts) > 1
    whole = "".join(texts)
    if file_format == "csv":
        names = [row["person"] for row in csv.DictReader(io.StringIO(whole))]
    else:
        names = [json.loads(line)["person"] for line in whole.splitlines()]
    assert names == [f"p{page}-{n}" for page in range(40) for n in range(1_000)]


def test_a_part_ends_before_the_timeout_of_the_api():
    pages_per_part = -(-EXPORT_PART_SECONDS // SECONDS_PER_PAGE)
    assert len(read_parts(40, "csv")) == -(-40 // pages_per_part)


@pytest.mark.parametrize("file_format", ["csv", "ndjson"])
@pytest.mark.parametrize("name", ["p", "\U0001f600" * 240, '"' * 240])
def test_a_part_fits_into_a_lambda_response(file_format, name):
    people = SlowPeopleList(10_000, name)
    export = PeopleExport(people.list_link_people, lambda: 0.0)
    part = export.read_part("acme", "link", file_format, None)
    size = len(json.dumps(part.text, ensure_ascii=False).encode())
    assert EXPORT_PART_BYTES <= size < 6_000_000


def test_csv_quotes_names_with_quotes_commas_and_line_breaks():
    def list_people(workspace: str, link: str, cursor: str | None, limit: int) -> People:
        names = ['a "b", c', "line\r\nbreak", "=1+1", None]
        return People(
            people=[PersonClicks(person=n, first="f", last="l", clicks=1) for n in names],
            cursor=None,
        )

    text = PeopleExport(list_people, lambda: 0.0).read_part("acme", "link", "csv", None).text
    names = [row["person"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert names == ['a "b", c', "line\r\nbreak", "'=1+1", ""]


def test_names_are_protected_in_csv_and_verbatim_in_ndjson():
    names = ["=HYPERLINK(1)", "+49 151 2345", "-1", "@ada", "＝1", " =1", "'=1", "ada"]

    def list_people(workspace: str, link: str, cursor: str | None, limit: int) -> People:
        people = [PersonClicks(person=n, first="f", last="l", clicks=1) for n in names]
        return People(people=people, cursor=None)

    export = PeopleExport(list_people, lambda: 0.0)
    lines = export.read_part("acme", "link", "ndjson", None).text.splitlines()
    assert [json.loads(line)["person"] for line in lines] == names
    text = export.read_part("acme", "link", "csv", None).text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["person"] for row in rows] == [*(f"'{name}" for name in names[:-1]), "ada"]
    assert {row["clicks"] for row in rows} == {"1"}
