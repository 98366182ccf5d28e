"""No cell of a CSV export is a formula to a spreadsheet, and no text is lost."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waypost.reports.csv_export import format_csv

FORMULA_STARTS = "=+-@"
SEPARATORS = ",;\t"
TEXT = st.text(
    st.one_of(
        st.sampled_from("=+-@＝＋－＠﹢﹣﹦﹫⁺⁻ \t\r\n\x00\xa0\u200b\ufeff'\"＇＂‘’“”,;|1aé"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=30,
)
NUMBER = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))


def read_csv(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def is_formula(cell: str) -> bool:
    """Return True if any spreadsheet might evaluate the cell."""
    bare = cell
    while bare and (bare[0] in "\"'＂＇‘’“”" or unicodedata.category(bare[0])[0] in "ZC"):
        if bare[0] in "\t\r\n":
            return True
        bare = bare[1:]
    return unicodedata.normalize("NFKC", bare[:1]) in tuple(FORMULA_STARTS)


def restore(cell: str) -> str:
    """Undo the protection as docs/reports.md describes it."""
    return cell[1:] if cell.startswith("'") and is_formula(cell[1:]) else cell


@given(st.lists(st.tuples(TEXT, NUMBER, TEXT), min_size=1, max_size=5))
def test_texts_and_numbers_read_back_after_the_protection_is_removed(
    rows: list[tuple[str, float, str]],
) -> None:
    for (first, number, last), cells in zip(rows, read_csv(format_csv(rows)), strict=True):
        assert (restore(cells[0]), restore(cells[2])) == (first, last)
        assert type(number)(cells[1]) == number


@given(st.lists(st.lists(TEXT, min_size=2, max_size=4), min_size=1, max_size=5))
def test_text_that_is_a_formula_begins_with_an_apostrophe(rows: list[list[str]]) -> None:
    for cells, written in zip(rows, read_csv(format_csv(rows)), strict=True):
        for cell, text in zip(cells, written, strict=True):
            assert text == (f"'{cell}" if is_formula(cell) else cell)


@given(st.lists(st.tuples(TEXT, st.integers(min_value=0)), min_size=1, max_size=5))
@pytest.mark.parametrize("delimiter", SEPARATORS)
def test_first_column_is_no_formula_with_the_separator_of_any_locale(
    delimiter: str, rows: list[tuple[str, int]]
) -> None:
    for cells in read_csv(format_csv(rows), delimiter):
        assert all(not is_formula(cell) or cell.startswith("'") for cell in cells), cells


@given(NUMBER)
def test_number_stays_a_number(number: float) -> None:
    assert format_csv([[number]]) == f"{number}\r\n"


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\tx", "\rx", "\nx"),
        *("＝1+1", "＋1", "－1", "＠SUM(A1)", "﹦1", " =1", "\xa0=1", "\u200b=1", "\ufeff=1"),
        *('"=1', "'=1", "''=1", " ' \" =1", "’=1", "=cmd|' /C calc'!A0", "=HYPERLINK(A1)"),
    ],
)
def test_formula_is_protected(text: str) -> None:
    assert read_csv(format_csv([[text, "x"]])) == [[f"'{text}", "x"]]


@pytest.mark.parametrize(
    "text",
    ["", "ada", "a=1", "a@b.example", "1-2", "'quoted'", '"quoted"', "a;b", " a", "é", "x\ty\r\nz"],
)
def test_any_other_text_is_unchanged(text: str) -> None:
    assert read_csv(format_csv([[text, "x"]])) == [[text, "x"]]
    assert restore(text) == text


def test_missing_value_is_an_empty_cell() -> None:
    assert format_csv([[None, 1]]) == ",1\r\n"
